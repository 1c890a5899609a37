"""Random sequences of flash, rollback, power cut, full disk and truncated file, held against a model of a device's folder.

python tests/versions.py --sequences 1000          # also `make versions`; a sample is in test_versions.py

The model: a version that is current and one before it.  A flash makes (new, current), or with a damaged current one (new, before);
flashing the current one changes nothing; rollback swaps the two.  What is interrupted has happened as a whole or not at all.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tiny
from edge import artifact
from edge.artifact.reader import Artifact
from edge.devices import open_device
from edge.devices.checksum import sums_of
from edge.devices.device import Device
from edge.devices.install import flash, rollback
from edge.errors import EdgeError

COMMANDS = ("ln", "mv", "rm", "mkdir", "sync", "readlink", "df", "chmod", "cat", "gzip", "sha256sum")
WRITERS = ("ln", "mkdir", "cat")
WRAPPER = """#!/bin/sh
read -r n <{folder}/count; n=$((n + 1)); echo $n >{folder}/count
read -r last fate <{folder}/fate
if [ "$fate" = full ] && [ {writes} = True ] && [ $n -ge $last ]; then echo "{name}: No space left on device" >&2; exit 1; fi
if [ "$fate" = cut ] && [ $n = $last ]; then kill -9 $PPID; exit 1; fi
if [ "$fate" = late ] && [ $n = $last ]; then {real} "$@"; kill -9 $PPID; exit 1; fi
exec {real} "$@"
"""
FATES = ("none", "none", "cut", "late", "full")
STEPS, MOST_COMMANDS = 8, 28


@dataclass(frozen=True)
class Folder:
    """What lies there.  current, before: names of versions, '' for none; whole: the names whose file is what it was."""

    current: str
    before: str
    whole: frozenset[str]


@dataclass(frozen=True)
class Deed:
    """doing: "flash", "rollback" or "truncate".  fate: what happens at command `at` of the device."""

    doing: str
    which: int
    fate: str
    at: int


def looked(root: Path) -> Folder:
    def name_of(link: Path) -> str:
        return link.readlink().name if link.is_symlink() else ""

    current = name_of(root / "current")
    before = name_of(root / "versions" / current / "previous") if current else ""
    files = {path.parent.name: path for path in root.glob("versions/*/model.edge")}
    whole = {name for name, path in files.items() if hashlib.sha256(path.read_bytes()).hexdigest().startswith(name)}
    return Folder(current, before, frozenset(whole))


def expected(was: Folder, target: str) -> str:
    """The version before, once the target is current; '' where there is none that is whole."""
    return next((name for name in (was.current, was.before) if name != target and name in was.whole), "")


def complaints(was: Folder, now: Folder, target: str, ended: bool, doing: str) -> Iterator[str]:
    """What the model does not allow.  ended: without an error."""
    if now.current not in (was.current, target):
        yield f"{now.current} is current, which nobody asked for"
    if ended and now.current != target:
        yield f"it ended well, and {target} is not current"
    if now.current == was.current != target or was.current == target:
        if was.before in was.whole and now.before != was.before:
            yield f"the version before was {was.before} and is {now.before}"
        if was.current and was.current in was.whole - now.whole:
            yield "the current version was lost"
    else:
        best = expected(was, target)
        if target and target not in now.whole:
            yield f"{target} is current, and not whole"
        if doing == "flash" and now.current == target and best and now.before != best:
            yield f"the version before should be {best} and is {now.before}"
        if doing == "rollback" and now.current == target and now.before != was.current:
            yield f"the version that was left, {was.current}, is not the one before"
    if now.current == target and was.current != target and now.before and now.before not in now.whole and expected(was, target):
        yield f"the version before, {now.before}, is a ghost"


class Bench:
    """A device's folder and what may happen to it."""

    def __init__(self, place: Path, models: Sequence[Artifact], device: Device) -> None:
        self.place, self.models, self.device = place, models, device
        self.names = [sums_of(model.path).sha256[:12] for model in models]
        self.root, self.power = place / "edge" / "tiny", place / "power"

    def set_fate(self, fate: str, at: int) -> None:
        (self.power / "count").write_text("0\n")
        (self.power / "fate").write_text(f"{at} {fate}\n")

    def empty(self) -> None:
        shutil.rmtree(self.place / "edge", ignore_errors=True)

    def do(self, deed: Deed) -> list[str]:
        """One step; what is wrong afterwards."""
        was = looked(self.root)
        if deed.doing == "truncate":
            path = self.root / "versions" / (was.before if deed.which % 2 and was.before else was.current) / "model.edge"
            if path.is_file():
                os.truncate(path, deed.at * 997 % max(1, path.stat().st_size))
            return []
        target = self.names[deed.which] if deed.doing == "flash" else was.before if was.before in was.whole else ""
        self.set_fate(deed.fate, deed.at)
        ended, said = True, ""
        try:
            made = flash(self.device, self.models[deed.which]) if deed.doing == "flash" else rollback(self.device)
        except EdgeError as error:
            ended, said = False, str(error)
        self.set_fate("none", 0)
        self.forget_owner()
        now = looked(self.root)
        wrong = list(complaints(was, now, target, ended, deed.doing)) if target else []
        if not target and (ended or now.current != was.current):
            wrong.append("it went back to nothing")
        if ended and deed.doing == "flash" and made.previous and made.previous not in now.whole:
            wrong.append(f"it names {made.previous} as the one before, which is not there")
        if not ended and deed.fate == "none" and (deed.doing == "flash" or target):
            wrong.append(f"it failed: {said}")
        return wrong

    def forget_owner(self) -> None:
        """As if the process that held the lock had ended: here it is this one, which lives."""
        lock = self.root / ".lock"
        if lock.is_symlink():
            words = str(lock.readlink()).split(",")
            lock.unlink()
            lock.symlink_to(",".join([*words[:3], str(2**22 + 1), *words[4:]]))


@contextmanager
def bench(place: Path) -> Iterator[Bench]:
    """This machine as a device, with its commands replaced by ones that may be the last."""
    folder = place / "power"
    folder.mkdir()
    for name in COMMANDS:
        real = shutil.which(name, path="/usr/bin:/bin")
        (folder / name).write_text(WRAPPER.format(folder=folder, name=name, real=real, writes=name in WRITERS))
        (folder / name).chmod(0o755)
    models = [artifact.open(tiny.write(place / f"v{i}.edge", options={"version": i}, files={})) for i in range(4)]
    before = dict(os.environ)
    os.environ |= {"EDGE_HOME": str(place), "PATH": f"{folder}:{os.environ['PATH']}"}
    try:
        yield Bench(place, models, open_device("local"))
    finally:
        os.environ.clear()
        os.environ.update(before)


def deeds(dice: random.Random) -> list[Deed]:
    made = [Deed("flash", which, "none", 1) for which in dice.sample(range(4), dice.choice((0, 2, 2, 3)))]
    for _ in range(STEPS - len(made)):
        doing = dice.choices(("flash", "rollback", "truncate"), (5, 4, 1))[0]
        made.append(Deed(doing, dice.randrange(4), dice.choice(FATES), dice.randint(1, MOST_COMMANDS)))
    return made


def failures(table: Bench, seed: int) -> Iterator[str]:
    """One sequence from an empty folder: what the model does not allow, with the steps that led there."""
    table.empty()
    done: list[Deed] = []
    for deed in deeds(random.Random(seed)):
        done.append(deed)
        for complaint in table.do(deed):
            yield f"sequence {seed}: {complaint}, after {done}"
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sequences", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    args = parser.parse_args()
    found = 0
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as table:
        for seed in range(args.first, args.first + args.sequences):
            for failure in failures(table, seed):
                found += 1
                print(failure, flush=True)
            if seed % 50 == 49:
                print(f"{seed + 1 - args.first} sequences, {found} with a fault", file=sys.stderr, flush=True)
    print(f"{args.sequences} sequences of {STEPS} steps: {found} with a fault")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
