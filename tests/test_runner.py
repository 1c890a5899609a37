"""The C runtime and the runner, by a program made by hand."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiny
from edge.artifact.manifest import DTYPES
from edge.artifact.vectors import ODD, range_of, vector

FIXTURES = tiny.PROGRAM.parent
Outcome = subprocess.CompletedProcess[str]


def call(path: Path, *arguments: str, **environment: str) -> Outcome:
    return subprocess.run([str(path), *arguments], capture_output=True, text=True, env={**os.environ, **environment}, check=False)


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("runner") / "tiny.edge")


@pytest.fixture(scope="module")
def gcc() -> str:
    path = shutil.which("gcc")
    if path is None:
        pytest.skip("gcc is not installed (apt-get install gcc)")
    return path


def test_it_verifies_itself(edge_file: Path) -> None:
    done = call(edge_file, "--verify", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["good"], len(said["vectors"])) == (0, True, 4)


def test_a_wrong_expectation_is_exit_code_1(tmp_path: Path) -> None:
    wrong = bytearray(tiny.expected())
    wrong[3] ^= 0x40
    done = call(tiny.write(tmp_path / "wrong.edge", expected=bytes(wrong)), "--verify")
    assert done.returncode == 1
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["WRONG", "good", "good", "good"]


def test_a_nan_is_wrong(tmp_path: Path) -> None:
    wrong = np.frombuffer(tiny.expected(), np.float32).copy()
    wrong[0] = np.nan
    done = call(tiny.write(tmp_path / "nan.edge", expected=wrong.tobytes()), "--verify", "--json")
    first = json.loads(done.stdout)["vectors"][0]
    assert (done.returncode, first["error"], first["good"]) == (1, None, False)


@pytest.mark.parametrize("threads", ["1", "2", "4", "7"])
def test_any_number_of_threads_gives_the_same_bytes(edge_file: Path, tmp_path: Path, threads: str) -> None:
    done = call(edge_file, "--vector", "1", "--threads", threads, "--output", f"z={tmp_path}/z", "--output", f"s={tmp_path}/s.npy")
    want = tiny.reference(tiny.inputs(1))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "z").read_bytes() == want["z"].tobytes()
    one = call(edge_file, "--vector", "1", "--output", f"s={tmp_path}/one.npy")
    assert one.returncode == 0
    assert (tmp_path / "s.npy").read_bytes() == (tmp_path / "one.npy").read_bytes()


def test_npy_in_npy_out_and_the_trace(edge_file: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(4, 256)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    x.tofile(tmp_path / "x.raw")
    for source in ("x.npy", "x.raw"):
        done = call(edge_file, "--input", f"x={tmp_path / source}", "--output", f"z={tmp_path}/z.npy", "--trace", f"{tmp_path}/trace")
        assert (done.returncode, done.stderr) == (0, "")
        want = tiny.reference(x)
        np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), want["z"])
        trace = np.fromfile(tmp_path / "trace", np.float32)
        np.testing.assert_array_equal(trace[:2048], np.concatenate([2 * x, want["z"]]).ravel())
        np.testing.assert_allclose(trace[2048:], want["s"], rtol=1e-5)


def test_a_stream_of_inputs_is_answered_one_by_one(edge_file: Path, tmp_path: Path) -> None:
    xs = np.random.default_rng(1).normal(size=(5, 4, 256)).astype(np.float32)
    xs.tofile(tmp_path / "xs")
    done = call(edge_file, "--stream", "--input", f"{tmp_path}/xs", "--output", f"z={tmp_path}/zs")
    assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "zs", np.float32), np.concatenate([tiny.reference(x)["z"].ravel() for x in xs]))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--stream"], "--stream: 0 of 1 inputs have a file (--input NAME=FILE)"),
        (["--stream", "--input", "part"], "part: holds 1 inputs of 4096 bytes and a part of one"),
        (["--stream", "--input", "none"], "none: No such file or directory"),
        (["--stream", "--input", "whole", "--output", "z=no/where"], "no/where: No such file or directory"),
        (["--stream", "--input", "whole", "--output", "z=/dev/full"], "/dev/full: No space left on device"),
        (["--stream", "--input", "y=whole"], "y: no input of this model (--info lists them)"),
    ],
)
def test_a_stream_that_cannot_be(words: list[str], complaint: str, edge_file: Path, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(bytes(4096 + 7))
    (tmp_path / "whole").write_bytes(bytes(4096))
    done = subprocess.run([str(edge_file), *words], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (2, f"edge: {complaint}\n")


FAULT = "Mul 2 'y': index 7 is outside an axis of 5"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--input", "bad", "--output", "z=out"], f"edge: {FAULT}\n"),
        (["--input", "bad", "--trace", "trace"], f"edge: {FAULT}\n"),
        (["--stream", "--input", "bad", "--output", "z=out"], f"edge: {FAULT}\nedge: input 0 of the stream cannot be used\n"),
    ],
)
def test_an_index_outside_its_axis_is_an_error_of_the_run(words: list[str], complaint: str, edge_file: Path, tmp_path: Path) -> None:
    np.full(1024, 1e30, np.float32).tofile(tmp_path / "bad")
    done = subprocess.run([str(edge_file), *words], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (2, complaint, "")
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size == 0


def test_bench_json_has_every_figure(edge_file: Path) -> None:
    said = json.loads(call(edge_file, "--bench", "--runs", "7", "--min-secs", "0", "--per-layer", "--json", "--threads", "2").stdout)
    assert said["name"] == 'tiny "\\ \x1b[31m'
    assert (said["threads"], len(said["latencies_ns"]), len(said["switches"])) == (2, 7, 7)
    assert [layer["name"] for layer in said["layers"]] == ["y", "z", "s"]
    assert 0 < said["peak_rss_kb"] < 20000
    assert said["layers"][0] | {"ns": 0} == {"name": "y", "op": "Mul 2", "ns": 0, "macs": 1024, "bytes": 8192}


def test_bench_table_shows_no_escape_of_the_model(edge_file: Path) -> None:
    text = call(edge_file, "--bench", "--runs", "3", "--min-secs", "0", "--per-layer").stdout
    assert text.splitlines()[0].startswith('tiny "\\ ?[31m  level ')
    assert [line.split()[0] for line in text.splitlines()[1:6]] == ["Init", "First", "Warmup", "Inference", "Peak"]
    assert "\x1b" not in text


def mistakes() -> list[tuple[list[str], int, str]]:
    return [
        (["--frob"], 2, "--frob: no such option (--help lists them)"),
        (["--runs"], 2, "--runs: needs a value (N  measured inferences, at least (100))"),
        (["--bench", "--runs", "x"], 2, "--runs: 'x' is not good (N  measured inferences, at least (100))"),
        (["--bench", "--min-secs", "-1"], 2, "--min-secs: '-1' is not good (S  measure for at least so long (3))"),
        (["--output", "z=z"], 2, "x: no value (--input x=FILE, or --vector 0)"),
        (["--input", "y=DIR/short"], 2, "y: no input of this model (--info lists them)"),
        (["--input", "DIR/none"], 2, "DIR/none: No such file or directory"),
        (
            ["--input", "DIR/short"],
            2,
            "DIR/short: not 4096 bytes of values (the model takes {'descr': '<f4', 'fortran_order': False, 'shape': (4, 256), })",
        ),
        (
            ["--input", "DIR/f8.npy"],
            2,
            "DIR/f8.npy: another dtype, order or shape than the model's (it takes {'descr': '<f4', 'fortran_order': False, 'shape': (4, 256), })",
        ),
        (["--vector", "0", "--output", "DIR/out"], 2, "DIR/out: which output is it for? (--output NAME=FILE; --info lists the names)"),
        (["--info", "--level", "v9"], 3, "level 'v9' is not in this file (--info lists its levels)"),
    ]


@pytest.mark.parametrize(("arguments", "code", "line"), mistakes())
def test_a_mistake_is_one_line(edge_file: Path, tmp_path: Path, arguments: list[str], code: int, line: str) -> None:
    (tmp_path / "short").write_bytes(b"1234")
    np.save(tmp_path / "f8.npy", np.zeros((4, 256)))
    done = call(edge_file, *(a.replace("DIR", str(tmp_path)) for a in arguments))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"edge: {line.replace('DIR', str(tmp_path))}\n")


def test_a_runner_without_its_zip_says_so() -> None:
    done = call(tiny.runner(), "--info")
    cure = "the file is damaged or not an .edge file: copy or build it again"
    assert (done.returncode, done.stderr) == (3, f"edge: weights.bin: has no zip at its end ({cure})\n")


def test_a_level_that_the_cpu_lacks_is_refused_with_a_sentence(edge_file: Path, tool: Callable[[str, str], str]) -> None:
    qemu = tool("qemu-x86_64", "apt-get install qemu-user")
    done = subprocess.run([qemu, "-cpu", "Nehalem", str(edge_file), "--info", "--level", "v3"], capture_output=True, text=True, check=False)
    missing = "movbe abm avx f16c fma bmi1 bmi2 avx2"
    cure = "build for this CPU, or for a family with lower levels"
    assert (done.returncode, done.stderr) == (3, f"edge: level 'v3' needs what this CPU does not have: {missing} ({cure})\n")


@pytest.mark.parametrize(("cpu", "level"), [("Nehalem", "v2"), ("Haswell", "v3")])
def test_the_best_level_is_chosen(edge_file: Path, tool: Callable[[str, str], str], cpu: str, level: str) -> None:
    qemu = tool("qemu-x86_64", "apt-get install qemu-user")
    done = subprocess.run([qemu, "-cpu", cpu, str(edge_file), "--info"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["level"] == level


@pytest.mark.slow
def test_address_and_undefined_sanitizers_are_quiet(gcc: str, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "sane.edge", executable=tiny.runner(*tiny.SANITIZE).read_bytes())
    for arguments in (["--verify"], ["--bench", "--runs", "3", "--min-secs", "0", "--per-layer", "--threads", "3"], ["--info"]):
        done = call(path, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
    done = call(path, "--vector", "0", "--trace", f"{tmp_path}/t", "--output", f"z={tmp_path}/z.npy", "--threads", "2")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("flags", [[], ["-g", "-fsanitize=thread"]], ids=["plain", "thread-sanitizer"])
def test_the_pool_gives_one_result_for_any_threads(gcc: str, flags: list[str]) -> None:
    sources = (tiny.RUNTIME / "pool.c", FIXTURES / "pool_stress.c")
    program = tiny.compiled("pool_stress", sources, *flags, cc=("gcc",))
    runs = "300" if flags else "3000"
    results = [call(program, threads, runs) for threads in ("1", "2", "3", "8")]
    assert [(r.returncode, r.stderr) for r in results] == [(0, "")] * 4
    assert len({r.stdout for r in results}) == 1


@pytest.mark.parametrize("name", ["vectors.c", "runner_files.c"])
def test_the_runtime_knows_every_type_that_a_tensor_may_have(name: str) -> None:
    """Test vectors and .npy files of every element type that a manifest accepts, and of no other."""
    rows = {"vectors.c": r'X\("(\w+)", ', "runner_files.c": r'\{"(\w+)", "[<|]\w+"\}'}[name]
    found = re.findall(rows, (tiny.RUNTIME / name).read_text())
    assert sorted(found) == sorted(DTYPES)


@pytest.mark.parametrize(("dtype", "place"), list(itertools.product(DTYPES, [(7, 0, 0), (2**64 - 1, 3, 5), (5, ODD, 1)])))
@pytest.mark.parametrize("span", [(-4.0, 4.0), (0.0, 0.25), (0.0, 5.0)])
def test_test_vectors_are_the_same_in_c_and_numpy(dtype: str, place: tuple[int, int, int], span: tuple[float, float]) -> None:
    program = tiny.compiled("fill", (tiny.RUNTIME / "vectors.c", FIXTURES / "fill.c"))
    mine = vector(*place, (5, 7), dtype, span)
    done = subprocess.run([str(program), dtype, str(mine.nbytes), *map(str, (*place, *span))], capture_output=True, check=True)
    assert (done.stdout, mine.dtype.name, mine.shape) == (mine.tobytes(), dtype, (5, 7))


def test_test_vectors_are_what_they_were() -> None:
    """Artifacts in the field carry outputs for these very inputs."""
    assert vector(1, 0, 0, (3,), "float32").tolist() == [-0.2636209726333618, 0.8871283531188965, -0.9094860553741455]
    assert vector(1, 0, 0, (4,), "int8").tolist() == [-34, 113, -117, 71]


def test_one_vector_has_what_noise_never_meets() -> None:
    x = vector(1, ODD, 0, (4096,), "float32", (-4.0, 4.0))
    shares = {value: float(np.mean(x == value)) for value in (0, 4, -4, 2)}
    assert {value: round(share * 8) for value, share in shares.items()} == {0: 1, 4: 1, -4: 1, 2: 1}
    tiny_ones = x[(x != 0) & (np.abs(x) < 2**-17)]
    assert (round(tiny_ones.size / 4096 * 8), float(np.abs(x).max())) == (2, 4.0)
    assert vector(1, ODD, 0, (4096,), "float32", (0.0, 0.5)).min() == 0


@pytest.mark.parametrize(
    ("low", "high", "span"),
    [
        (0, 255, (0, 256)),
        (-2.1, 2.6, (-4, 4)),
        (0, 0, (-1, 1)),
        (0, 1, (0, 1)),
        (-math.inf, 1, (-1, 1)),
        (1e-9, 2e-9, (0, 2**-8)),
        (-1e30, 0, (-(2**20), 2**20)),
    ],
)
def test_the_range_of_a_network_is_a_power_of_two(low: float, high: float, span: tuple[float, float]) -> None:
    assert range_of(low, high) == span


def test_a_range_of_float16_ends_below_its_largest_number() -> None:
    assert range_of(-1e9, 1e9, "float16") == (-(2.0**15), 2.0**15)
    assert np.isfinite(vector(1, ODD, 0, (4096,), "float16", range_of(-1e9, 1e9, "float16"))).all()


@pytest.mark.slow
def test_zig_links_a_small_static_program_without_warnings(tmp_path: Path) -> None:
    flags = ("-target", "x86_64-linux-musl", "-O2", "-static", "-s")
    program = tiny.compiled("static", (*tiny.RUNNER, tiny.PROGRAM), *flags, cc=tuple(tiny.ZIG))
    assert program.stat().st_size <= 200_000
    done = call(tiny.write(tmp_path / "static.edge", executable=program.read_bytes()), "--verify", "--threads", "2")
    assert done.returncode == 0


@pytest.mark.slow
def test_both_compilers_take_the_library_without_warnings(gcc: str) -> None:
    for cc in (("gcc",), tuple(tiny.ZIG)):
        tiny.compiled("libmodel.so", (*tiny.LIBRARY, tiny.PROGRAM), *tiny.SHARED, "-O2", cc=cc)


@pytest.mark.slow
def test_a_built_file_lives_to_refuse_a_cpu(tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    """The runtime is compiled for the baseline: a file whose only level the CPU lacks says so, it does not die of SIGILL."""
    import edge
    from edge.graph import save

    qemu = tool("qemu-x86_64", "apt-get install qemu-user")
    save(tiny.graph(), tmp_path / "tiny.onnx")
    edge.build(tmp_path / "tiny.onnx", target="cpu", out=tmp_path / "tiny.edge")
    done = subprocess.run([qemu, "-cpu", "qemu64", str(tmp_path / "tiny.edge"), "--info"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "needs what this CPU does not have: ssse3 sse4_1 sse4_2 popcnt" in done.stderr.splitlines()[-1]
