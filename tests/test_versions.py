"""Two versions are kept whatever the order: a sample of the random sequences of versions.py, and the orders that once lost one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.devices.device import Ran
from edge.devices.install import flash, rollback
from edge.errors import CheckFailed, EdgeError
from faults import Scripted
from versions import Bench, bench, failures, looked

pytestmark = pytest.mark.slow


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def test_a_sample_of_sequences(table: Bench) -> None:
    assert [failure for seed in range(8) for failure in failures(table, seed)] == []


ORDERS = {
    "again after a rollback": ("f0 f1 f2 back f1", "1 2"),
    "the newest again after a rollback": ("f0 f1 f2 back f2", "2 1"),
    "back and forth": ("f0 f1 back back back", "0 1"),
    "a third after a rollback": ("f0 f1 back f2", "2 0"),
    "over a damaged one": ("f0 f1 cut1 f2", "2 0"),
    "again over a damaged one": ("f0 f1 cut1 f1", "1 0"),
    "over one whose earlier one is damaged": ("f0 f1 cut0 f2", "2 1"),
    "an older one over a damaged earlier one": ("f0 f1 cut0 f0", "0 1"),
}


@pytest.mark.parametrize(("order", "left"), list(ORDERS.values()), ids=list(ORDERS))
def test_two_versions_are_kept(order: str, left: str, table: Bench) -> None:
    for word in order.split():
        if word == "back":
            rollback(table.device)
        elif word.startswith("cut"):
            os.truncate(table.root / "versions" / table.names[int(word[3:])] / "model.edge", 5000)
        else:
            flash(table.device, table.models[int(word[1:])])
    found, wanted = looked(table.root), [table.names[int(digit)] for digit in left.split()]
    assert [found.current, found.before] == wanted and set(wanted) <= found.whole
    assert {path.name for path in (table.root / "versions").iterdir()} == set(wanted)
    assert rollback(table.device).version == wanted[1]


def test_an_older_edge_left_a_ghost(table: Bench) -> None:
    """It forgot, at a rollback, what it went back from: the link names a version that was removed long ago."""
    for model in table.models[:2]:
        flash(table.device, model)
    now, other = table.names[1], table.names[0]
    (table.root / "versions" / now / "previous").unlink()
    (table.root / "versions" / now / "previous").symlink_to("../0123456789ab")
    assert flash(table.device, table.models[1]).previous == other
    assert rollback(table.device).version == other


@pytest.mark.parametrize("size", [0, 3, 5000, -1])
@pytest.mark.parametrize("sums", [True, False], ids=["", "no sha256sum"])
def test_a_damaged_version_is_not_gone_back_to(size: int, sums: bool, table: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sha256sum its name tells; without, it is empty or does not run."""
    flash(table.device, table.models[0])
    flash(table.device, table.models[1])
    path = table.root / "versions" / table.names[0] / "model.edge"
    os.truncate(path, size if size >= 0 else path.stat().st_size - 1)
    if not sums:
        only_these(tmp_path / "few", monkeypatch)
    with pytest.raises(EdgeError) as caught:
        rollback(table.device)
    if sums or size == 0:
        what = f"the earlier version {table.names[0]} in {table.root} is damaged, and the current one was left as it is"
        assert str(caught.value) == f"local: {what} (edge flash A.edge --to DEVICE puts a good one there)"
        assert isinstance(caught.value, CheckFailed)
    assert looked(table.root).current == table.names[1]
    assert not (table.root / ".lock").is_symlink()


def only_these(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    for name in ("sh", "ln", "mv", "rm", "mkdir", "sync", "readlink", "df", "cat", "wc", "uname", "tr"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))


def test_one_that_computes_wrongly_is_not_gone_back_to(table: Bench) -> None:
    for model in table.models[:2]:
        flash(table.device, model)
    sick = Scripted(table.device, lambda argv: Ran(1, b"WRONG", b"") if "--verify" in argv else None)
    with pytest.raises(CheckFailed) as caught:
        rollback(sick)
    cure = "edge verify --on DEVICE --per-layer shows where"
    assert str(caught.value) == f"local: version {table.names[0]} computes something else there than where it was built ({cure})"
    assert looked(table.root).current == table.names[1]
