"""The programs of Debian that know packages, file systems and boards: run by argv, with a time limit and a limit on what they may say.

The bytes they read come from an image or a package that somebody else made, so neither their output nor their patience is unbounded.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edge.debian.needed import package_of, there
from edge.errors import ToolFailed

CHECKERS = ("e2fsck", "fsck.fat")
CHATTER = re.compile(r"(debugfs|e2fsck|mke2fs|fsck\.fat|mkfs\.fat) [0-9][^ ]* \(|Pass [0-9]")
SECONDS = 600
MAX_OUTPUT = 1 << 20
#: nothing of the user's configuration or language changes what a tool does or says
PLAIN = {"LC_ALL": "C", "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1", "E2FSPROGS_FAKE_TIME": "1700000000", "SOURCE_DATE_EPOCH": "1700000000"}


class Missing(ToolFailed):
    """A program is not installed: the image is not to blame."""


def path_of(program: str) -> str:
    """Where the program lies; ToolFailed with the command that installs it otherwise."""
    path = there(program)
    if path is None:
        raise Missing(program, "is not installed", f"sudo apt-get install {package_of(program)}")
    return path


def need(*programs: str) -> None:
    """ToolFailed that names every missing program's package at once, before any work is done."""
    missing = [program for program in programs if not there(program)]
    if missing:
        packages = sorted({package_of(program) for program in missing})
        raise Missing(", ".join(missing), "not installed", f"sudo apt-get install {' '.join(packages)}")


def run(
    argv: Sequence[str],
    folder: Path,
    *,
    limit: int = MAX_OUTPUT,
    extra: Mapping[str, str] | None = None,
    good: Sequence[int] = (0,),
) -> bytes:
    """Runs a program in `folder` and returns its stdout, at most `limit` bytes.  ToolFailed carries its last line on stderr.

    good: the exit codes that are no failure.
    """
    end = time.monotonic() + SECONDS
    with tempfile.TemporaryFile() as errors:
        with process_of(argv, folder, errors, extra) as process:
            said = process.stdout.read(limit + 1) if process.stdout else b""
            if len(said) > limit:
                raise ToolFailed(argv[0], f"gave more than {limit} bytes", "the image is damaged or not a card's")
            code = process.wait()
        errors.seek(0)
        complaints = findings(errors.read(MAX_OUTPUT))
    # debugfs gives 0 whatever happens: what it says besides its banner is the failure.
    if argv[0] == "debugfs":
        code = code or int(bool(complaints))
    if code < 0 and time.monotonic() >= end:
        raise ToolFailed(argv[0], f"took more than {SECONDS:g} s")
    if code not in good:
        found = findings(said)
        first = 0 if argv[0] in CHECKERS else -1  # a checker ends with a summary
        raise ToolFailed(argv[0], complaints[-1] if complaints else found[first] if found else f"ended with {code}")
    return said


@contextmanager
def process_of(
    argv: Sequence[str], folder: Path, errors: IO[bytes] | int, extra: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A started program; it ends with the block or the time, whatever it is doing."""
    environment = {**os.environ, **PLAIN, **(extra or {})}
    start = [path_of(argv[0]), *argv[1:]]
    with subprocess.Popen(start, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process:
        clock = threading.Timer(SECONDS, process.kill)
        clock.daemon = True
        try:  # a signal may come while the clock starts, too
            clock.start()
            yield process
        finally:
            clock.cancel()
            process.kill()


@contextmanager
def started(argv: Sequence[str], folder: Path) -> Iterator[IO[bytes]]:
    """The output of a program as it comes; who reads it judges whether it is whole."""
    with process_of(argv, folder, subprocess.DEVNULL) as process:
        yield process.stdout or io.BytesIO()


def findings(output: bytes) -> list[str]:
    """The lines of what a tool says, without those that say what it is and how far."""
    return [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip() and not CHATTER.match(line)]
