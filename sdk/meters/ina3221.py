"""INA3221: the three rails of a Jetson and of other boards, through hwmon; where that is missing, what tegrastats prints.

in1..3_input are mV, curr1..3_input mA, in1..3_label names.  [Linux: Documentation/hwmon/ina3221.rst; NVIDIA Jetson Linux Developer Guide]
VDD_IN (POM_5V_IN, on a Thor VIN) is the whole module and holds the other rails; without it, on an AGX, the rails of both of its chips are summed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.errors import ToolFailed
from edge.meters.meter import Meta
from edge.meters.place import Place, number_of, require_answer, require_leave, text_of
from edge.meters.trace import Channel, Probe

META = Meta(
    what="a Jetson module, or the rails of a board with an INA3221",
    accuracy=0.015,
    basis="~0.5 % of the chip and ~1 % of the shunt",
    rank=1,
    denied="sudo chmod a+r /sys/class/hwmon/hwmon*/*_input, until the next boot",
)
FOLDER = "/sys/class/hwmon"
WHOLE = ("VDD_IN", "POM_5V_IN", "VIN")
LIMITS = (0.1, 200.0)  #: W of a module at work; a thousandth is mW for µW
STEP = 8e-3 * 5  #: W: 40 µV of the shunt's ADC are 8 mA at the usual 5 mOhm, at 5 V
INSTALL, AS_ROOT = "sudo apt-get install nvidia-l4t-tools", "root may be told more: ssh://root@BOARD, or sudo edge"
TEGRASTATS = ("timeout", "0.6", "tegrastats", "--interval", "500")  #: it never ends of its own accord
RAIL = re.compile(r"\b([A-Z][A-Z0-9_]{1,30}) (\d{1,7})(?:mW)?/\d{1,7}(?:mW)?(?![\w/])")


def find(place: Place) -> Probe | None:
    """hwmon first: tegrastats takes more than half a second to answer."""
    folders = [f"{FOLDER}/{entry}" for entry in place.names(FOLDER) if text_of(place, f"{FOLDER}/{entry}/name") == "ina3221"]
    if folders:
        return from_hwmon(place, folders)
    if text_of(place, "/etc/nv_tegra_release"):
        require_answer(place, "ina3221", TEGRASTATS, tegrastats_watts, "tegrastats", INSTALL, AS_ROOT)
        watts = (Channel((0,), 1.0),)
        return Probe("ina3221: tegrastats", watts, 1, 0.5, 1e-3, META.accuracy, argv=TEGRASTATS, parse=tegrastats_watts, limits=LIMITS)
    return None


def from_hwmon(place: Place, folders: Sequence[str]) -> Probe | None:
    """The rails of all chips: an AGX has two.  Rails that are switched off (inN_enable 0) do not answer, and NC is not connected."""
    every = [(folder, n) for folder in folders for n in (1, 2, 3) if number_of(place, f"{folder}/in{n}_enable") != 0]
    rails = {rail: text_of(place, f"{rail[0]}/in{rail[1]}_label") or f"rail {rail[1]}" for rail in every}
    rails = {rail: label for rail, label in rails.items() if label != "NC" and all(number_of(place, path) is not None for path in files(*rail))}
    chosen = {rail: label for rail, label in rails.items() if label in WHOLE} or rails
    if not chosen:
        require_leave(place, (path for rail in every for path in files(*rail)))
        return None
    paths = tuple(path for rail in chosen for path in files(*rail))
    channels = tuple(Channel((2 * i, 2 * i + 1), 1e-6) for i in range(len(chosen)))
    update = max(number_of(place, f"{folder}/update_interval") or 2 for folder in folders) * 1e-3
    source = f"ina3221: {', '.join(chosen.values())}"
    return Probe(source, channels, 50, max(update, 1e-3), STEP * len(chosen), META.accuracy, paths, limits=LIMITS)


def files(folder: str, rail: int) -> tuple[str, str]:
    return f"{folder}/in{rail}_input", f"{folder}/curr{rail}_input"


def tegrastats_watts(text: str) -> float:
    """`… VDD_IN 5029mW/5029mW VDD_SOC 1255mW/1255mW`: now and mean, in mW; older ones leave the unit out.  The last line that has rails."""
    for line in reversed(text.splitlines()):
        rails = {name: int(now) for name, now in RAIL.findall(line)}
        if rails:
            whole = [rails[name] for name in WHOLE if name in rails]
            return (whole[0] if whole else sum(rails.values())) * 1e-3
    raise ToolFailed("tegrastats", f"printed no power but '{text.strip()[:60]}'")
