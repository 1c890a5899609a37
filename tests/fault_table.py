"""docs/faults.md: everything that goes wrong in the tests of devices, in one table, with the line that a user reads.

python tests/fault_table.py > docs/faults.md      # also part of `make docs`
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import test_card_loss
import test_effects
import test_faults
import test_gauges
import test_hostile_images
import test_merging
import test_roots
import test_virtual_faults

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
cards and images have a table of their own below; models, artifacts and other files from outside: `tests/test_hostile_*.py` and
[SECURITY.md](../SECURITY.md). `tests/versions.py` makes random sequences of flash, rollback, power cut, full disk and
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


def page() -> str:
    """The whole file."""
    lines = ["| fault | on | while | edge says |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {on} | {does} | {cell(line)} |" for name, on, does, line in sorted(rows())]
    cards = ["| fault | edge says |", "| --- | --- |", *(f"| {name} | {cell(line)} |" for name, line in sorted(set(card_rows())))]
    return f"{INTRODUCTION}\n\n" + "\n".join(lines) + f"\n\n{CARDS}\n\n" + "\n".join(cards) + "\n"


def cell(line: str) -> str:
    line = line.replace(f"process {os.getpid()}", "process PID").replace(GONE, "(the connection's own words)").replace("|", "\\|")
    return f"`{line}`" if line else "nothing: it goes well"


if __name__ == "__main__":
    print(page(), end="")
