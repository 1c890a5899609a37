"""Tab in bash, zsh and fish: the scripts are there, and what they ask is answered; bash is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge import cli
from edge.cli.commands import VERBS

Out = pytest.CaptureFixture[str]
BOARDS = ["rpi-zero2w", "rpi3", "rpi4", "rpi5"]


def ask(shell: str, words: str, cursor: int | str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> list[str]:
    for name, value in (("_EDGE_COMPLETE", f"{shell}_complete"), ("COMP_WORDS", words), ("COMP_CWORD", str(cursor))):
        monkeypatch.setenv(name, value)
    assert cli.main([]) == 0
    return [line for line in capsys.readouterr().out.splitlines() if line]


#: the words as bash splits them, the last one being completed -> what it is offered
BASH = [
    (["edge", ""], [*VERBS]),
    (["edge", "bu"], ["build"]),
    (["edge", "-q", "pr"], ["profile", "predict"]),
    (["edge", "--v"], ["--verbose", "--version"]),
    (["edge", "zzz", "x"], []),
    (["edge", "build", "--inp"], ["--input-shape"]),
    (["edge", "build", "m.onnx", "--cut"], []),
    (["edge", "build", "m.onnx", "--input_shape", "x:1", "--target", "rp"], BOARDS),
    (["edge", "build", "m.onnx", "--target", "=", "c"], ["cpu"]),
    (["edge", "build", "m.onnx", "--target", "="], ["arm64", "cpu", *BOARDS, "x86-64"]),
    (["edge", "build", "zoo", ":", "fasternet_t"], ["fasternet_t0", "fasternet_t1", "fasternet_t2"]),
    (["edge", "build", "zoo:fasternet_t"], ["zoo:fasternet_t0", "zoo:fasternet_t1", "zoo:fasternet_t2"]),
    (["edge", "targets", "x"], ["x86-64"]),
    (["edge", "run", "m.edge", "--on", "virtual", ":", "//rpi"], [f"//{board}" for board in BOARDS]),
    (["edge", "run", "m.edge", "--on", "=", "virtual", ":", "//rpi"], [f"//{board}" for board in BOARDS]),
    (["edge", "doctor", "lo"], ["local"]),
    (["edge", "profile", "m.edge", "--protocol", ""], ["bench", "mlperf"]),
]


@pytest.mark.parametrize(("words", "offered"), BASH)
def test_what_bash_is_offered(words: list[str], offered: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    found = ask("bash", "\n".join(words), len(words) - 1, monkeypatch, capsys)
    assert found == [f"plain,{word}" for word in offered]


@pytest.mark.parametrize("words", [["build", "ne"], ["build", ""], ["inspect", ""], ["build", "m", "--target", "./b"], ["run", "m", "--image", ""]])
def test_files_are_left_to_the_shell(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    assert ask("bash", "\n".join(["edge", *words]), len(words), monkeypatch, capsys) == [f"file,{words[-1]}"]


def test_zsh_and_fish_are_answered(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    assert ask("zsh", "edge build m --target rpi4", 4, monkeypatch, capsys) == ["plain", "rpi4", "_"]
    assert ask("fish", "edge build m --target rpi4", "rpi4", monkeypatch, capsys) == ["plain,rpi4"]


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_the_script_of_a_shell(shell: str, check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("_EDGE_COMPLETE", f"{shell}_source")
    assert cli.main([]) == 0
    script = capsys.readouterr().out
    assert f"_EDGE_COMPLETE={shell}_complete" in script
    (tmp_path / "script").write_text(script)
    if shutil.which(shell):
        subprocess.run([shell, check, str(tmp_path / "script")], check=True, timeout=60)


def test_another_shell_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("_EDGE_COMPLETE", "tcsh_source")
    assert cli.main([]) == 2
    assert capsys.readouterr() == ("", "edge: _EDGE_COMPLETE=tcsh_source: is not understood (use bash_source, zsh_source or fish_source)\n")


SESSION = """
eval "$(_EDGE_COMPLETE=bash_source edge)" || exit 1
COMP_WORDS=(edge build zoo : mobilenet_v3_l); COMP_CWORD=4
_edge_completion edge
printf '%s\\n' "${COMPREPLY[@]}"
complete -p edge
"""


def test_bash_itself(tmp_path: Path) -> None:
    """Its script is evaluated and its function asked, with `edge` on the PATH."""
    (tmp_path / "edge").write_text(f'#!/bin/sh\nexec {sys.executable} -m edge "$@"\n')
    (tmp_path / "edge").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "--norc", "-c", SESSION], capture_output=True, text=True, env=env, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "mobilenet_v3_large_x0_75",
        "mobilenet_v3_large",
        "complete -o nosort -F _edge_completion edge",
    ]
