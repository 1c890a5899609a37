"""`make conformance` on the smallest network of every family, and that it says so when one is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import conformance
from conformance import Row
from edge import models

pytest.importorskip("torch")

SMALLEST = ("mobilenet_v1_x0_25_128", "mobilenet_v2_x0_35", "mobilenet_v3_small_x0_75", "pp_lcnet_x0_25", "fasternet_t0")


@pytest.mark.slow
def test_every_family_has_its_smallest_network_here() -> None:
    family = {name: file for name, (file, _, _) in models.ZOO.items()}
    assert {family[name] for name in SMALLEST} == set(family.values())
    for name in SMALLEST:
        cost = conformance.size(name)
        assert cost == min(conformance.size(other) for other in models.names() if family[other] == family[name])


@pytest.mark.slow
@pytest.mark.parametrize("target", conformance.TARGETS)
@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_of_a_family_is_right(name: str, target: str, tool: Callable[[str, str], str], capsys: pytest.CaptureFixture[str]) -> None:
    if target == "arm64":
        tool("qemu-aarch64", "apt-get install qemu-user")
    code = conformance.main(["--only", name, "--target", target])
    shown = capsys.readouterr().out
    assert (code, "WRONG" in shown) == (0, False), shown
    machines = conformance.machines(target)
    assert [text.split(":")[0] for text in shown.splitlines()[: len(machines)]] == [f"good  {name} {target} on {machine}" for machine in machines]


def fake(name: str, target: str, there: dict[str, str], folder: Path, say: object) -> Iterator[Row]:
    for machine in there:
        wrong = "layer 'conv' is the first to differ" if name == "pp_lcnet_x0_35" else ""
        yield Row(name, target, machine, 1_500_000, 18_000_000, 6_500_000, 4.25, "v9", 1e-6, 2e-6, wrong)


def test_one_that_is_wrong_fails_the_run_and_the_others_still_have_their_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conformance, "conformance", fake)
    assert conformance.main(["--only", "pp_lcnet_x0_[23]5", "--only", "pp_lcnet_x0_5", "--target", "cpu"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "good  pp_lcnet_x0_25 cpu on this machine: error 1e-06, of a layer 2e-06",
        "WRONG pp_lcnet_x0_35 cpu on this machine: layer 'conv' is the first to differ",
        "good  pp_lcnet_x0_5 cpu on this machine: error 1e-06, of a layer 2e-06",
    ]
    assert " ".join(lines[7].split()) == "pp_lcnet_x0_35 cpu this machine v9 1e-06 2e-06 1,500,000 18.0 6.50 4.2 WRONG"
    assert lines[-1] == "3 networks, 3 runs, 1 wrong"


def test_one_that_cannot_be_built_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edge.cli.progress import Progress
    from edge.errors import CheckFailed

    def build(*_: object, **__: object) -> None:
        raise CheckFailed("net.edge", "output 'y' of test vector 0 differs from the model by 0.5")

    monkeypatch.setattr("edge.build", build)
    (row,) = conformance.conformance("pp_lcnet_x0_25", "cpu", {"this machine": ""}, tmp_path, Progress())
    assert (row.machine, row.wrong) == ("no machine", "net.edge: output 'y' of test vector 0 differs from the model by 0.5")
    assert conformance.line(row) == f"WRONG pp_lcnet_x0_25 cpu on no machine: {row.wrong}"


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ("--only x", 2, "--only x: fits no network of the zoo (edge.models.names() lists them; --only 'mobilenet*' takes a family)"),
        ("--only fasternet_t", 2, "--only fasternet_t: fits no network of the zoo (did you mean 'fasternet_t2'?)"),
        ("--target arm64", 3, "target 'arm64': this machine does not run aarch64, and qemu-aarch64 is not installed (apt-get install qemu-user)"),
    ],
)
def test_what_it_cannot_do_it_says_in_one_line(
    words: str, code: int, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(conformance.host, "runs_here", lambda arch, level: False)
    assert conformance.main(words.split()) == code
    assert capsys.readouterr().err == f"conformance: {complaint}\n"
