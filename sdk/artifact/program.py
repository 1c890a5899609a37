"""Runs an artifact's own program here.  Whoever calls this has decided to trust the file: `inspect` never does."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.artifact.typed_json import Json
from edge.errors import EdgeError, ToolFailed

GOOD, CHECK_FAILED, USAGE = 0, 1, 2  #: targets/runtime/runner.h
EMULATOR = "EDGE_EMULATOR"  #: an emulator to put in front, e.g. `qemu-x86_64 -cpu Nehalem`, split at blanks


def run_program(path: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What the program printed; its exit code may be 0 or 1 (a check that failed).  ToolFailed with its own line otherwise."""
    argv = [*os.environ.get(EMULATOR, "").split(), str(path.resolve()), *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", env={**os.environ, **(environment or {})}, check=False)
    except PermissionError:
        raise EdgeError(str(path), "may not be executed", f"chmod +x {path.name}, and no noexec file system") from None
    except OSError as error:
        raise ToolFailed(str(path), f"cannot be run here: {error.strerror}", "build it for this machine: --target cpu") from None
    if done.returncode in (GOOD, CHECK_FAILED):
        return done.stdout
    said = done.stderr.strip().removeprefix("edge: ") or f"it ended with code {done.returncode} and said nothing"
    kind = EdgeError if done.returncode == USAGE else ToolFailed
    raise kind(str(path), said)


def program_json(path: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Json]:
    """The same with --json, parsed."""
    text = run_program(path, [*arguments, "--json"], environment)
    try:
        value: Json = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ToolFailed(str(path), f"it printed no JSON but '{text[:60]}'", "build it again")
    return value
