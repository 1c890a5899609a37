"""Thermal zones: which of them tell of the CPU, and which tell nothing.  [Linux: Documentation/driver-api/thermal/sysfs-api.rst]

Their types are names that vendors chose: `cpu-thermal`, `x86_pkg_temp`, `soc-thermal`, `CPU-therm`; beside them lie batteries, Wi-Fi chips,
and sensors that are not wired and always say the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COLDEST, HOTTEST = -40.0, 120.0  #: degrees Celsius: what lies outside, or is 0, is no temperature of a CPU that runs
MILLI = 1000.0
OF_CPU = re.compile(r"cpu|x86_pkg|core|soc\b|soc[-_]|tsens|cluster", re.IGNORECASE)
NOT_OF_CPU = re.compile(r"gpu|bat|charg|pmic|wifi|iwl|modem|usb|skin|nvme|ddr|cam|disp|npu|fan|ambient|board|quiet|xo[-_]?therm", re.IGNORECASE)


@dataclass(frozen=True)
class Zone:
    """kind: its type.  degrees: Celsius."""

    kind: str
    degrees: float

    @property
    def bogus(self) -> bool:
        return not COLDEST < self.degrees < HOTTEST or self.degrees == 0

    def __str__(self) -> str:
        return f"{self.kind or 'a zone'} says {self.degrees:.0f}"


def zones_of(text: str) -> tuple[Zone, ...]:
    """From `cpu-thermal;48312|…`, in thousandths of a degree; old drivers give degrees."""
    found = []
    for entry in text.split("|")[:1000]:
        if match := re.fullmatch(r"([\w.+-]{0,60});(-?\d{1,9})", entry):
            value = int(match[2])
            found.append(Zone(match[1], value if 0 < abs(value) < 200 else value / MILLI))
    return tuple(found)


def heat_of(zones: Sequence[Zone]) -> float | None:
    """Degrees of the hottest zone that is of a CPU; where no type names one, of those that may be; None without any."""
    true = [zone for zone in zones if not zone.bogus]
    chosen = [zone for zone in true if OF_CPU.search(zone.kind) and not NOT_OF_CPU.search(zone.kind)]
    chosen = chosen or [zone for zone in true if not NOT_OF_CPU.search(zone.kind)]
    return max((zone.degrees for zone in chosen), default=None)
