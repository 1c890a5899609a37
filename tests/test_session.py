"""edge.load: in this process, by pointer, numpy only."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import edge
import tiny
from edge.errors import EdgeError, ToolFailed
from edge.session import Net, load

Call = Callable[[Net], object]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("session") / "tiny.edge")


@pytest.fixture
def net(edge_file: Path) -> Iterator[Net]:
    with load(edge_file) as opened:
        yield opened


def test_called_by_position_and_by_name(net: Net) -> None:
    x = tiny.inputs(0)
    z, s = net(x)
    want = tiny.reference(x)
    np.testing.assert_array_equal(z, want["z"])
    np.testing.assert_allclose(s, want["s"], rtol=1e-5)
    named = net.run({"x": x})
    assert list(named) == ["z", "s"]
    np.testing.assert_array_equal(named["s"], s)


def test_outputs_are_fresh_or_given(net: Net) -> None:
    x = tiny.inputs(0)
    first = net.run({"x": x})["z"]
    kept = first.copy()
    net.run({"x": x + 1})
    np.testing.assert_array_equal(first, kept)
    mine = np.zeros((4, 256), np.float32)
    made = net.run({"x": x}, out={"z": mine})
    assert made["z"] is mine
    np.testing.assert_array_equal(mine, kept)


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("transposed", lambda x: np.ascontiguousarray(x.T).T),
        ("every other column", lambda x: np.repeat(x, 2, axis=1)[:, ::2]),
        ("read-only", lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(4, 256)),
        ("unaligned", lambda x: np.frombuffer(b"1" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(4, 256)),
    ],
)
def test_any_layout_is_read(net: Net, name: str, view: Callable[[tiny.Floats], tiny.Floats]) -> None:
    x = tiny.inputs(1)
    np.testing.assert_array_equal(net.run({"x": view(x)})["z"], tiny.reference(x)["z"])


def test_a_contiguous_input_is_not_copied(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    once = net._once
    monkeypatch.setattr(net, "_once", lambda given, made: seen.append(given[0].ctypes.data) or once(given, made))
    x = tiny.inputs(0)
    for call in (net, lambda array: net.run({"x": array})):
        call(x)
        assert seen.pop() == x.ctypes.data


def mistakes() -> list[tuple[Call, str]]:
    x = np.zeros((4, 256), np.float32)
    shape = "x: float32[4, 256]"
    return [
        (lambda n: n(), f"FILE: 0 inputs given, it takes 1 ({shape})"),
        (lambda n: n.run({}), f"FILE: no value for input 'x' ({shape})"),
        (lambda n: n.run({"x": x, "xx": x}), "FILE: no input 'xx' (did you mean 'x'?)"),
        (lambda n: n.run({"picture": x}), f"FILE: no input 'picture' (it has {shape})"),
        (lambda n: n(x.astype(np.float64)), "x: float64 instead of float32 (x.astype('float32'))"),
        (lambda n: n(x.astype(">f4")), "x: >f4 instead of float32 (x.astype('float32'))"),
        (lambda n: n(x.reshape(256, 4)), "x: shape (256, 4) instead of (4, 256) (x.reshape(4, 256))"),
        (lambda n: n(x[:1]), "x: shape (1, 256) instead of (4, 256) (build it for another --input-shape)"),
        (lambda n: n([1.0]), "x: a list is not a numpy array (numpy.asarray(x, 'float32'))"),
        (lambda n: n.run({"x": x}, out={"q": x}), "FILE: no output 'q' (it has z: float32[4, 256], s: float32[4])"),
        (lambda n: n.run({"x": x}, out={"z": x.T.copy().T}), "z: an out array must be C-contiguous and writable (leave it out to get a fresh one)"),
        (lambda n: (n.close(), n.close(), n(x)), "FILE: the model is closed (load it again)"),
    ]


@pytest.mark.parametrize(("call", "message"), mistakes())
def test_a_mistake_is_one_line(edge_file: Path, call: Call, message: str) -> None:
    with load(edge_file) as net, pytest.raises(EdgeError) as caught:
        call(net)
    assert str(caught.value) == message.replace("FILE", str(edge_file))


def test_two_models_in_one_process_are_two(edge_file: Path, tmp_path: Path) -> None:
    """The loader knows libraries by path: a descriptor that is used again must not bring back the first library."""
    other = tiny.write(tmp_path / "other.edge", weights=(tiny.weights() + 1).tobytes())
    x = tiny.inputs(0)
    for _ in range(3):
        with load(edge_file) as first, load(other) as second:
            np.testing.assert_allclose(second(x)[0] - first(x)[0], np.ones((4, 256)), rtol=1e-4)
    left = load(edge_file)
    del left
    gc.collect()


def test_closing_gives_everything_back(edge_file: Path) -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    load(edge_file, threads=3).close()
    before = held()
    for _ in range(5):
        load(edge_file, threads=3).close()
    assert held() == before


def test_threads_take_turns(edge_file: Path) -> None:
    wrong: list[int] = []
    with load(edge_file, threads=2) as net:
        assert net.threads == 2

        def work(number: int) -> None:
            x = np.full((4, 256), number, np.float32)
            for _ in range(200):
                if not np.array_equal(net(x)[0], tiny.reference(x)["z"]):
                    wrong.append(number)

        workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert wrong == []


def test_a_forked_child_can_run_and_close(edge_file: Path) -> None:
    code = (
        "import os, sys, numpy as np, edge\n"
        "net = edge.load(sys.argv[1], threads=2); x = np.ones((4, 256), np.float32); y = net(x)[0]\n"
        "child = os.fork()\n"
        "same = np.array_equal(net(x)[0], y); net.close()\n"
        "if child == 0: os._exit(0 if same else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code, edge_file], check=False, timeout=60).returncode == 0


def test_only_numpy_is_imported(edge_file: Path) -> None:
    code = (
        "import sys, numpy as np, edge\n"
        "edge.load(sys.argv[1])(np.zeros((4, 256), np.float32))\n"
        "print(sorted({'onnx', 'onnx_ir', 'torch', 'onnxruntime', 'google', 'PIL'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, edge_file], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_model_left_open_says_nothing_at_exit(edge_file: Path) -> None:
    code = "import sys, edge; kept = edge.load(sys.argv[1]); loop = [kept]; loop.append(loop)"
    done = subprocess.run([sys.executable, "-c", code, edge_file], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_library_for_another_machine_is_refused(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "other.edge", files={"lib/libmodel.so": b"\x7fELF no library"})
    with pytest.raises(ToolFailed) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: its library cannot be loaded: ")
    assert text.endswith(" (build it for this machine: --target cpu)")


def test_a_missing_level_is_the_librarys_own_sentence(edge_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_LEVEL", "v9")
    with pytest.raises(ToolFailed) as caught:
        load(edge_file)
    assert str(caught.value) == f"{edge_file}: level 'v9' is not in this file (--info lists its levels)"


def test_hashes_are_checked_when_asked(edge_file: Path, tmp_path: Path) -> None:
    data = bytearray(edge_file.read_bytes())
    data[100] ^= 1
    (tmp_path / "m.edge").write_bytes(data)
    load(tmp_path / "m.edge").close()
    with pytest.raises(EdgeError) as caught:
        edge.load(tmp_path / "m.edge", check=True)
    assert str(caught.value) == f"{tmp_path}/m.edge: wrong hash of the program (copy it again or build it again)"


def test_without_memfd_it_loads_from_a_file(edge_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with load(edge_file) as net:
        np.testing.assert_array_equal(net(tiny.inputs(0))[0], tiny.reference(tiny.inputs(0))["z"])
