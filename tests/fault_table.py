"""docs/faults.md: everything that goes wrong in the tests of devices, in one table, with the line that a user reads.

python tests/fault_table.py > docs/faults.md      # also part of `make docs`
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import test_faults
import test_virtual_faults

from faults import GONE

INTRODUCTION = """\
# What may go wrong

Made by `python tests/fault_table.py`, a part of `make docs`: change the tests, not this page.

Every row is a test. The device has a version of a model installed; then the fault happens while edge does what the third column says. Each must
end in the one line on the right, and each test then looks whether the version from before is whole, is still the current one and still computes
right, and, on the made-up faults, whether the next flash succeeds. *a faulty line*: this machine as the device, its connection made to fail
(`tests/test_faults.py`); *a board*: a Raspberry Pi 3 played by QEMU, on which root does the damage (`tests/test_virtual_faults.py`). Faults of
ssh's keys and hosts are in `tests/test_ssh.py`, of adb's server in `tests/test_adb.py`, of cards and images in `tests/test_hostile_images.py`, of
models, artifacts and other files from outside in the rest of `tests/test_hostile_*.py` ([SECURITY.md](../SECURITY.md));
`tests/test_power.py` cuts the power at every command of a flash and of a rollback, `tests/test_flash_virtual.py` kills the board in the middle
of one. ROOT, JOB, NEW, NEW.EDGE, SIZE and PID stand for what differs from day to day."""


def rows() -> Iterator[tuple[str, str, str, str]]:
    for made in test_faults.FAULTS:
        yield made.name, "a faulty line", made.does, made.line
    for real in test_virtual_faults.FAULTS:
        yield real.name, f"a board, `{real.uri}`", real.does.__name__.replace("_", " "), real.line


def page() -> str:
    """The whole file."""
    lines = ["| fault | on | while | edge says |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {on} | {does} | {cell(line)} |" for name, on, does, line in sorted(rows())]
    return f"{INTRODUCTION}\n\n" + "\n".join(lines) + "\n"


def cell(line: str) -> str:
    line = line.replace(f"process {os.getpid()}", "process PID").replace(GONE, "(the connection's own words)").replace("|", "\\|")
    return f"`{line}`" if line else "nothing: it goes well"


if __name__ == "__main__":
    print(page(), end="")
