"""Hardware profiles by name: `load("cpu")`, `load("my-board.toml")`, `names()`.

A profile is `profiles/NAME.toml`; adding a board is adding that file.  Every figure in it has a unit and a source.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EdgeError, did_you_mean

if TYPE_CHECKING:
    from edge.targets.profile import Profile

PROFILES = Path(__file__).parent / "profiles"
#: what people ask for -> what to do instead
NOT_YET = {
    "android-arm64": "build for arm64: the file is static and runs on a phone, edge run --on adb://SERIAL",
    "riscv64": "build for arm64 or x86-64; other machines compile the C of --emit c",
    "mobile-gpu": "build for arm64: the phone's CPU runs it",
    "neuromorphic": "build for arm64 or cpu: networks run there without spikes",
}
#: names people try for the Arm machines whose instructions or system are 32 bits wide
ARM32 = ("arm32", "arm", "armv6", "armv7", "armhf", "rpi", "rpi1", "rpi2", "rpi-zero", "rpi-zero-w")


def names() -> list[str]:
    """The targets that come with this version."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load(name: str) -> Profile:
    """The profile of that name, or of the .toml file at that path.

    `cpu` is this machine, read when it is loaded.  Errors: unknown names, and every mistake of a profile at once.
    """
    from edge.targets import host, profile_file

    path = Path(name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        profile = profile_file.read(path)
    elif name in names():
        profile = profile_file.read(PROFILES / f"{name}.toml")
    elif name in ARM32:
        cure = "install the 64-bit Raspberry Pi OS on a Pi 3 or later, or a Zero 2 W, and build for arm64"
        raise EdgeError(f"target '{name}'", "32-bit Arm is not built for: half the vector registers would need kernels of their own", cure)
    elif name in NOT_YET:
        raise EdgeError(f"target '{name}'", "not supported yet", NOT_YET[name])
    else:
        hint = did_you_mean(name, [*names(), *NOT_YET])
        raise EdgeError(f"target '{name}'", "unknown", f"{hint} targets: {', '.join(names())}".strip())
    return host.seen_here(profile) if profile.host else profile


def shipped(name: str) -> Profile:
    """A profile that comes with this version, as its file has it: `cpu` is not narrowed to this machine."""
    from edge.targets import profile_file

    return profile_file.read(PROFILES / f"{name}.toml")


def of_board(model: str) -> Profile | None:
    """The shipped profile of the board that calls itself so ("Raspberry Pi 4 Model B Rev 1.4")."""
    found = (shipped(name) for name in names())
    return next((profile for profile in found if any(model.startswith(board) for board in profile.boards)), None)


def level_features(name: str) -> dict[str, tuple[str, ...]]:
    """The CPU features each level of a shipped target needs, best level first; nothing for a target that is not shipped."""
    return {level.name: level.features for level in shipped(name).levels} if name in names() else {}
