"""A battery's fuel gauge: phones, tablets, laptops.  [Linux: Documentation/ABI/testing/sysfs-class-power; Android: BatteryManager, dumpsys battery]

voltage_now is µV, current_now µA, power_now µW.  Vendors differ in the current's sign, and some give mA: while it discharges all current is what the
device takes, so the sign is dropped; and no device with an operating system takes less than 5 mA, nor one that tells mA more than 5 A, so a number
below 5000 is taken as mA.
Android hides the files from its shell on many phones; `dumpsys battery` then tells the voltage in mV and, on some, "current now".
"""

from __future__ import annotations

import re

from edge.errors import EdgeError, ToolFailed
from edge.meters.meter import Meta
from edge.meters.place import Place, number_of, require_leave, text_of
from edge.meters.trace import Channel, Probe

META = Meta(
    what="the whole device, screen and radio too, while it runs on its battery",
    accuracy=0.05,
    basis="~5 %: fuel gauges are made for hours",
    rank=4,
    denied="sudo chmod a+r /sys/class/power_supply/*/*_now, until the next boot",
)
FOLDER = "/sys/class/power_supply"
STEP = 5e-3  #: W
FORMS = ((("power_now",), 1e-6), (("voltage_now", "current_now"), 1e-12))
SMALLEST_UA = 5_000
DUMPSYS = ("dumpsys", "battery")
DUMPSYS_SECONDS = 60.0  #: ~ what its service last heard of the gauge, which it asks once a minute or more seldom  [AOSP, healthd_config]
FACT = re.compile(r"^\s*([A-Za-z][A-Za-z ]{0,30}): (\S{1,20})\s*$", re.MULTILINE)
Gauge = tuple[str, str, tuple[str, ...], float]  #: name, status, files, W a unit of their product
DISCHARGING = "3"  #: BatteryManager.BATTERY_STATUS_DISCHARGING


def find(place: Place) -> Probe | None:
    """All batteries that say what they give, together: a laptop empties one after the other.

    EdgeError while one charges, or none gives anything: what flows then is not what the device takes.
    """
    found = [seen for entry in place.names(FOLDER) if (seen := gauge(place, entry))]
    for name, status, _, _ in found:
        if status != "Discharging" and (status == "Charging" or not any(gauge[1] == "Discharging" for gauge in found)):
            raise EdgeError("battery", f"{name} is '{status}', not discharging", "unplug the charger")
    if found:
        return from_files(place, found)
    if text_of(place, "/system/build.prop") is None and not place.names("/system/bin"):
        folders = [f"{FOLDER}/{entry}" for entry in place.names(FOLDER) if is_ours(place, entry)]
        require_leave(place, (f"{folder}/{file}" for folder in folders for files, _ in FORMS for file in files))
        return None
    dumpsys_watts(place.run(DUMPSYS))
    return Probe("battery: dumpsys", (Channel((0,), 1.0),), 2, DUMPSYS_SECONDS, STEP, META.accuracy, argv=DUMPSYS, parse=dumpsys_watts)


def gauge(place: Place, entry: str) -> Gauge | None:
    """One that tells its power, or its voltage and current."""
    folder = f"{FOLDER}/{entry}"
    if not is_ours(place, entry):
        return None
    for files, scale in FORMS:
        paths = tuple(f"{folder}/{file}" for file in files)
        if None not in [number_of(place, path) for path in paths]:
            return entry, text_of(place, f"{folder}/status") or "Unknown", paths, scale
    return None


def is_ours(place: Place, entry: str) -> bool:
    """A battery of the machine, not of a mouse (scope Device)."""
    return text_of(place, f"{FOLDER}/{entry}/type") == "Battery" and text_of(place, f"{FOLDER}/{entry}/scope") != "Device"


def from_files(place: Place, found: list[Gauge]) -> Probe:
    """EdgeError where all gauges say 0: then nobody knows whether they speak of µA or of mA."""
    values = [[number_of(place, path) or 0 for path in paths] for _, _, paths, _ in found]
    if not any(all(each) for each in values):
        raise EdgeError("battery", f"{', '.join(name for name, *_ in found)} says that nothing is drawn", "wait until its gauge tells something")
    unit = milli(max((abs(each[1]) for each in values if len(each) == 2), default=0))
    channels, at = [], 0
    for _, _, paths, scale in found:
        channels.append(Channel(tuple(range(at, at + len(paths))), scale * (unit if len(paths) == 2 else 1.0), absolute=True))
        at += len(paths)
    names, files = ", ".join(name for name, *_ in found), tuple(path for _, _, paths, _ in found for path in paths)
    return Probe(f"battery: {names}", tuple(channels), 4, 1.0, STEP, META.accuracy, files)


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
