"""`make devices`, as short as CI has time for; the card's stages are test_debian_image.py."""

from __future__ import annotations

from pathlib import Path

import pytest

import devices
from boards import boards as boards
from boards import booted as booted
from edge.errors import CheckFailed

WAY = ["build", "boot", *(f"{name} ssh" for name in devices.ON_A_BOARD), "flash serial", "compare serial", "rollback serial"]


@pytest.mark.slow
def test_the_whole_way_to_a_board_and_back(boards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = devices.main(["--short", *(word for name in WAY for word in ("--only", name))])
    *stages, last = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in stages] == ["good"] * len(WAY), stages
    assert (code, last.split(",")[0], last.rpartition(": ")[2]) == (0, f"{len(WAY)} stages", "all good")


def fails(proof: devices.Proof) -> str:
    raise CheckFailed("board", "is on fire")


def test_the_first_stage_that_goes_wrong_is_the_last(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(devices, "STAGES", {"build": lambda proof: "built", "boot": fails, "card": lambda proof: "made"})
    assert devices.main([]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert (first.split(), second[:22]) == (["good", "build", "0.0", "s", "built"], "WRONG boot            ")
    assert (second.partition(" s  ")[2], last) == ("board: is on fire", "3 stages, 0 s: the last one went wrong")


def test_a_pattern_that_fits_no_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert devices.main(["--only", "rolback ssh"]) == 2
    assert capsys.readouterr().err == "devices: --only rolback ssh: fits no stage (did you mean 'rollback ssh'?)\n"


def test_a_command_that_fails_is_quoted() -> None:
    with pytest.raises(CheckFailed) as error:
        devices.edge("doctor", "moon://rpi3")
    assert str(error.value).startswith("edge doctor: ended with 2: edge: device 'moon://rpi3': is no device")
