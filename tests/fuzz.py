"""Mutants of every kind of file that comes from outside: only EdgeError comes out of its reader.

    python tests/fuzz.py READER COUNT [--seed N] [--keep DIR]          READER: pt2, edge, arrays, pictures, profiles, onnx, nir, events, or all
    make fuzz ARGS="pt2 20000"

Each mutant follows from its number and the seed.  Wrong is: another exception, more than 10 s of CPU or 2 GB, a file or folder that appears, and a
control character on stdout, stderr or in the message.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from edge.errors import EdgeError

READERS = {name: f"{name}_mutants" for name in ("pt2", "edge", "arrays", "pictures", "profiles", "onnx", "nir", "events")}
SECONDS, GROWTH, ADDRESSES = 10.0, 2 << 30, 12 << 30
OURS = ("/sdk/", "/converters/", "/targets/")


class Reader(Protocol):
    """One kind of file.  mutant: its bytes from a random number.  read: what edge does with it first."""

    ENDING: str

    def mutant(self, draw: random.Random) -> bytes: ...
    def read(self, path: Path) -> None: ...


def outcome(reader: Reader, data: bytes, folder: Path) -> str:
    """'' for a file that was taken, the refusal's words, or '!' and what must not be.  folder: an empty one, where the process is."""
    path = folder / f"net{reader.ENDING}"
    path.write_bytes(data)
    before, peak, began = _listing(folder), _peak(), time.process_time()
    with tempfile.TemporaryFile() as said:
        with _printed_to(said.fileno()):
            text = _refusal(reader, path)
        said.seek(0)
        printed = said.read().decode("utf-8", "surrogateescape")
    if text.startswith("!"):
        return text
    if appeared := _listing(folder) - before:
        return f"!appeared {' '.join(sorted(appeared))}"
    if _bad(text) or _bad(printed.replace("\n", "")):
        return f"!control {(text + printed)[:200]!r}"
    if time.process_time() - began > SECONDS:
        return f"!slow {time.process_time() - began:.0f} s: {text}"
    if _peak() - peak > GROWTH:
        return f"!memory {(_peak() - peak) >> 20} MB: {text}"
    return text


def _refusal(reader: Reader, path: Path) -> str:
    try:
        reader.read(path)
    except EdgeError as error:
        return str(error) or "!empty message"
    except Exception as error:  # noqa: BLE001  what must not happen is what is looked for
        frames = traceback.extract_tb(error.__traceback__)
        frame = next((f for f in reversed(frames) if any(part in f.filename for part in OURS) and "site-packages" not in f.filename), None)
        place = f"{Path(frame.filename).name}:{frame.lineno}" if frame else "?"
        return f"!{place} {type(error).__name__}: {str(error)[:160]!r}"
    return ""


def _bad(text: str) -> bool:
    return not text.isprintable()


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextlib.contextmanager
def _printed_to(descriptor: int) -> Iterator[None]:
    """Libraries print past sys.stderr: the descriptors themselves are turned, and Python's streams with them."""
    kept = os.dup(1), os.dup(2)
    try:
        with open(os.dup(descriptor), "w", errors="surrogateescape") as stream:  # noqa: PTH123  a descriptor, not a path
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                yield
    finally:
        for target, old in zip((1, 2), kept, strict=True):
            os.dup2(old, target)
            os.close(old)


def place_of(reader: Reader, folder: Path) -> Path:
    """The folder for its files, with what else they need."""
    prepare = getattr(reader, "prepare", None)
    return prepare(folder) if prepare else folder


def load(name: str) -> Reader:
    reader: Reader = importlib.import_module(READERS[name])  # type: ignore[assignment]  # a module has what the protocol asks for
    return reader


def wrong(reader: Reader, indexes: range, folder: Path, seed: str) -> list[tuple[int, str]]:
    """The numbers of the mutants that are not taken or refused as they must be, and what came."""
    found, place = [], place_of(reader, folder)
    with contextlib.chdir(place):
        for index in indexes:
            said = outcome(reader, reader.mutant(random.Random(f"{seed}/{index}")), place)
            found += [(index, said)] if said.startswith("!") else []
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=[*READERS, "all"])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for one mutant of each kind that is wrong")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    keep = args.keep.resolve() if args.keep else None
    found = [run(name, range(args.first, args.first + args.count), args.seed, keep) for name in (READERS if args.reader == "all" else [args.reader])]
    return sum(found) > 0


def run(name: str, indexes: range, seed: str, keep: Path | None) -> int:
    """Prints one mutant of each kind that is wrong, and how many were taken and refused; the number of wrong ones."""
    reader, kinds, bad = load(name), collections.Counter[str](), collections.Counter[str]()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(place := place_of(reader, Path(folder))), contextlib.suppress(KeyboardInterrupt):
        for index in indexes:
            data = reader.mutant(random.Random(f"{seed}/{index}"))
            said = outcome(reader, data, place)
            kinds["taken" if not said else "wrong" if said.startswith("!") else "refused"] += 1
            key = " ".join(said.split()[:2])
            if said.startswith("!") and not bad[key]:
                print(index, said, flush=True)
                if keep:
                    (keep / f"{name}-{seed}-{index}{reader.ENDING}").write_bytes(data)
            bad[key] += said.startswith("!")
    print(name, dict(kinds), dict(+bad), flush=True)
    return bad.total()


if __name__ == "__main__":
    sys.exit(main())
