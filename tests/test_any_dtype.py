"""Inputs and outputs of any element type, from the command line to the program and back; an index outside its axis is an error of the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import edge
from edge import cli, passes, plan
from edge.artifact.program import here
from edge.artifact.reader import open_artifact
from edge.artifact.vectors import vector
from edge.errors import EdgeError
from edge.kernels.core import Core
from edge.session import run_at
from edge.verify.indices import index_counts
from graphs import proto, small

TEXT = """(int64[4] i, double[5,3] x, bool[4,1] b, int8[4,3] c) => (double[4,3] y, int64[4] k, bool[4,3] m, int8[4,3] d)
{ y = Gather (x, i)  k = ArgMax <axis = 1, keepdims = 0> (y)  p = Greater (y, zero)  m = And (p, b)  d = Where (b, c, two) }"""
WEIGHTS = {"zero": np.array(0.0), "two": np.array(2, np.int8)}


def given(last: int = 4) -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((5, 3))
    return {"i": np.array([0, -5, 3, last]), "x": x, "b": np.array([[1], [0], [1], [0]], bool), "c": np.arange(12, dtype=np.int8).reshape(4, 3)}


def expected() -> dict[str, np.ndarray]:
    v = given()
    y = v["x"][v["i"]]
    return {"y": y, "k": y.argmax(1), "m": (y > 0) & v["b"], "d": np.where(v["b"], v["c"], np.int8(2))}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cpu", "arm64"])
def test_tensors_of_any_type_go_the_whole_way(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "any.onnx", str(tmp_path / "any.edge")
    onnx.save(proto(TEXT, WEIGHTS), path)
    assert cli.main(["build", str(path), "--target", target, "-o", out]) == 0
    assert cli.main(["verify", out, "--against", str(path), "--per-layer"]) == 0
    artifact = open_artifact(out)
    assert artifact.manifest.vectors.ranges[0] == (0, 5)
    capsys.readouterr()
    cure = " (look at input 'i')" if target == "cpu" else ""  # run in this process, or by its program
    for number, last in ((2, 5), (0, 4), (2, -6), (0, 4)):  # after a run that failed the next one is right
        np.savez(tmp_path / "in.npz", **given(last))
        assert cli.main(["run", out, "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]) == number
        err = capsys.readouterr().err
        if number:
            assert err.splitlines()[-1] == f"edge: {out}: Gather 'y': index {last} is outside an axis of 5{cure}"
            continue
        with np.load(tmp_path / "out.npz") as found:
            assert {name: found[name].dtype for name in found} == {name: array.dtype for name, array in expected().items()}
            for name, array in expected().items():
                np.testing.assert_array_equal(found[name], array)
    if target != "cpu":
        return
    assert cli.main(["profile", out, "--runs", "3", "--warmup", "0", "--min-secs", "0"]) == 0
    with edge.load(out) as net:
        for last in (4, 5, 4, -6, 4):
            if last == 4:
                assert all(np.array_equal(array, expected()[name]) for name, array in net.run(given()).items())
                continue
            with pytest.raises(EdgeError) as error:
                net.run(given(last))
            assert str(error.value) == f"{out}: Gather 'y': index {last} is outside an axis of 5 (look at input 'i')"
    wrong = given() | {"i": given()["i"].astype(np.int32)}
    with pytest.raises(EdgeError, match="int32 instead of int64"):
        run_at(artifact, here, wrong)


GATHER = "(int64[2] i, float[{n}] x) => (float[2] y) {{ {code} }}"
COUNTS = [
    ("y = Gather (x, i)", 7, {"i": 7}),
    ("y = Gather (x, i)", 40, {"i": 40}),
    ("j = Add (i, three)  y = Gather (x, j)", 7, {"i": 4}),
    ("j = Mul (i, three)  y = Gather (x, j)", 7, {"i": 2}),
    ("j = Sub (i, three)  y = Gather (x, j)", 7, {"i": 8}),
    ("j = Add (i, three)  y = Gather (x, j)", 3, {}),  # no choice helps
    ("j = Mod (i, three)  y = Gather (x, j)", 7, {}),  # inside whatever it is
    ("f = Cast <to = 1> (i)  j = Cast <to = 7> (f)  y = Gather (x, j)", 7, {"i": 7}),
    ("y = Cast <to = 1> (i)", 7, {}),
]


@pytest.mark.parametrize(("code", "size", "counts"), COUNTS)
def test_an_input_that_is_an_index_gets_values_inside_its_axis(code: str, size: int, counts: dict[str, int]) -> None:
    made = plan.make(passes.optimize(small(GATHER.format(n=size, code=code), {"three": np.array([3])})), {"v3": Core(16, 8, 16)})
    assert index_counts(made) == counts


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_indices_are_spread_over_the_whole_axis(dtype: str) -> None:
    found = vector(1, 0, 0, (4096,), dtype, (0.0, 5.0))
    assert found.dtype == dtype and sorted(set(found.tolist())) == [0, 1, 2, 3, 4]
    assert (vector(1, 0, 0, (9,), "int64", (0.0, 16.0)) == vector(1, 0, 0, (9,), "int64")).all()
