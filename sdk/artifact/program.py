"""Runs an artifact's own program: here, or where a `Place` says.  Whoever calls this has decided to trust the file: `inspect` never does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.artifact.emulator import emulator
from edge.artifact.manifest import Payload
from edge.artifact.typed_json import Json
from edge.errors import EdgeError, ToolFailed

GOOD, CHECK_FAILED, USAGE = 0, 1, 2  #: targets/runtime/runner.h
#: exit code -> what it means, what helps: 128 + the number of the signal
SIGNALS = {
    132: ("met an instruction that the CPU does not have", "build it for that CPU"),
    135: ("lost its file while it ran", "do not overwrite a file that runs; a card may be worn out"),
    137: ("was killed", "out of memory? dmesg | tail tells"),
    139: ("crashed", "a mistake of ours: edge verify says whether the file is whole"),
}


@dataclass(frozen=True)
class Give:
    """A word that names a file here which the program reads.  prefix: `NAME=` in front of it."""

    path: Path
    prefix: str = ""


@dataclass(frozen=True)
class Take:
    """A word that names a file here which the program writes."""

    path: Path
    prefix: str = ""


@dataclass(frozen=True)
class Ended:
    """How the program ended.  code: as a shell counts."""

    code: int
    stdout: str
    stderr: str


OWN_INTERPRETERS = {"python3": sys.executable}  #: the Python that has our packages
Word = str | Give | Take
Environment = Mapping[str, str]


class Place(Protocol):
    """Where a program runs; files in its words are brought there and back.  watch: a command to put in front, which runs the rest.

    front: the interpreter of the file there, none for a file that is the program itself.
    """

    def __call__(
        self, path: Path, words: Sequence[Word], environment: Environment, watch: Sequence[str] = (), front: Sequence[str] = ()
    ) -> Ended: ...


def here(path: Path, words: Sequence[Word], environment: Environment, watch: Sequence[str] = (), front: Sequence[str] = ()) -> Ended:
    """On this machine; another architecture's program under an emulator, a Python payload by the Python that runs us."""
    return behind([OWN_INTERPRETERS.get(word, word) for word in front] or emulator(path), path, words, environment, watch)


def started(path: Path, payload: Payload | None, words: Sequence[Word], environment: Environment, place: Place, watch: Sequence[str] = ()) -> Ended:
    """Runs a payload of the file at `place`; None: the file itself."""
    if payload is None or not payload.front:
        return place(path, words, environment, watch)
    return place(path, [*payload.words, *words], environment, watch, payload.front)


def require_can(path: Path, payload: Payload, ability: str, option: str) -> None:
    """EdgeError where the payload's program lacks an ability (manifest.CAN) that an option asks for."""
    if ability not in payload.can:
        raise EdgeError(str(path), f"its {payload.format} payload does not take {option}", f"leave {option} out")


def behind(front: Sequence[str], path: Path, words: Sequence[Word], environment: Environment, watch: Sequence[str] = ()) -> Ended:
    """On this machine.  front: the words of an emulator, or none."""
    spelled = [word if isinstance(word, str) else f"{word.prefix}{word.path}" for word in words]
    argv = [*watch, *front, str(path.resolve()), *spelled]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", env={**os.environ, **environment}, check=False)
    except PermissionError:
        raise EdgeError(str(path), "may not be executed", f"chmod +x {path.name}, and no noexec file system") from None
    except OSError as error:
        raise ToolFailed(str(path), f"cannot be run here: {error.strerror}", "build it for this machine: --target cpu") from None
    if watch and done.returncode in (126, 127):  # the watching shell's words for what is an OSError without it
        raise EdgeError(str(path), "may not be executed", f"chmod +x {path.name}, and no noexec file system")
    return Ended(done.returncode if done.returncode >= 0 else 128 - done.returncode, done.stdout, done.stderr)


def run_program(
    path: Path, words: Sequence[Word], environment: Environment | None = None, place: Place = here, payload: Payload | None = None
) -> str:
    """What the program printed; its exit code may be 0 or 1 (a check that failed).  ToolFailed with its own line otherwise."""
    return said(path, started(path, payload, words, environment or {}, place))


def said(path: Path, ended: Ended) -> str:
    """Its stdout, or the error that it ended with."""
    if ended.code in (GOOD, CHECK_FAILED):
        return ended.stdout
    complaint = ended.stderr.strip().removeprefix("edge: ")
    if not complaint:
        raise ToolFailed(str(path), *ended_by(ended.code))
    raise (EdgeError if ended.code == USAGE else ToolFailed)(str(path), complaint)


def ended_by(code: int) -> tuple[str, str]:
    """What an exit code alone tells, and what helps."""
    return SIGNALS.get(code, (f"it ended with code {code} and said nothing", ""))


def program_json(
    path: Path, words: Sequence[Word], environment: Environment | None = None, place: Place = here, payload: Payload | None = None
) -> dict[str, Json]:
    """The same with --json, parsed."""
    return parsed(path, run_program(path, [*words, "--json"], environment, place, payload))


def parsed(path: Path, text: str) -> dict[str, Json]:
    """A JSON object, from a program that may print anything."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ToolFailed(str(path), f"it printed no JSON but '{text[:60]}'", "build it again")
    return value
