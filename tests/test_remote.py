"""An artifact's program on a device: sent once, its files brought there and back, nothing left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import tiny
from edge.artifact.program import Give, Take, run_program
from edge.artifact.reader import open_artifact
from edge.devices.device import Device, Ran, Say, silent
from edge.devices.install import flash
from edge.devices.local import Local
from edge.devices.remote import Remote, place_of
from edge.errors import EdgeError
from faults import Scripted


@dataclass
class Counting(Scripted):
    """Remembers what was pushed."""

    pushed: list[str] = field(default_factory=list)

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        self.pushed.append(local.name)
        return super().push(local, remote, say)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return Counting(Local(), lambda argv: None)


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("remote") / "tiny.edge")


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / ".cache" / "edge-device").glob("*/*"))


def test_it_is_sent_once(board: Counting, edge_file: Path) -> None:
    for _ in range(2):
        assert "good" in run_program(edge_file, ["--verify"], place=Remote(board))
    assert board.pushed == ["tiny.edge"]


def test_a_run_that_was_told_to_take_hours_may(board: Counting, edge_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, run = [], board.run

    def patient(argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        asked.append(timeout)
        return run(argv, timeout=timeout, stdin=stdin)

    monkeypatch.setattr(board, "run", patient)
    run_program(edge_file, ["--verify"], place=place_of(board, asked=80_000))
    assert max(asked) == 83_600


def test_what_was_flashed_is_not_sent_again(board: Counting, edge_file: Path) -> None:
    flash(board, open_artifact(edge_file))
    assert "good" in run_program(edge_file, ["--verify"], place=Remote(board))
    assert board.pushed == ["tiny.edge"]


def test_a_damaged_one_is_sent_again(board: Counting, edge_file: Path, tmp_path: Path) -> None:
    run_program(edge_file, ["--verify"], place=Remote(board))
    (program,) = cached(tmp_path)
    program.write_bytes(program.read_bytes()[:-1] + b"!")
    assert "good" in run_program(edge_file, ["--verify"], place=Remote(board))
    assert board.pushed == ["tiny.edge"] * 2


def test_files_go_there_and_back(board: Counting, edge_file: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(tiny.inputs(0).tobytes())
    words = ["--input", Give(tmp_path / "x", "x="), "--output", Take(tmp_path / "z", "z=")]
    run_program(edge_file, words, place=Remote(board))
    assert (tmp_path / "z").read_bytes() == tiny.reference(tiny.inputs(0))["z"].tobytes()
    assert [path.name for path in cached(tmp_path)] == ["model.edge"]


def test_nothing_is_left_when_it_fails(board: Counting, edge_file: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"short")
    with pytest.raises(EdgeError) as error:
        run_program(edge_file, ["--input", Give(tmp_path / "x", "x="), "--output", Take(tmp_path / "z")], place=Remote(board))
    assert "not 4096 bytes of values" in str(error.value)
    assert ([path.name for path in cached(tmp_path)], (tmp_path / "z").exists()) == (["model.edge"], False)


def test_variables_and_a_watch_go_in_front(board: Counting, edge_file: Path) -> None:
    with pytest.raises(EdgeError) as error:
        run_program(edge_file, ["--info"], {"EDGE_LEVEL": "v9"}, place=Remote(board))
    assert str(error.value) == f"{edge_file}: level 'v9' is not in this file (--info lists its levels)"
    Remote(board)(edge_file, ["--info"], {"A": "b c"}, ["nice"])
    assert board.seen[-1][:3] == ["nice", "env", "A=b c"]
    assert board.seen[-1][4:] == ["--info"]


def test_this_machine_needs_no_cache(edge_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    assert "good" in run_program(edge_file, ["--verify"], place=place_of(Local()))
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told(edge_file: Path, board: Counting) -> None:
    said = list[str]()
    run_program(edge_file, ["--verify"], place=Remote(board, said.append))
    assert (said[0][:19], said[-1]) == ("sending tiny.edge: ", "running tiny.edge on local")


def test_a_device_whose_cache_is_nowhere(edge_file: Path) -> None:
    def answer(argv: Sequence[str]) -> Ran | None:
        return Ran(0, b"cache=relative\n", b"") if any("edge-device" in word for word in argv) else None

    device: Device = Scripted(Local(), answer)
    with pytest.raises(EdgeError) as error:
        run_program(edge_file, ["--verify"], place=Remote(device))
    assert str(error.value) == "local: making a folder failed: code 0 (edge doctor DEVICE looks for the cause)"
