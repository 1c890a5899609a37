"""The program itself, given odd words, files and names: one line, and no control character on the terminal."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

import tiny

#: what no terminal may get: C0, DEL, C1, soft hyphen, marks of direction, invisible characters, line and paragraph separators
HIDDEN = [
    *range(1, 0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xFFF9, 0xE0001,
]  # fmt: skip
SHOWN = "aé√😀ß漢~"
NAME = b'"tiny \\"\\\\ \\x1b[31m"'  # as it stands in the source of the tiny program


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("runner") / "tiny.edge")


def call(path: Path, *words: str | bytes, given: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([path, *words], input=given, capture_output=True, check=False, cwd=cwd, timeout=60)


def test_hidden_characters_are_not_printed(runner: Path) -> None:
    for first in range(0, len(HIDDEN), 50):
        word = "-" + "".join(map(chr, HIDDEN[first : first + 50])) + SHOWN
        marks = "?" * len(HIDDEN[first : first + 50])
        assert call(runner, word).stderr.decode() == f"edge: -{marks}{SHOWN}: no such option (--help lists them)\n"


@pytest.mark.parametrize(
    "damaged", [b"\x9b31m", b"\xff", b"\xc0\x9b", b"\xe2\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x80\x82\x9b", b"\xe2\x80\xae"]
)
def test_damaged_text_becomes_whole(runner: Path, damaged: bytes) -> None:
    said = call(runner, b"-" + damaged).stderr.decode()
    assert said.startswith("edge: -?")
    assert said[:-1].isprintable()


def test_a_line_that_is_cut_is_not_cut_within_a_character(runner: Path) -> None:
    said = call(runner, "-" + "é" * 2000).stderr.decode()
    assert said[:-1].isprintable()


def test_a_raw_input_may_come_through_a_pipe(runner: Path, tmp_path: Path) -> None:
    for x in (tiny.inputs(0), np.full(tiny.SHAPE, 3, np.float32)):
        done = call(runner, "--input", "x=/dev/stdin", "--output", f"z={tmp_path}/z", given=x.tobytes())
        assert (done.returncode, done.stderr) == (0, b"")
        np.testing.assert_array_equal(np.fromfile(tmp_path / "z", np.float32).reshape(tiny.SHAPE), tiny.reference(x)["z"])


def test_a_npy_input_may_come_through_a_pipe(runner: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", tiny.inputs(1))
    done = call(runner, "--input", "x=/dev/stdin", "--output", f"z={tmp_path}/z", given=(tmp_path / "x.npy").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "z", np.float32).reshape(tiny.SHAPE), tiny.reference(tiny.inputs(1))["z"])


@pytest.mark.parametrize("size", [0, 3, 4095, 4097])
def test_a_pipe_of_another_size_is_refused(runner: Path, size: int) -> None:
    said = call(runner, "--input", "x=/dev/stdin", given=b"\1" * size).stderr.decode()
    shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 256), }"
    assert said == f"edge: /dev/stdin: not 4096 bytes of values (the model takes {shape})\n"


@pytest.mark.parametrize("words", [[], ["--stream"]])
def test_an_input_given_twice_is_refused(runner: Path, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(tiny.inputs(0).tobytes())
    done = call(runner, *words, "--input", "x=a", "--input", "x=a", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, b"edge: x: is given twice (give --input x=FILE once)\n")


def test_more_files_than_the_runner_once_had_room_for(runner: Path, tmp_path: Path) -> None:
    outputs = [word for i in range(100) for word in ("--output", f"z=z{i}")]
    done = call(runner, "--vector", "0", *outputs, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {tiny.reference(tiny.inputs(0))["z"].tobytes()}
    inputs = [word for i in range(100) for word in ("--input", f"y{i}=z")]
    assert call(runner, *inputs, cwd=tmp_path).stderr == b"edge: y0: no input of this model (--info lists them)\n"


def test_a_number_of_threads_beyond_an_int_is_refused(runner: Path) -> None:
    assert call(runner, "--info", "--threads", str(2**33)).stderr == b"edge: --threads: '8589934592' is not good (N  0 for one a CPU (1))\n"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "read"), [("a\x9b31m\u202eb\U000e0001é", None), (b"a\x9b\xff\xe2\x80", "a\ufffd\ufffd\ufffd\ufffd")])
def test_a_models_name_is_whole_in_json(name: str | bytes, read: str | None, tmp_path: Path) -> None:
    raw = name.encode() if isinstance(name, str) else name
    literal = b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
    source = tmp_path / "named.c"
    text = tiny.PROGRAM.read_bytes()
    assert NAME in text
    source.write_bytes(text.replace(NAME, literal))
    path = tmp_path / "named.edge"
    tiny.write(path, executable=tiny.runner(program=source).read_bytes())
    said = call(path, "--info").stdout.decode()
    assert said[:-1].isprintable()
    assert json.loads(said)["name"] == (read or name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a=b", "=", "x=", "z=/dev/stdin"])
def test_a_name_that_holds_an_equals_sign(name: str, tmp_path: Path) -> None:
    source, path = tmp_path / "named.c", tmp_path / "named.edge"
    source.write_text(tiny.PROGRAM.read_text().replace('{"x", "float32"', f'{{"{name}", "float32"'))
    tiny.write(path, executable=tiny.runner(program=source).read_bytes())
    done = call(path, "--input", f"{name}=/dev/stdin", "--output", f"z={tmp_path}/z", given=tiny.inputs(0).tobytes())
    assert (done.returncode, done.stderr) == (0, b"")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "z", np.float32).reshape(tiny.SHAPE), tiny.reference(tiny.inputs(0))["z"])
