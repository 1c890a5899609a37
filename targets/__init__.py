"""Hardware profiles by name: `load("cpu")`, `load("my-board.toml")`, `names()`.

A profile is `profiles/KIND/NAME.toml`; adding a board, a GPU or a chip is adding that file.  Every figure in it has a unit and a source.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EdgeError, did_you_mean, spelled

if TYPE_CHECKING:
    from edge.targets.profile import Head, Profile

#: what people ask for -> what to do instead
NOT_YET = {
    "android-arm64": "build for arm64: the file is static and runs on a phone, edge run --on adb://SERIAL",
    "riscv64": "build for arm64 or x86-64; other machines compile the C of --emit c",
    "mobile-gpu": "build for arm64: the phone's CPU runs it",
    "neuromorphic": "build for arm64 or cpu: networks run there without spikes",
}
#: names people try for the Arm machines whose instructions or system are 32 bits wide
ARM32 = ("arm32", "arm", "armv6", "armv7", "armhf", "rpi", "rpi1", "rpi2", "rpi-zero", "rpi-zero-w")


def names(kind: str = "") -> list[str]:
    """The targets that come with this version, of that kind or of all: CPUs first, each kind by name."""
    from edge.targets import kinds, profile_file

    chosen = [kind] if kind else kinds.names()
    return [path.stem for each in chosen for path in sorted((profile_file.SHIPPED / each).glob("*.toml"))]


def read(name: str) -> Head:
    """The profile of that name, or of the .toml file at that path, whatever its kind.

    `cpu` is this machine, read when it is loaded.  Errors: unknown names, and every mistake of a profile at once.
    """
    from edge.targets import host, profile_file
    from edge.targets.profile import Profile

    path = Path(name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        profile = profile_file.read(path)
    elif file := profile_file.shipped(name):
        profile = profile_file.read(file)
    elif name in ARM32:
        cure = "install the 64-bit Raspberry Pi OS on a Pi 3 or later, or a Zero 2 W, and build for arm64"
        raise EdgeError(f"target '{name}'", "32-bit Arm is not built for: half the vector registers would need kernels of their own", cure)
    elif name in NOT_YET:
        raise EdgeError(f"target '{name}'", "not supported yet", NOT_YET[name])
    else:
        hint = did_you_mean(name, [*names(), *NOT_YET])
        raise EdgeError(f"target '{name}'", "unknown", f"{hint} targets: {', '.join(names('cpu'))}".strip())
    return host.seen_here(profile) if isinstance(profile, Profile) and profile.host else profile


def load(name: str) -> Profile:
    """The same for a CPU; EdgeError that says what to do instead for any other kind of hardware."""
    from edge.targets.profile import Profile

    profile = read(name)
    if not isinstance(profile, Profile):
        raise unsupported(profile)
    return profile


def unsupported(profile: Head) -> EdgeError:
    """Why nothing can be built for that hardware yet, and what to do instead."""
    from edge.targets import kinds

    kind, other = kinds.kind(profile.kind), profile.instead or "cpu"
    cure = f"{spelled(f'--target {other}', f'target={other!r}')} {kind.INSTEAD}"
    return EdgeError(f"target '{profile.name}'", f"is {kind.ARTICLE}: building for it is not supported yet", cure)


def shipped(name: str) -> Profile:
    """A CPU's profile that comes with this version, as its file has it: `cpu` is not narrowed to this machine."""
    from edge.targets import profile_file
    from edge.targets.profile import Profile

    profile = profile_file.read(profile_file.SHIPPED / "cpu" / f"{name}.toml")
    assert isinstance(profile, Profile), "the folder's files are of this kind: tested"
    return profile


def of_board(model: str) -> Profile | None:
    """The shipped profile of the board that calls itself so ("Raspberry Pi 4 Model B Rev 1.4")."""
    found = (shipped(name) for name in names("cpu"))
    return next((profile for profile in found if any(model.startswith(board) for board in profile.boards)), None)


def level_features(name: str) -> dict[str, tuple[str, ...]]:
    """The CPU features each level of a shipped target needs, best level first; nothing for a target that is not shipped, or not a CPU."""
    return {level.name: level.features for level in shipped(name).levels} if name in names("cpu") else {}
