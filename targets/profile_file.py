"""Reading a profile: a .toml file, the files it extends, all mistakes at once.

A profile of the user's own is hostile: its size is bounded, `extends` names a profile beside it or one of ours, never a path.
"""

from __future__ import annotations

import hashlib
import platform
import tomllib
from pathlib import Path
from typing import Any

from edge.errors import EdgeError, did_you_mean
from edge.targets import kinds, schema
from edge.targets.profile import Head

SHIPPED = Path(__file__).parent / "profiles"
LARGEST = 64 * 1024  #: bytes of one profile
SHOWN = 20  #: mistakes in one message

Content = dict[str, Any]


def read(path: Path) -> Head:
    """The profile in that file, checked whole.  Errors name the file as it was given, or `targets/profiles/…` for ours."""
    files, content = chain(path, ())
    kind = kinds.kind(content.get("kind", kinds.DEFAULT))
    complain(shown(path), [*schema.NAME("its own name", path.stem), *kind.missing(content)])
    return kind.profile(path.stem, content, hashlib.sha256(b"\0".join(files)).hexdigest())


def shipped(name: str) -> Path | None:
    """The file of a profile that comes with this version."""
    return next((path for kind in kinds.names() if (path := SHIPPED / kind / f"{name}.toml").is_file()), None)


def kind_of(path: Path, content: Content) -> str:
    """The kind that a file names; a CPU where it names none."""
    name = content.get("kind", kinds.DEFAULT)
    if not isinstance(name, str) or name not in kinds.names():
        cure = did_you_mean(name, kinds.names()) if isinstance(name, str) else ""
        raise EdgeError(shown(path), f"kind {name!r} is not a kind of profile", cure or f"known: {', '.join(kinds.names())}")
    return name


def chain(path: Path, seen: tuple[Path, ...]) -> tuple[list[bytes], Content]:
    """The bytes of the file and of all it extends, and their contents merged."""
    data = bounded(path)
    content = parsed(path, data)
    kind = kind_of(path, content)
    complain(shown(path), kinds.kind(kind).mistakes(content))
    if "extends" not in content:
        return [data], content
    here = (*seen, path.resolve())
    base = beside(path, base_name(path, content["extends"]))
    if base.resolve() in here:
        way = " -> ".join(p.stem for p in (*here, base))
        raise EdgeError(shown(path), f"extends itself: {way}", "take one 'extends' out")
    files, inherited = chain(base, here)
    if (other := inherited.get("kind", kinds.DEFAULT)) != kind:
        raise EdgeError(shown(path), f"extends '{base.stem}', which is of kind {other}, and is of kind {kind} itself", f'kind = "{other}"')
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
        return shipped(name) or SHIPPED / f"{name}.toml"
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
    return f"targets/profiles/{path.relative_to(SHIPPED)}" if path.is_relative_to(SHIPPED) else str(path)
