"""What a command leaves: after a signal no process and no folder, after good work no file but its own, and nothing phones home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

import tiny
from edge.cli import signals
from edge.debian import tools
from edge.targets import toolchain
from graphs import proto
from house import ROOT, modules

WAIT = 60.0  #: seconds, for what takes a tenth of one
#: how a command is at work: a program of its own, which has started another; a pool of them; a folder beside a file; a thread that waits
WORK = {
    "program": "subprocess.run(['sh', '-c', 'sleep 99 & sleep 99; true'])",
    "pool": "toolchain.run([['-c', str(n)] for n in range(9)], Path(folder))",
    "session": "process.run_limited('x', ['sh', '-c', 'sleep 99 & sleep 99'], timeout=99)",
    "debian": "tools.run(['sleep', '99'], Path(folder))",
    "ignorant": "subprocess.run(['sh', '-c', \"trap '' TERM INT HUP; sleep 99; sleep 99\"])",
}
COMMAND = """
import subprocess, sys, tempfile
from pathlib import Path
from edge import cli
from edge.debian import tools
from edge.devices import process
from edge.images import copies
from edge.targets import toolchain

toolchain.zig = lambda job, folder: subprocess.run(['sleep', '99'], check=False)

def dispatch(words):
    with tempfile.TemporaryDirectory(prefix='edge-build-') as folder, copies.workbench(Path.cwd()):
        print('at work', flush=True)
        {work}

cli.dispatch = dispatch
sys.exit(cli.main([]))
"""


def in_folder(folder: Path) -> list[str]:
    """Command lines of the live processes whose current folder is there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it has ended, or it is somebody else's
    return found


def wait_until(there: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "number"),
    [*((work, signal.SIGTERM) for work in WORK), *((work, number) for work in ("program", "pool") for number in signals.PASSED_ON[1:])],
)
def test_a_signal_leaves_no_process_and_no_folder(work: str, number: int, tmp_path: Path) -> None:
    env = os.environ | {"TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", COMMAND.replace("{work}", WORK[work])]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    heard = partial(signal.signal, number, signal.SIG_DFL)  # a test run under nohup, or behind a shell's &, ignores some
    with subprocess.Popen(argv, cwd=tmp_path, env=env, preexec_fn=heard, **pipes) as edge:
        try:
            wait_until(lambda: any(line.split(" ")[0].endswith("sleep") for line in in_folder(tmp_path)))
            edge.send_signal(number)
            said = edge.communicate(timeout=WAIT)
        finally:
            edge.kill()
    name = signal.Signals(number).name
    assert (edge.returncode, said) == (128 + number, ("at work\n", "edge: interrupted\n" if number == signal.SIGINT else f"edge: ended by {name}\n"))
    assert (in_folder(tmp_path), list(tmp_path.iterdir())) == ([], [])


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.ending_on_signals():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_that_come_while_it_tidies_up_are_ignored_and_the_handlers_are_put_back() -> None:
    tidied, before = False, signal.getsignal(signal.SIGTERM)
    with pytest.raises(signals.Interrupted, match=r"^ended by SIGTERM$"), signals.ending_on_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            for number in signals.PASSED_ON:
                os.kill(os.getpid(), number)
            tidied = True
    assert tidied and signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
@pytest.mark.parametrize(("command", "program"), [("build", "/zig "), ("profile", "/m.edge ")])
def test_a_real_command_that_is_ended(command: str, program: str, tmp_path: Path) -> None:
    """The compilers and the benchmark end with it."""
    home, temporary = tmp_path / "work", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    words = {
        "build": [str(network(tmp_path / "net.onnx")), "--target", "rpi4"],
        "profile": [str(tiny.write(home / "m.edge", files={})), "--min-secs", "99"],
    }
    before = sorted(home.iterdir())
    argv = [sys.executable, "-m", "edge", command, *words[command]]
    with subprocess.Popen(argv, cwd=home, env=os.environ | {"TMPDIR": str(temporary)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as edge:
        wait_until(lambda: any(program in line and "python " not in line for line in [*in_folder(home), *in_folder(temporary)]))
        edge.terminate()
        edge.communicate(timeout=WAIT)
    assert edge.returncode == 143
    assert ([*in_folder(home), *in_folder(temporary)], list(temporary.iterdir()), sorted(home.iterdir())) == ([], [], before)


def network(path: Path) -> Path:
    """Layers enough for compilers to be at work for a while."""
    layers = [f"h{i + 1} = Relu(c{i})" for i in range(9)]
    convolutions = [f"c{i} = Conv<pads=[1, 1, 1, 1]>(h{i}, w{i})" for i in range(9)]
    body = "h0 = Relu(x) " + " ".join(f"{conv} {relu}" for conv, relu in zip(convolutions, layers, strict=True)) + " y = Relu(h9)"
    text = f"(float[1,8,16,16] x) => (float[1,{8 + 9 * 8},16,16] y) {{ {body} }}"
    onnx.save(proto(text, {f"w{i}": (8 * i + 16, 8 * i + 8, 3, 3) for i in range(9)}), path)
    return path


@pytest.mark.slow
def test_work_in_an_empty_home_writes_nothing_but_what_was_asked_for(tmp_path: Path) -> None:
    """The compiler's cache, which a build announces, lies elsewhere here because filling it takes a minute."""
    places = {name: tmp_path / name for name in ("home", "tmp", "work", "config", "state", "data", "cache")}
    for place in places.values():
        place.mkdir()
    (places["work"] / "net.py").write_text(
        "import torch\ndef net():\n    return torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.GELU()), (torch.zeros(1, 8),)\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "TORCH", "EDGE_", "COVERAGE"))}
    variables = {f"XDG_{name.upper()}_HOME": str(places[name]) for name in ("config", "state", "data", "cache")}
    env = kept | variables | {"HOME": str(places["home"]), "TMPDIR": str(places["tmp"]), toolchain.ZIG_CACHE: str(toolchain.cache_folder())}
    for words in (
        ["build", "net.py:net", "--target", "cpu", "-o", "m.edge"],
        ["verify", "m.edge", "--per-layer"],
        ["profile", "m.edge", "--runs", "5", "--min-secs", "0"],
    ):
        done = subprocess.run([sys.executable, "-B", "-m", "edge", *words], cwd=places["work"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path not in places.values())
    assert found == ["work/m.edge", "work/net.py"]


def test_telemetry_is_off_before_anything_can_import_onnx_runtime() -> None:
    script = "import os, edge; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for given, wanted in (({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")):
        env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | given
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == wanted


def test_few_modules_import_onnx_runtime_and_every_script_imports_edge_first() -> None:
    found = [name for name, path in modules().items() if "import onnxruntime" in path.read_text()]
    assert found == ["edge.backends.python.engine_onnx", "edge.graph.meaning"]  # the first on the device, alone: it turns telemetry off itself
    for path in [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "examples").rglob("*.py")]:
        text = path.read_text()
        if "import onnxruntime" in text:
            assert "\nimport edge\n" in text or "\nfrom edge" in text, path


def test_a_signal_that_comes_while_the_clock_of_a_program_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time limit would keep the command alive for ten minutes."""
    real = threading.Timer.start

    def interrupted(clock: threading.Timer) -> None:
        real(clock)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Timer, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tools.run(["sleep", "99"], tmp_path)
    clocks = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for clock in clocks:
        clock.cancel()
        clock.join(WAIT)
    assert [clock for clock in clocks if clock.is_alive() or not clock.daemon] == []
