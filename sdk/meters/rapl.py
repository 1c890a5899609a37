"""RAPL: the energy counters of x86 CPUs, through powercap.  [Linux: Documentation/power/powercap/powercap.rst]

A package's counter holds its cores and its GPU, so subzones "core" and "uncore" are left out; "dram" is counted beside it.
intel-rapl-mmio shows the same package a second time and psys the whole platform on some machines only: neither is read.
"""

from __future__ import annotations

from edge.errors import EdgeError
from edge.meters.meter import Meta
from edge.meters.place import Place, number_of, text_of
from edge.meters.trace import Channel, Probe

META = Meta(
    what="CPU package and DRAM of this x86 machine",
    accuracy=0.05,
    basis="~5 %: a calibrated estimate or a measurement, depending on the CPU; the vendors state no tolerance",
    rank=2,
    denied="sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj, until the next boot",
)
FOLDER = "/sys/class/powercap"
LIMITS = (0.3, 2000.0)  #: W of a machine at work
JOULE = 1e-6
RESOLUTION = 61e-6  #: J, 2^-14: the usual energy unit of MSR_RAPL_POWER_UNIT [Intel SDM volume 3, RAPL interfaces]


def find(place: Place) -> Probe | None:
    """All packages, and their DRAM where it is counted at all.  EdgeError where they may not be read: since Linux 5.10 only root may."""
    zones = [(f"{FOLDER}/{zone}", text_of(place, f"{FOLDER}/{zone}/name") or "") for zone in place.names(FOLDER) if zone.startswith("intel-rapl:")]
    zones = [(path, name) for path, name in zones if name.startswith("package") or (name == "dram" and number_of(place, f"{path}/energy_uj") != 0)]
    if not zones:
        return None
    paths, channels = [], []
    for column, (path, _) in enumerate(zones):
        wrap = number_of(place, f"{path}/max_energy_range_uj")
        try:
            at = number_of(place, f"{path}/energy_uj") if place.read(f"{path}/energy_uj") else None
        except OSError as error:
            raise EdgeError("rapl", f"{path}/energy_uj: {error.strerror}", META.denied if isinstance(error, PermissionError) else "") from None
        if wrap is None or wrap <= 0:
            raise EdgeError("rapl", f"{path}/max_energy_range_uj: no positive number")
        if at == 0:
            raise EdgeError("rapl", f"{path}/energy_uj stands at 0", "this CPU, or the virtual machine, does not count: use another meter (--energy)")
        paths.append(f"{path}/energy_uj")
        channels.append(Channel((column,), JOULE, wrap=float(wrap)))
    names = ", ".join(name for _, name in zones)
    step = RESOLUTION * len(zones)
    return Probe(f"rapl: {names}", tuple(channels), 100, 1e-3, step, META.accuracy, tuple(paths), limits=LIMITS)
