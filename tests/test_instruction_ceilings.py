"""No network needs more instructions per multiply-add than it did; what it no longer needs lowers the ceiling.  Counts are exact."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from house import ROOT

STALE = 0.97  #: of a ceiling: a count below it says that the ceiling no longer holds anything


@cache
def counts() -> ModuleType:
    """benchmarks/counts.py, which is no package."""
    spec = importlib.util.spec_from_file_location("edge_benchmarks_counts", ROOT / "benchmarks" / "counts.py")
    assert spec and spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NETWORKS = {network.name: network for network in counts().networks()}


def verdict(now: float, ceiling: float) -> str:
    """What is to be done about a count; nothing is well."""
    if now > ceiling:
        return f"{now} instructions per multiply-add, the ceiling is {ceiling}: find what costs more (edge inspect A.edge --count)"
    return f"{now} instructions per multiply-add, the ceiling is {ceiling}: lower it (make counts)" if now < STALE * ceiling else ""


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_keeps_to_its_ceiling(name: str, tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    pytest.importorskip("torch")
    tool("qemu-aarch64", "apt-get install qemu-user")
    assert verdict(counts().ratio(counts().counts_of(NETWORKS[name], tmp_path)), NETWORKS[name].ceiling) == ""


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.goal])
def test_a_ceiling_is_no_higher_than_what_is_promised(name: str) -> None:
    assert NETWORKS[name].ceiling <= NETWORKS[name].goal


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (0.4001, "0.4001 instructions per multiply-add, the ceiling is 0.4: find what costs more (edge inspect A.edge --count)"),
        (0.4, ""),
        (0.389, ""),
        (0.387, "0.387 instructions per multiply-add, the ceiling is 0.4: lower it (make counts)"),
    ],
)
def test_both_directions_are_seen(now: float, said: str) -> None:
    assert verdict(now, 0.4) == said


def test_the_file_is_as_the_command_writes_it() -> None:
    module = counts()
    assert module.CEILINGS.read_text() == "\n".join([module.HEAD, *(network.toml() for network in NETWORKS.values())])
