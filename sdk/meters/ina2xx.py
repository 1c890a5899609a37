"""INA219, INA226 and their kin on a board's supply, through hwmon.  [Linux: Documentation/hwmon/ina2xx.rst]

in1_input is the bus voltage in mV, curr1_input the current in mA, power1_input their product in µW as the chip computed it.
"""

from __future__ import annotations

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
                return Probe(f"ina2xx: {which}", (channel,), 100, max(update, 1e-3), step, META.accuracy, paths)
    require_leave(place, (f"{FOLDER}/{entry}/{file}" for entry, _ in chips for files, _, _ in FORMS for file in files))
    return None
