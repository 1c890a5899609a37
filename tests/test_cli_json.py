"""With --json an error is one line of JSON on stdout, beside the line on stderr; and nothing else is ever there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny
from edge import cli
from edge.cli.commands import VERBS
from edge.cli.group import command_of
from edge.cli.output import wants_json
from edge.errors import CheckFailed

Out = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("line", "code", "where", "what", "cure"),
    [
        ("targets nope --json", 2, "target 'nope'", "unknown", "targets: arm64, cpu, rpi-zero2w, rpi3, rpi4, rpi5, x86-64"),
        ("targts --json", 2, "targts", "unknown command", "did you mean 'targets'?"),
        ("targets --json --jsn", 2, "targets", "unknown option '--jsn'", "did you mean '--json'?"),
        ("build --json", 2, "build", "needs MODEL and --target T", "see edge build --help"),
        ("-q run m.edge --json --threads x --input y", 2, "run", "--threads x is not a whole number", ""),
        ("profile none.edge --json", 2, "none.edge", "No such file or directory", "give the path of an .edge file"),
        ("profile m.edge --json -1", 2, "profile", "unknown option '-1'", "see edge profile --help"),
        ("profile none.edge --json=-", 2, "none.edge", "No such file or directory", "give the path of an .edge file"),
        ("compare a b --json", 2, "compare", "not supported yet", "write both profiles with edge profile --json FILE and compare latency_ms"),
    ],
)
def test_an_error_is_json_too(line: str, code: int, where: str, what: str, cure: str, capsys: Out) -> None:
    assert cli.main(line.split()) == code
    said = capsys.readouterr()
    assert said.err == f"edge: {where}: {what}" + (f" ({cure})\n" if cure else "\n")
    assert said.out.count("\n") == 1
    assert json.loads(said.out) == {"error": {"where": where, "what": what, "cure": cure, "exit_code": code}}


def test_ctrl_c_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def interrupted(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "dispatch", interrupted)
    assert cli.main(["targets", "--json"]) == 130
    said = capsys.readouterr()
    assert said.err == "edge: interrupted\n"
    assert json.loads(said.out) == {"error": {"where": "edge", "what": "interrupted", "cure": "", "exit_code": 130}}


def test_a_check_that_failed_has_printed_its_result_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    """One document on stdout, whatever happens."""

    def fails(outcome: object) -> None:
        raise CheckFailed("m.edge", "differs")

    monkeypatch.setattr("edge.verify.require_good", fails)
    path = tiny.write(tmp_path / "m.edge")
    monkeypatch.setattr("edge.verify.verify", lambda *words: Outcome())
    assert cli.main(["verify", str(path), "--json"]) == 1
    assert capsys.readouterr() == ('{"good": false}\n', "edge: m.edge: differs\n")


class Outcome:
    def to_json(self) -> str:
        return '{"good": false}\n'


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("targets", False),
        ("targets --json", True),
        ("-- --json", False),
        ("targets -- --json", False),
        ("profile m.edge --json", True),
        ("profile m.edge --json --strict", True),
        ("profile m.edge --json -", True),
        ("profile m.edge --json=-", True),
        ("profile m.edge --json a.json", False),
        ("profile m.edge --json=a.json", False),
        ("verify --json m.edge", True),
    ],
)
def test_when_json_is_wanted(line: str, wanted: bool) -> None:
    assert wants_json(line.split()) is wanted


def test_only_profile_writes_json_to_a_file() -> None:
    """`wants_json` knows it by name: it reads command lines that no parser takes."""
    to_files = [verb for verb in VERBS for param in command_of(verb).params if "--json" in param.opts and param.name == "json"]
    assert to_files == ["profile"]
