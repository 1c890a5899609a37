"""What a checkup finds.  Imports nothing that may be missing: `edge doctor` must live on a machine where everything is missing."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import one_line

OK, NOTE, MISSING = "ok", "note", "missing"
#: holds the clock still, here or there; cpupower would have to be installed
GOVERNOR = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


@dataclass(frozen=True)
class Finding:
    """One line of the answer; detail may be what a device says, and is shown without its escapes.  cure: a command or a sentence, may be empty."""

    status: str
    what: str
    detail: str
    cure: str = ""

    def __str__(self) -> str:
        return one_line(f"{self.status:<8}{self.what:<14}{self.detail}" + (f"  ->  {self.cure}" if self.cure else ""))
