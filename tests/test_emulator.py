"""What runs a program of another architecture here."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edge.artifact.elf import arch_of
from edge.artifact.emulator import EMULATOR, emulator
from edge.errors import ToolFailed

ELF = b"\x7fELF\x02\x01"


def program(path: Path, machine: int, start: bytes = ELF) -> Path:
    path.write_bytes(start + bytes(12) + machine.to_bytes(2, "little") + bytes(44))
    return path


@pytest.mark.parametrize(
    ("machine", "start", "arch"),
    [(183, ELF, "aarch64"), (62, ELF, "x86_64"), (40, b"\x7fELF\1\1", "arm"), (20, ELF, ""), (183, b"\x7fELF\x02\x02", ""), (183, b"PK\3\4ab", "")],
)
def test_the_header_names_the_architecture(machine: int, start: bytes, arch: str, tmp_path: Path) -> None:
    assert arch_of(program(tmp_path / "a", machine, start)) == arch


def test_what_is_no_program_is_left_to_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"\x7fELF")
    assert [arch_of(tmp_path / name) for name in ("short", "none")] == ["", ""]


@pytest.fixture
def on_x86(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An x86-64 machine whose PATH is an empty folder."""
    monkeypatch.delenv(EMULATOR, raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_machines_own_programs_need_none(on_x86: Path, tmp_path: Path) -> None:
    assert emulator(program(tmp_path / "a", 62)) == []


@pytest.mark.parametrize("name", ["qemu-aarch64", "qemu-aarch64-static"])
def test_qemu_is_taken_where_it_is(name: str, on_x86: Path, tmp_path: Path) -> None:
    (on_x86 / name).write_text("#!/bin/sh\n")
    (on_x86 / name).chmod(0o755)
    assert emulator(program(tmp_path / "a", 183)) == [str(on_x86 / name)]


def test_a_machine_without_it_says_what_helps(on_x86: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as caught:
        emulator(program(tmp_path / "a", 183))
    cure = "apt-get install qemu-user to run it here all the same, slowly; or --on DEVICE"
    assert str(caught.value) == f"{tmp_path}/a: is a program for aarch64, this machine is x86_64 ({cure})"


def test_the_user_s_own_words_come_first(on_x86: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, "qemu-aarch64 -cpu cortex-a53")
    assert emulator(program(tmp_path / "a", 183)) == ["qemu-aarch64", "-cpu", "cortex-a53"]
