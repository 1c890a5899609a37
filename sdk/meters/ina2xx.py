"""INA219, INA226 and their kin on a board's supply, through hwmon.  [Linux: Documentation/hwmon/ina2xx.rst]

in1_input is the bus voltage in mV, curr1_input the current in mA, power1_input their product in µW as the chip computed it.
"""

from __future__ import annotations

from edge.errors import EdgeError
from edge.meters.meter import Meta
from edge.meters.place import Place, number_of, require_leave, text_of
from edge.meters.trace import Channel, Probe

META = Meta(
    what="a supply that runs through an INA219, INA226 or the like: the whole board where it is the main one",
    accuracy=0.015,
    basis="~0.5 % of the chip and ~1 % of the shunt",
    rank=1,
    denied="sudo chmod a+r /sys/class/hwmon/hwmon*/*_input, until the next boot",
)
FOLDER = "/sys/class/hwmon"
CHIPS = ("ina209", "ina219", "ina220", "ina226", "ina228", "ina230", "ina231", "ina234", "ina237", "ina238", "ina260")
#: files, W a unit of their product, and their least step in W at 5 V
FORMS = ((("power1_input",), 1e-6, 25e-3), (("in1_input", "curr1_input"), 1e-6, 5e-3))
LIMITS = (0.05, 200.0)  #: W of a board at work; a thousandth is mW for µW
APART = 5.0  #: times: power against volts times amperes, read one after the other while the load may change


def find(place: Place) -> Probe | None:
    """The first such chip; where a board has several, the source says which it is."""
    chips = [(entry, chip) for entry in place.names(FOLDER) if (chip := text_of(place, f"{FOLDER}/{entry}/name")) in CHIPS]
    for entry, chip in chips:
        folder, which = f"{FOLDER}/{entry}", f"{chip}, {entry}, one of {len(chips)}" if len(chips) > 1 else chip
        for files, scale, step in FORMS:
            if all(number_of(place, f"{folder}/{file}") is not None for file in files):
                update = (number_of(place, f"{folder}/update_interval") or 2) * 1e-3
                channel = Channel(tuple(range(len(files))), scale)
                paths = tuple(f"{folder}/{file}" for file in files)
                require_same(place, folder)
                return Probe(f"ina2xx: {which}", (channel,), 100, max(update, 1e-3), step, META.accuracy, paths, limits=LIMITS)
    require_leave(place, (f"{FOLDER}/{entry}/{file}" for entry, _ in chips for files, _, _ in FORMS for file in files))
    return None


def require_same(place: Place, folder: str) -> None:
    """EdgeError where the chip's power is not its volts times its amperes: one of them is in another unit than Linux documents."""
    power, volts, amperes = (number_of(place, f"{folder}/{file}") for file in ("power1_input", "in1_input", "curr1_input"))
    product = abs((volts or 0) * (amperes or 0))
    if power and product and not 1 / APART < abs(power) / product < APART and max(abs(power), product) * 1e-6 > LIMITS[0]:
        what = f"{folder}: power1_input says {power * 1e-6:.3g} W, in1_input times curr1_input {product * 1e-6:.3g} W"
        raise EdgeError("ina2xx", what, "its driver or its shunt's value is wrong: use another meter (--energy)")
