"""stdout that is closed or full is one line on stderr and exit code 3; a reader that has gone is quiet."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge import cli
from edge.artifact import whole_file
from edge.cli.run import keep
from edge.errors import EdgeError, ToolFailed, unwritable
from house import ROOT

CLOSED = "edge: stdout: is closed (send it to a terminal, a file or /dev/null)\n"
FULL = "edge: stdout: cannot be written: No space left on device (make room, or send it to another place)\n"
EDGE = f"{sys.executable} -m edge"
Out = pytest.CaptureFixture[str]


def shell(line: str) -> tuple[int, str, str]:
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (f"{EDGE} targets >&-", (3, "", CLOSED)),
        (f"{EDGE} targets >/dev/full", (3, "", FULL)),
        (f"_EDGE_COMPLETE=bash_source {EDGE} >/dev/full", (3, "", FULL)),
        (f"{EDGE} targts --json >/dev/full", (2, "", "edge: targts: unknown command (did you mean 'targets'?)\n")),
        (f"{EDGE} targts 2>/dev/full", (2, "", "")),
        (f"{EDGE} targts <&- >&- 2>&-", (3, "", "")),
    ],
)
def test_streams_that_are_closed_or_full(line: str, answer: tuple[int, str, str]) -> None:
    assert shell(line) == answer


def test_an_encoding_without_arrows() -> None:
    code, out, err = shell(f"PYTHONIOENCODING=ascii {EDGE} verify --help")
    assert (code, err) == (0, "")
    assert "model ? graph ? artifact" in " ".join(out.split())


def test_commands_write_by_one_file_alone() -> None:
    """print() to a stdout that is closed does nothing, and to one that is full it fails at exit."""
    writers = [path.name for path in (ROOT / "sdk" / "cli").glob("*.py") if re.search(r"^ *print\(|sys\.stdout", path.read_text(), re.MULTILINE)]
    assert sorted(writers) == ["output.py", "reference.py"]


def test_a_reader_that_has_gone_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "edge", "targets", "cpu"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (cli.BROKEN_PIPE, "")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file.os, "fsync", full)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_names_the_users_own_file(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as caught:
        keep(tmp_path / "out.npz", {"y": np.zeros(3)})
    assert str(caught.value) == f"{tmp_path}/out.npz: cannot be written: No space left on device (make room, or choose another place)"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("full_disk")
def test_a_file_on_its_way_is_called_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as caught:
        whole_file.write_whole(tmp_path / ".m.edge.1.unchecked", [b"x"], named=tmp_path / "m.edge")
    assert str(caught.value) == f"{tmp_path}/m.edge: cannot be written: No space left on device (make room, or choose another place)"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_filled(tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as caught, whole_file.writing(tmp_path / "dump"):
        (tmp_path / "none" / "plan.json").write_bytes(b"")
    assert str(caught.value) == f"{tmp_path}/dump: cannot be written: No such file or directory (choose another place)"


def test_what_kind_of_error_it_is() -> None:
    """A full disk is a tool that failed, exit code 3; a place that does not exist is wrong input, 2."""
    errors = [unwritable("a.json", OSError(number, "words")) for number in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT, errno.EACCES, errno.EROFS)]
    assert [error.exit_code for error in errors] == [3, 3, 2, 2, 2]
    assert {str(error) for error in errors} == {
        "a.json: cannot be written: words (make room, or choose another place)",
        "a.json: cannot be written: words (choose another place)",
    }
