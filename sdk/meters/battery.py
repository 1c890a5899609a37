"""A battery's fuel gauge: phones, tablets, laptops.  [Linux: Documentation/ABI/testing/sysfs-class-power; Android: BatteryManager, dumpsys battery]

voltage_now is µV, current_now µA, power_now µW.  Vendors differ in the current's sign, and some give mA: while it discharges all current is what the
device takes, so the sign is dropped; and no device with an operating system takes less than 5 mA, nor one that tells mA more than 5 A, so a number
below 5000 is taken as mA.
Android hides the files from its shell on many phones; `dumpsys battery` then tells the voltage in mV and, on some, "current now".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

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
ONE_CELL = 6.0  #: V, above the fullest cell and below two empty ones
DUMPSYS = ("dumpsys", "battery")
DUMPSYS_SECONDS = 60.0  #: ~ what its service last heard of the gauge, which it asks once a minute or more seldom  [AOSP, healthd_config]
FACT = re.compile(r"^\s*([A-Za-z][A-Za-z ]{0,30}): (\S{1,20})\s*$", re.MULTILINE)
Gauge = tuple[str, str, tuple[str, ...], float]  #: name, status, files, W a unit of their product
DISCHARGING = "3"  #: BatteryManager.BATTERY_STATUS_DISCHARGING


def find(place: Place) -> Probe | None:
    """All batteries that say what they give, together: a laptop empties one after the other.

    EdgeError while one charges, or none gives anything: what flows then is not what the device takes.
    """
    found = gauges(place)
    if charging := status_of_charge(found):
        raise EdgeError("battery", f"{charging}, not discharging", "unplug the charger")
    if found:
        return from_files(place, found)
    if text_of(place, "/system/build.prop") is None and not place.names("/system/bin"):
        folders = [f"{FOLDER}/{entry}" for entry in place.names(FOLDER) if is_ours(place, entry)]
        require_leave(place, (f"{folder}/{file}" for folder in folders for files, _ in FORMS for file in files))
        return None
    dumpsys_watts(place.run(DUMPSYS))
    dumpsys = Probe("battery: dumpsys", (Channel((0,), 1.0),), 2, DUMPSYS_SECONDS, STEP, META.accuracy, argv=DUMPSYS, parse=dumpsys_watts)
    return replace(dumpsys, limits=limits_of(ONE_CELL / 2), recheck=lambda place: require_unplugged(dumpsys_status(place.run(DUMPSYS))))


def gauges(place: Place) -> list[Gauge]:
    return [seen for entry in place.names(FOLDER) if (seen := gauge(place, entry))]


def status_of_charge(found: Sequence[Gauge]) -> str:
    """`BAT0 is 'Charging'` where the device does not run on its batteries alone, else ''."""
    resting = any(gauge[1] == "Discharging" for gauge in found)
    wrong = (f"{name} is '{status}'" for name, status, _, _ in found if status != "Discharging" and (status == "Charging" or not resting))
    return next(wrong, "")


def require_unplugged(charging: str) -> None:
    """EdgeError for what `status_of_charge` says when the run is over: the figure would be of a device on a charger."""
    if charging:
        raise EdgeError("battery", f"{charging} now, and was discharging before the run", "keep the charger unplugged all the while")


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
    volts = max((number_of(place, f"{FOLDER}/{name}/voltage_now") or 0) * 1e-6 for name, *_ in found)
    return Probe(
        f"battery: {names}",
        tuple(channels),
        4,
        1.0,
        STEP,
        META.accuracy,
        files,
        limits=limits_of(volts),
        recheck=lambda place: require_unplugged(status_of_charge(gauges(place))),
    )


def limits_of(volts: float) -> tuple[float, float]:
    """Watts that a device at work may take from a battery of so many volts; a thousandth and a thousand times of them lie outside.

    One cell is a phone or a small board, several are a laptop; 0 V is a battery that does not say.
    """
    return (0.05, 40.0) if 0 < volts < ONE_CELL else (0.4, 300.0)


def milli(current: float) -> float:
    """µA a unit of current_now."""
    return 1e3 if 0 < abs(current) < SMALLEST_UA else 1.0


def facts_of(text: str) -> dict[str, str]:
    return {key.strip().lower(): value for key, value in FACT.findall(text)}


def dumpsys_status(text: str) -> str:
    """`dumpsys says status 2` where the phone does not run on its battery alone, else ''."""
    status = facts_of(text).get("status")
    return "" if status == DISCHARGING else f"dumpsys says status {status}"


def dumpsys_watts(text: str) -> float:
    """From `voltage: 3850` and `current now: -412000`; EdgeError while it charges or where it names no current."""
    facts = facts_of(text)
    if charging := dumpsys_status(text):
        raise EdgeError("battery", f"{charging}, not 3 (discharging)", "unplug the charger; measure over Wi-Fi")
    values = [facts.get(key, "") for key in ("voltage", "current now")]
    if not all(re.fullmatch(r"-?[0-9]{1,9}", value) for value in values):
        raise ToolFailed("dumpsys battery", "names no voltage and current", "this phone does not tell them")
    millivolts, current = (abs(int(value)) for value in values)
    return millivolts * 1e-3 * current * milli(current) * 1e-6
