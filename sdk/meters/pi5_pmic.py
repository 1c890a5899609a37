"""Raspberry Pi 5: the rails that its power-management chip measures, by `vcgencmd pmic_read_adc`.

    board W = 1.1451 × sum of V × I over the rails + 0.5879

The fit is by jfikar against a USB-C meter (github.com/jfikar/RPi5-power, README).  What hangs on 5 V directly, USB devices, HATs and NVMe, is not
seen.  Earlier boards have no current sensor.
"""

from __future__ import annotations

import re

from edge.errors import ToolFailed
from edge.meters.meter import Meta
from edge.meters.place import Place, require_answer, text_of
from edge.meters.trace import Channel, Probe

META = Meta(
    what="a Raspberry Pi 5, from its rails by a fit",
    accuracy=0.05,
    basis="fit 1.1451 × + 0.5879 W of github.com/jfikar/RPi5-power; ~5 %, its residuals are shown there as a plot only",
    rank=3,
)
GAIN, OFFSET = 1.1451, 0.5879
COMMAND = ("vcgencmd", "pmic_read_adc")
INSTALL, VIDEO = "sudo apt-get install raspi-utils", "sudo usermod -aG video $USER, and log in again"
LINE = re.compile(r"^\s*(\w{1,20})_([AV])\s+(?:current|volt)\(\d{1,3}\)=(\d{1,6}\.\d{1,12})([AV])\s*$", re.MULTILINE)
LIMITS = (0.6, 30.0)  #: W of the board at work
STEP = 10e-3  #: W: the core rail's ADC steps by about 10 mA


def find(place: Place) -> Probe | None:
    """Only a Pi 5, which it says itself: the command exists on every Pi."""
    if not (text_of(place, "/proc/device-tree/model") or "").startswith("Raspberry Pi 5"):
        return None
    require_answer(place, "pi5_pmic", COMMAND, board_watts, "vcgencmd", INSTALL, VIDEO)
    watts = (Channel((0,), 1.0),)
    return Probe("pi5_pmic: rails, by a fit", watts, 20, 5e-3, STEP, META.accuracy, argv=COMMAND, parse=board_watts, limits=LIMITS)


def board_watts(text: str) -> float:
    """EXT5V_V and BATT_V have no current and do not count."""
    seen: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for rail, kind, value, unit in LINE.findall(text):
        if kind == unit:
            seen[kind][rail] = float(value)
    rails = seen["A"].keys() & seen["V"].keys()
    if not rails or seen["A"].keys() - seen["V"].keys():
        raise ToolFailed("vcgencmd pmic_read_adc", f"printed no rails but '{text.strip()[:60]}'")
    return GAIN * sum(seen["A"][rail] * seen["V"][rail] for rail in rails) + OFFSET
