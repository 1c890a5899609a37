"""Reading a profile: a .toml file, the files it extends, all mistakes at once.

A profile of the user's own is hostile: its size is bounded, `extends` names a profile beside it or one of ours, never a path.
"""

from __future__ import annotations

import hashlib
import platform
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import EdgeError
from edge.targets import schema
from edge.targets.profile import Bandwidth, Figure, Level, Profile

SHIPPED = Path(__file__).parent / "profiles"
LARGEST = 64 * 1024  #: bytes of one profile
SHOWN = 20  #: mistakes in one message

Content = dict[str, Any]


def read(path: Path) -> Profile:
    """The profile in that file, checked whole.  Errors name the file as it was given, or `targets/profiles/…` for ours."""
    files, content = chain(path, ())
    complain(shown(path), [*schema.NAME("its own name", path.stem), *schema.missing(content)])
    digest = hashlib.sha256(b"\0".join(files)).hexdigest()
    return profile(path.stem, content, digest)


def chain(path: Path, seen: tuple[Path, ...]) -> tuple[list[bytes], Content]:
    """The bytes of the file and of all it extends, and their contents merged."""
    data = bounded(path)
    content = parsed(path, data)
    complain(shown(path), schema.mistakes(content))
    if "extends" not in content:
        return [data], content
    here = (*seen, path.resolve())
    base = beside(path, base_name(path, content["extends"]))
    if base.resolve() in here:
        way = " -> ".join(p.stem for p in (*here, base))
        raise EdgeError(shown(path), f"extends itself: {way}", "take one 'extends' out")
    files, inherited = chain(base, here)
    return [data, *files], merged(inherited, content)


def base_name(path: Path, extends: str | dict[str, str]) -> str:
    """The profile to start from; of several the one for this machine."""
    if isinstance(extends, str):
        return extends
    arch = platform.machine()
    if arch not in extends:
        raise EdgeError(shown(path), f"has nothing for this machine, {arch}", f"it has {', '.join(extends)}")
    return extends[arch]


def bounded(path: Path) -> bytes:
    """The file's bytes, refusing what is no small regular file."""
    if not path.is_file():
        raise EdgeError(shown(path), "no such profile", "edge targets lists those that come with edge")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise EdgeError(shown(path), f"cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise EdgeError(shown(path), f"a profile is at most {LARGEST // 1024} KiB", "is it the right file?")
    return data


def parsed(path: Path, data: bytes) -> Content:
    """TOML as tables.  tomllib recurses over nested values and leaves over-long integers to int(): both may raise on hostile text."""
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise EdgeError(shown(path), "is not UTF-8 text", "is it the right file?") from None
    except RecursionError:
        raise EdgeError(shown(path), "is nested too deeply", "a profile has four levels at most") from None
    except ValueError as error:
        raise EdgeError(shown(path), f"is not TOML: {error}") from None


def beside(path: Path, name: str) -> Path:
    """The profile that `path` extends: in its own folder first, then ours.  A link that leads out of the folder is refused."""
    own = path.parent / f"{name}.toml"
    if not own.is_file():
        return SHIPPED / f"{name}.toml"
    if own.resolve().parent != path.parent.resolve():
        raise EdgeError(shown(path), f"extends '{name}', a link to outside its folder", "copy that profile here")
    return own


def merged(base: Content, over: Content) -> Content:
    """Tables are merged key by key; a figure, being one fact, is replaced whole, and so are the levels: a board has its own and no others."""
    result = dict(base)
    for key, value in over.items():
        both = key != "levels" and isinstance(value, dict) and isinstance(result.get(key), dict) and "value" not in value
        result[key] = merged(result[key], value) if both else value
    return result


def complain(where: str, found: list[str]) -> None:
    if found:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise EdgeError(where, "; ".join([*found[:SHOWN], *more]))


def shown(path: Path) -> str:
    return f"targets/profiles/{path.name}" if path.parent == SHIPPED else str(path)


def profile(name: str, content: Mapping[str, Any], digest: str) -> Profile:
    """Frozen data out of a checked table."""

    def optional(key: str) -> Figure | None:
        return Figure(**content[key]) if key in content else None

    def named(key: str) -> dict[str, Figure]:
        return {name: Figure(**value) for name, value in content.get(key, {}).items()}

    return Profile(
        name=name,
        description=content["description"],
        boards=tuple(content.get("boards", ())),
        arch=content["arch"],
        runner=content["runner"],
        library=content["library"],
        baseline=content["baseline"],
        block=Figure(**content["block"]),
        levels=tuple(level(key, value) for key, value in content["levels"].items()),
        caches=named("caches"),
        clock=optional("clock"),
        cores=optional("cores"),
        bandwidth={key: Bandwidth(**{of: Figure(**figure) for of, figure in both.items()}) for key, both in content.get("bandwidth", {}).items()},
        efficiency=named("efficiency"),
        overlap=optional("overlap"),
        together=optional("together"),
        overhead=named("overhead"),
        power=named("power"),
        host=content.get("host", False),
        sha256=digest,
    )


def level(name: str, content: Mapping[str, Any]) -> Level:
    return Level(
        name=name,
        cpu=content["cpu"],
        features=tuple(content["features"]),
        lanes=Figure(**content["lanes"]),
        registers=Figure(**content["registers"]),
        flops=Figure(**content["flops"]),
        qemu_cpu=content.get("qemu_cpu", ""),
    )
