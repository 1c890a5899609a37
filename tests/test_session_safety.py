"""edge.load where memory, threads, processes and files are shared with others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiny
from edge import session
from edge.errors import EdgeError
from edge.session import load

Floats = tiny.Floats

LOCKED = """
import os, sys, threading, numpy as np, edge
net = edge.load(sys.argv[1], threads=2); x = np.ones((4, 256), np.float32); y = net(x)[0]
held, done = threading.Event(), threading.Event()
def hold():
    with net._lock:
        held.set(); done.wait()
thread = threading.Thread(target=hold); thread.start(); held.wait()
child = os.fork()
if child == 0:
    import signal; signal.alarm(20)
    same = np.array_equal(net(x)[0], y); net.close()
    os._exit(0 if same else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]); done.set(); thread.join()
sys.exit(abs(code))
"""
BUSY = """
import os, sys, threading, numpy as np, edge
net = edge.load(sys.argv[1], threads=2); x = np.ones((4, 256), np.float32); y = net(x)[0]
stop = threading.Event()
def work():
    while not stop.is_set(): net(x)
thread = threading.Thread(target=work); thread.start()
wrong = 0
for _ in range(10):
    child = os.fork()
    if child == 0:
        import signal; signal.alarm(20)
        os._exit(0 if np.array_equal(net(x)[0], y) else 1)
    wrong += os.waitpid(child, 0)[1] != 0
stop.set(); thread.join()
sys.exit(wrong)
"""


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("safety") / "tiny.edge")


@pytest.mark.parametrize("code", [LOCKED, BUSY])
def test_a_child_of_a_process_whose_other_thread_runs_can_run(edge_file: Path, code: str) -> None:
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code, edge_file], check=False, timeout=100).returncode == 0


@pytest.mark.parametrize("view", [lambda a: (a[:4], a[:4]), lambda a: (a[:4], a[1:5]), lambda a: (a[1:5], a[:4])])
def test_an_out_array_may_be_an_input(edge_file: Path, view: Callable[[Floats], tuple[Floats, Floats]], monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[Floats] = []
    x, z = view(np.arange(5 * 256, dtype=np.float32).reshape(5, 256))
    want = tiny.reference(x.copy())
    with load(edge_file) as net:
        once = net._once
        monkeypatch.setattr(net, "_once", lambda given, made: passed.extend([*given, *made]) or once(given, made))
        made = net.run({"x": x}, out={"z": z})
    assert made["z"] is z
    assert not any(np.may_share_memory(passed[0], out) for out in passed[1:])
    np.testing.assert_array_equal(z, want["z"])
    np.testing.assert_allclose(made["s"], want["s"], rtol=1e-5)


def test_two_out_arrays_that_share_memory_are_refused(edge_file: Path) -> None:
    z = np.zeros((4, 256), np.float32)
    with load(edge_file) as net, pytest.raises(EdgeError) as error:
        net.run({"x": tiny.inputs(0)}, out={"z": z, "s": z[1, :4]})
    assert str(error.value) == "s: its out array shares memory with that of 'z' (give each output an array of its own)"


def test_code_and_weights_are_of_one_file(edge_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody puts another model under the name while it is being loaded."""
    path, other = tmp_path / "m.edge", tmp_path / "new.edge"
    path.write_bytes(edge_file.read_bytes())
    tiny.write(other, weights=np.full(1024, 1000, np.float32).tobytes())
    original = session.open_library

    def replaced(*args: object) -> object:
        os.replace(other, path)  # noqa: PTH105
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(session, "open_library", replaced)
    with load(path) as net:
        x = tiny.inputs(0)
        np.testing.assert_array_equal(net(x)[0], tiny.reference(x)["z"])


@pytest.mark.parametrize("threads", [2**33, 2**33 + 1, -(2**40)])
def test_a_number_of_threads_beyond_an_int(edge_file: Path, threads: int) -> None:
    with load(edge_file, threads=threads) as net:
        assert net.threads == (256 if threads > 0 else len(os.sched_getaffinity(0)))


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as error:
        load(tmp_path / "none.edge")
    assert str(error.value) == f"{tmp_path}/none.edge: No such file or directory (give the path of an .edge file)"
