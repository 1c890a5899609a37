"""What schedules may know of a CPU's levels."""

from __future__ import annotations

from edge.kernels.core import Core
from edge.targets.profile import Profile


def cores_of(profile: Profile) -> dict[str, Core]:
    """What schedules may know of each level of a profile."""
    l2 = int(profile.caches["l2"]) if "l2" in profile.caches else 256 << 10
    return {
        level.name: Core(int(profile.block), int(level.lanes), int(level.registers), l2, by_element=profile.arch == "aarch64")
        for level in profile.levels
    }
