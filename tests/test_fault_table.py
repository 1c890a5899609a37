"""The table of faults has what users meet, and docs/faults.md is that table."""

from __future__ import annotations

import ast
from pathlib import Path

import fault_table
import test_faults
import test_virtual_faults
from fault_lists import DEVICES, FILES

#: what users meet, each of which must be in the table
MET = (
    "cable pulled mid-transfer",
    "wrong password",
    "disk full",
    "root mounted read-only",
    "a byte damaged",
    "wrong architecture",
    "board reboots during a run",
    "two users at once",
    "clock steps by years",
    "no python",
)


def test_there_are_twenty_and_five_on_a_board() -> None:
    here, there = ({fault.name for fault in table} for table in (test_faults.FAULTS, test_virtual_faults.FAULTS))
    assert (len(here), len(there)) == (len(test_faults.FAULTS), len(test_virtual_faults.FAULTS))
    assert (len(here) >= 20, len(there) >= 5) == (True, True)
    assert [name for name in MET if not any(known.startswith(name) for known in here | there)] == []


def test_the_page_is_current() -> None:
    assert fault_table.page() == Path(__file__).parents[1].joinpath("docs", "faults.md").read_text(), "make docs"


def test_every_kind_of_fault_has_its_tests() -> None:
    named = {test for _, tests in (*DEVICES, *FILES) for test in tests}
    files = {path.stem.removeprefix("test_"): ast.parse(path.read_text()) for path in Path(__file__).parent.glob("test_*.py")}
    there = {f"{file}::{f.name.removeprefix('test_')}" for file, tree in files.items() for f in tree.body if isinstance(f, ast.FunctionDef)}
    assert named - there == set()
    assert [fault for fault, tests in (*DEVICES, *FILES) if not tests] == []
    assert (len(DEVICES), len(FILES)) == (22, 12)
