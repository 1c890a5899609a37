"""A battery's fuel gauge: phones, tablets, laptops.  [Linux: Documentation/ABI/testing/sysfs-class-power; Android: BatteryManager, dumpsys battery]

voltage_now is µV, current_now µA, power_now µW.  Vendors differ in the current's sign, and some give mA: while it discharges all current is what the
device takes, so the sign is dropped; and no device with an operating system takes less than 20 mA, so a smaller number is taken as mA.
Android hides the files from its shell on many phones; `dumpsys battery` then tells the voltage in mV and, on some, "current now".
"""

from __future__ import annotations

import re

from edge.errors import EdgeError, ToolFailed
from edge.meters.meter import Meta
from edge.meters.place import Place, number_of, text_of
from edge.meters.trace import Channel, Probe

META = Meta(
    what="the whole device, screen and radio too, while it runs on its battery", accuracy=0.05, basis="~5 %: fuel gauges are made for hours", rank=4
)
FOLDER = "/sys/class/power_supply"
STEP = 5e-3  #: W
FORMS = ((("power_now",), 1e-6), (("voltage_now", "current_now"), 1e-12))
SMALLEST_UA = 20_000
DUMPSYS = ("dumpsys", "battery")
FACT = re.compile(r"^\s*([A-Za-z][A-Za-z ]{0,30}): (\S{1,20})\s*$", re.MULTILINE)
DISCHARGING = "3"  #: BatteryManager.BATTERY_STATUS_DISCHARGING


def find(place: Place) -> Probe | None:
    """The first battery that says what it gives.  EdgeError while it charges: the current then is not what the device takes."""
    for entry in place.names(FOLDER):
        folder = f"{FOLDER}/{entry}"
        if text_of(place, f"{folder}/type") != "Battery":
            continue
        for files, scale in FORMS:
            values = [number_of(place, f"{folder}/{file}") for file in files]
            if None in values:
                continue
            status = text_of(place, f"{folder}/status") or "Unknown"
            if status != "Discharging":
                raise EdgeError("battery", f"{entry} is '{status}', not discharging", "unplug the charger")
            unit = milli(values[-1] or 0) if len(files) == 2 else 1.0
            channel = Channel(tuple(range(len(files))), scale * unit, absolute=True)
            return Probe(f"battery: {entry}", (channel,), 4, 1.0, STEP, META.accuracy, tuple(f"{folder}/{file}" for file in files))
    if text_of(place, "/system/build.prop") is None and not place.names("/system/bin"):
        return None
    dumpsys_watts(place.run(DUMPSYS))
    return Probe("battery: dumpsys", (Channel((0,), 1.0),), 2, 1.0, STEP, META.accuracy, argv=DUMPSYS, parse=dumpsys_watts)


def milli(current: float) -> float:
    """µA a unit of current_now."""
    return 1e3 if 0 < abs(current) < SMALLEST_UA else 1.0


def dumpsys_watts(text: str) -> float:
    """From `voltage: 3850` and `current now: -412000`; EdgeError while it charges or where it names no current."""
    facts = {key.strip().lower(): value for key, value in FACT.findall(text)}
    if facts.get("status") != DISCHARGING:
        raise EdgeError("battery", f"dumpsys says status {facts.get('status')}, not 3 (discharging)", "unplug the charger; measure over Wi-Fi")
    values = [facts.get(key, "") for key in ("voltage", "current now")]
    if not all(re.fullmatch(r"-?[0-9]{1,9}", value) for value in values):
        raise ToolFailed("dumpsys battery", "names no voltage and current", "this phone does not tell them")
    millivolts, current = (abs(int(value)) for value in values)
    return millivolts * 1e-3 * current * milli(current) * 1e-6
