"""docs/faults.md: everything that goes wrong in the tests of devices, in one table, with the line that a user reads.

python tests/fault_table.py > docs/faults.md      # also part of `make docs`
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

import pytest
import test_arrays
import test_card_loss
import test_effects
import test_faults
import test_gauges
import test_hostile_artifacts
import test_hostile_images
import test_hostile_models
import test_hostile_onnx
import test_hostile_pt2
import test_merging
import test_pictures
import test_profile_mistakes
import test_roots
import test_virtual_faults
from fault_lists import DEVICES, FILES, Row

from faults import GONE

INTRODUCTION = """\
# What may go wrong

Made by `python tests/fault_table.py`, a part of `make docs`: change the tests, not this page.

Every row is a test. The device has a version of a model installed; then the fault happens while edge does what the third column says. Each must
end in the one line on the right, and each test then looks whether the version from before is whole, is still the current one and still computes
right, and, on the made-up faults, whether the next flash succeeds. *a faulty line*: this machine as the device, its connection made to fail
(`tests/test_faults.py`); *a board*: a Raspberry Pi 3 played by QEMU, on which root does the damage (`tests/test_virtual_faults.py`);
*a made-up meter*: no figure of energy, and why (`tests/test_gauges.py`). Faults of ssh's keys, hosts and configuration are in
`tests/test_ssh.py` and `tests/test_ssh_config.py`, of consoles in `tests/test_serial_prompts.py`, of adb's server in `tests/test_adb.py`;
cards and images, and models, artifacts and other files from outside, have tables of their own below
([SECURITY.md](../SECURITY.md) says what such a file may do); the last table names every kind of fault and the tests that hold it.
`tests/versions.py` makes random sequences of flash, rollback, power cut, full disk and
damaged file; `tests/test_power.py` cuts the power at every command of a flash and of a rollback, `tests/test_flash_virtual.py` kills the
board in the middle of one. ROOT, JOB, NEW, NEW.EDGE, SIZE and PID stand for what differs from day to day."""


def rows() -> Iterator[tuple[str, str, str, str]]:
    for made in test_faults.FAULTS:
        yield made.name, "a faulty line", made.does, made.line
    for real in test_virtual_faults.FAULTS:
        yield real.name, f"a board, `{real.uri}`", real.does.__name__.replace("_", " "), real.line
    for name, _, line in test_gauges.REFUSED:
        yield f"a gauge: {name}", "a made-up meter", "profile", line


CARDS = """\
## Cards and images

An image is left as it was by each of these, and a card is not written; IMAGE and NODE stand for the file and the device, COUNT for a number. The rows
are those of `tests/test_card_loss.py`, `test_hostile_images.py`, `test_roots.py`, `test_merging.py`, and `test_effects.py`."""


def card_rows() -> Iterator[tuple[str, str]]:
    """(fault, what edge says)."""
    yield from test_card_loss.SAID.items()
    for name, (_, cure) in test_card_loss.PACKED.items():
        yield f"an image that is packed by {name}", test_card_loss.PACKED_LINE.format(image="IMAGE", name=name, cure=cure.format("IMAGE"))
    yield from ((f"a damaged image: {name}", f"IMAGE: {line}") for name, _, line in test_hostile_images.DAMAGE)
    yield from ((f"an image with {name}", f"IMAGE: {line}") for name, (_, line) in test_roots.REFUSED.items())
    yield from ((f"{name} that cannot be added to", f"IMAGE: {what} ({test_merging.BY_HAND})") for name, _, what in test_merging.REFUSED)
    yield from (("settings that would have no effect", f"IMAGE: {line}") for _, _, _, line in test_effects.USELESS if line)


HOSTILE = """\
## Files from outside

Each is refused in one line before it is used; nothing is run, unpacked or written. The rows are those of `tests/test_hostile_*.py`,
`test_pictures.py`, `test_arrays.py` and `test_profile_mistakes.py`; `make fuzz` makes thousands of others."""
#: modules whose tests are tables of (…, message) -> what the file is
TABLES = {
    "a model": (test_hostile_models, test_hostile_onnx),
    "a .pt2": (test_hostile_pt2,),
    "an .edge file": (test_hostile_artifacts,),
    "a profile": (test_profile_mistakes,),
}
NAMED = {"a picture": test_pictures.refused, "an array": test_arrays.hostile}
MESSAGES = ("message", "line", "says")
LONG = 240  #: letters of a message that are shown


def hostile_rows() -> Iterator[tuple[str, str, str]]:
    """(file, fault, what edge says)."""
    for file, named in NAMED.items():
        yield from ((file, name, line) for name, _, line in named())
    for file, modules in TABLES.items():
        for module in modules:
            for name, test in vars(module).items():
                marks = getattr(test, "pytestmark", ()) if name.startswith("test_") else ()
                yield from ((file, name.removeprefix("test_").replace("_", " "), line) for mark in marks for line in messages(mark))


def messages(mark: pytest.Mark) -> Iterator[str]:
    """The messages in a table of cases."""
    if mark.name != "parametrize":
        return
    names, cases = mark.args
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    for at, name in enumerate(names):
        if name in MESSAGES and len(names) > 1:
            yield from (case[at] for case in cases if isinstance(case, tuple) and isinstance(case[at], str) and case[at])


KINDS = """\
## Kinds of faults, and the tests that hold them

What people report of other flashing tools, boards and meters, and what attackers and sanitizers found here. Every one is a test."""


def kind_rows(rows: Iterable[Row]) -> Iterator[str]:
    for fault, tests in rows:
        places = dict.fromkeys(test.split("::")[0] for test in tests)
        names = [
            f"`test_{place}.py`: {', '.join(t.split('::')[1].replace('_', ' ') for t in tests if t.startswith(place + '::'))}" for place in places
        ]
        yield f"| {fault} | {'; '.join(names)} |"


def page() -> str:
    """The whole file."""
    lines = ["| fault | on | while | edge says |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {on} | {does} | {cell(line)} |" for name, on, does, line in sorted(rows())]
    cards = ["| fault | edge says |", "| --- | --- |", *(f"| {name} | {cell(line)} |" for name, line in sorted(set(card_rows())))]
    files = ["| file | fault | edge says |", "| --- | --- | --- |"]
    files += [f"| {file} | {fault} | {cell(line)} |" for file, fault, line in sorted(set(hostile_rows()))]
    kinds = ["| fault | tests |", "| --- | --- |", *kind_rows((*DEVICES, *FILES))]
    parts = (INTRODUCTION, lines, CARDS, cards, HOSTILE, files, KINDS, kinds)
    return "\n\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts) + "\n"


def cell(line: str) -> str:
    line = re.sub(r"torch \d\S+", "torch VERSION", line)
    line = line if len(line) <= LONG else f"{line[:LONG]}…"
    line = line.replace(f"process {os.getpid()}", "process PID").replace(GONE, "(the connection's own words)").replace("|", "\\|")
    return f"`{line}`" if line else "nothing: it goes well"


if __name__ == "__main__":
    print(page(), end="")
