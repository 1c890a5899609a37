"""The command line's manners: one line for a mistake, the exit codes of the contract, nothing heavy before it is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from edge import __version__, cli
from edge.cli.later import ARGUMENTS
from edge.cli.signals import Interrupted
from edge.errors import CheckFailed, EdgeError, ToolFailed

HEAVY = {"numpy", "onnx", "onnx_ir", "torch", "tomllib", "subprocess"}


def edge(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edge", *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("target", "edge: target: unknown command (did you mean 'targets'?)"),
        ("zzz", "edge: zzz: unknown command (edge --help lists the commands)"),
        ("--versoin", "edge: --versoin: unknown option (did you mean '--version'?)"),
        ("targets --jsn", "edge: targets: unknown option '--jsn' (did you mean '--json'?)"),
        ("targets --js", "edge: targets: unknown option '--js' (did you mean '--json'?)"),
        ("targets --wholly-else=3", "edge: targets: unknown option '--wholly-else' (see edge targets --help)"),
        ("targets cpu x86-64", "edge: targets: does not take 'x86-64' (see edge targets --help)"),
        ("targets -x", "edge: targets: does not take '-x' (see edge targets --help)"),
        ("targets x86_64", "edge: target 'x86_64': unknown (did you mean 'x86-64'? targets: arm64, cpu, rpi-zero2w, rpi3, rpi4, rpi5, x86-64)"),
        ("targets riscv64", "edge: target 'riscv64': comes with a later issue (targets now: arm64, cpu, rpi-zero2w, rpi3, rpi4, rpi5, x86-64)"),
        (
            "targets arm32",
            "edge: target 'arm32': 32-bit Arm is not built for: half the vector registers would need kernels of their own"
            " (install the 64-bit Raspberry Pi OS on a Pi 3 or later, or a Zero 2 W, and build for arm64)",
        ),
        ("compare a.json b.json --fail-on p50>5%", "edge: compare: this command comes with a later issue (docs/cli.md lists what is here)"),
        ("compare a.json", "edge: compare: the following arguments are required: B.json (see edge compare --help)"),
        ("flash a.edge --too x", "edge: flash: unknown option '--too' (did you mean '--to'?)"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line.split()) == 2
    assert capsys.readouterr() == ("", message + "\n")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert [verb for verb in cli.VERBS | cli.LATER if f"\n  {verb} " not in shown] == []


def test_no_command_is_help_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert capsys.readouterr() == ("", cli.overview() + "\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"edge {__version__}\n"


@pytest.mark.parametrize("verb", ["targets", "doctor", *ARGUMENTS])
def test_every_command_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--nonsense", "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: edge {verb} ")


def test_underscores_are_read_as_hyphens() -> None:
    parser = cli.parser_of("compare")
    args = cli.parse(parser, ["a_b.json", "--fail_on=p_50>5%", "b.json"])
    assert (getattr(args, "A.json"), args.fail_on) == ("a_b.json", "p_50>5%")


def test_after_two_hyphens_nothing_is_an_option() -> None:
    args = cli.parse(cli.parser_of("compare"), ["--", "--a_b", "--c_d"])
    assert (getattr(args, "A.json"), getattr(args, "B.json")) == ("--a_b", "--c_d")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (EdgeError("m.onnx", "is empty", "export it again"), 2, "edge: m.onnx: is empty (export it again)\n"),
        (EdgeError("m\x1b[2J\n", "a\nb"), 2, "edge: m [2J: a b\n"),
        (CheckFailed("m.edge", "differs"), 1, "edge: m.edge: differs\n"),
        (ToolFailed("zig", "stopped"), 3, "edge: zig: stopped\n"),
        (KeyboardInterrupt(), 130, "edge: interrupted\n"),
        (Interrupted(signal.SIGINT), 130, "edge: interrupted\n"),
        (Interrupted(signal.SIGTERM), 143, "edge: ended by SIGTERM\n"),
        (Interrupted(signal.SIGHUP), 129, "edge: ended by SIGHUP\n"),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "dispatch", fails)
    assert cli.main(["targets"]) == code
    assert capsys.readouterr() == ("", message)


def test_our_own_bugs_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(words: list[str]) -> int:
        raise KeyError("GridSample")

    monkeypatch.setattr(cli, "dispatch", fails)
    with pytest.raises(KeyError, match="GridSample"):
        cli.main(["targets"])


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "edge", "targets", "cpu"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (cli.BROKEN_PIPE, "")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["compare"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"import sys; from edge.cli import main; main({words!r}); print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert shown.splitlines()[-1] == "[]"


def test_a_command_imports_its_own_file_only() -> None:
    code = "import sys; from edge.cli import main; main(['targets']); print([m for m in sys.modules if m.startswith('edge.cli.')])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "['edge.cli.parser', 'edge.cli.signals', 'edge.cli.targets']"


def test_the_command_as_a_process() -> None:
    done = edge("nonsense")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "edge: nonsense: unknown command (edge --help lists the commands)\n")
