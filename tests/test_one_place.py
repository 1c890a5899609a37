"""To add something to the compiler is one place: each test puts one thing into a house that is otherwise made of links to this one.

A model that needs it is then built by the command line, run, and compared with numpy; without it the same model is refused or goes another way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from onnx.numpy_helper import from_array

from house import ROOT

pytestmark = pytest.mark.slow
Array = NDArray[np.generic]

ACTIVATION = (
    '    "sign": Activation(lambda x, a, b: np.sign(x), 4,\n'
    '        "choose(v > splat(0.0f), splat(1.0f), choose(v < splat(0.0f), splat(-1.0f), v))", op="Sign"),\n'
)

KERNEL = """
from edge.kernels.record import Kernel, ints
from edge.words.schedule import Schedule

KERNEL = Kernel(name="det2_f32", reads=("x",), fields=ints("n"), instructions=3, schedule=lambda task, core: Schedule(chunks=1))
"""
KERNEL_C = """
#include "vector.h"

struct det2_f32 {
    const float *x;
    float *y;
    int n;
};

INLINE void det2_f32(int begin, int end, struct det2_f32 a) {
    (void)begin, (void)end;
    for (int i = 0; i < a.n; i++) a.y[i] = a.x[4 * i] * a.x[4 * i + 3] - a.x[4 * i + 1] * a.x[4 * i + 2];
}
"""
KERNEL_OP = """
from math import prod

from edge.graph import rewrite
from edge.ops.group import input_name
from edge.ops.lowering import Lowering


def det(build, group):
    x = rewrite.shape(group.node.inputs[0])
    if x[-2:] != (2, 2):
        raise group.refused("is of matrices that are not 2x2", "cut them")
    build.step(group, "det2_f32", {"x": build.planar(input_name(group, 0))}, {"n": prod(x[:-2])}, shape=x[:-2])


LOWERINGS = {"Det": Lowering(det, ("det2_f32",))}
"""
#: the determinant of a 1x1 matrix is its element: an op by a kernel that is there
OP = KERNEL_OP.replace("(2, 2)", "(1, 1)").replace("2x2", "1x1").replace('("det2_f32",)', '("reduce_f32",)').replace(
    '"det2_f32", {"x": build.planar(input_name(group, 0))}, {"n": prod(x[:-2])}',
    '"reduce_f32", {"x": build.planar(input_name(group, 0))}, {"op": 0, "outer": prod(x[:-2]), "n": 1, "inner": 1}',
)  # fmt: skip
EXPRESSION = """
from edge.graph import rewrite
from edge.ops.generic.code import Code, dense, shape_of
from edge.ops.generic.reductions import constant
from edge.words.loops import Reduce


def running_product(node):
    x = shape_of(node.inputs[0])
    axis = int(constant(node, 1, "its axis is").reshape(-1)[0]) % len(x)
    order = [*(i for i in range(len(x)) if i != axis), axis]
    strides = [dense(x)[i] for i in order]
    code = Code(node, tuple(x[i] for i in order))
    return [code.work(code.load(0, strides, 0), reduced=1, reduce=Reduce.PROD, strides=strides, offset=0, scan=True)]


GENERIC = {"CumProd": running_product}
"""


def house(folder: Path, files: dict[str, str]) -> Path:
    """A tree like the installed package, all links but for these files and the folders that they lie in."""
    root = folder / "edge"
    root.mkdir()
    for path in [*(ROOT / "sdk").iterdir(), ROOT / "targets", ROOT / "converters"]:
        if path.name != "__pycache__":
            (root / path.name).symlink_to(path)
    for name, text in files.items():
        place = root
        for part in Path(name).parts[:-1]:
            place = place / part
            if place.is_symlink():
                there = place.resolve()
                place.unlink()
                place.mkdir()
                for path in there.iterdir():
                    if path.name != "__pycache__":
                        (place / path.name).symlink_to(path)
        path = root / name
        path.unlink(missing_ok=True)
        path.write_text(text)
    return folder


def edge(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line of that house."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    words = (sys.executable, "-c", "import sys, edge; from edge.cli import main; sys.exit(main(sys.argv[1:]))", *words)
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def stored(path: Path, nodes: list[onnx.NodeProto], x: Array, shape: tuple[int, ...], constants: dict[str, Array], opset: int = 20) -> Path:
    """A network of these nodes from x to y."""
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    inputs, outputs = [helper.make_tensor_value_info("x", kind, x.shape)], [helper.make_tensor_value_info("y", kind, shape)]
    graph = helper.make_graph(nodes, "net", inputs, outputs, [from_array(v, k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), path)
    return path


def built(folder: Path, model: Path, x: Array) -> tuple[Array, list[str]]:
    """The answer to x, and each step's kernel with its posts."""
    made = edge(folder, "build", str(model), "--target", "cpu", "-o", "net.edge")
    assert made.returncode == 0, made.stderr
    np.savez(folder / "in.npz", x=x)
    assert edge(folder, "verify", "net.edge", "--per-layer").returncode == 0
    ran = edge(folder, "run", "net.edge", "--input", "in.npz", "--output", "out.npz")
    assert ran.returncode == 0, ran.stderr
    facts = json.loads(edge(folder, "inspect", "net.edge", "--json").stdout)
    with np.load(folder / "out.npz") as found:
        y = found["y"]
    return y, [" ".join([step["kernel"], *(post["kind"] for post in step["posts"])]) for step in facts["manifest"]["plan"]["steps"]]


def test_an_activation_is_one_row(tmp_path: Path) -> None:
    """Sign, which is loops without it, is computed in the registers of the convolution before it."""
    draw = np.random.default_rng(0)
    x, w = draw.standard_normal((1, 8, 9, 9)).astype(np.float32), draw.standard_normal((16, 8, 1, 1)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Sign", ["c"], ["s"]), helper.make_node("Mul", ["s", "k"], ["y"])]
    text = (ROOT / "sdk" / "words" / "post.py").read_text()
    table = "ACTIVATIONS = {\n"
    assert text.count(table) == 1
    folder = house(tmp_path, {"words/post.py": text.replace(table, table + ACTIVATION)})
    model = stored(tmp_path / "net.onnx", nodes, x, (1, 16, 9, 9), {"w": w, "k": np.full((1, 16, 1, 1), 3, np.float32)})
    y, steps = built(folder, model, x)
    np.testing.assert_array_equal(y, 3 * np.sign(np.einsum("nchw,oc->nohw", x.astype(np.float64), w[:, :, 0, 0])).astype(np.float32))
    assert "pointwise_f32 sign" in steps


@pytest.mark.parametrize(
    ("files", "size"),
    [
        ({"ops/determinant.py": OP}, 1),
        ({"ops/determinant.py": KERNEL_OP, "kernels/det2_f32.py": KERNEL, "targets/kernels/det2_f32.c": KERNEL_C}, 2),
    ],
    ids=["op", "kernel"],
)
def test_an_op_is_one_file_and_a_kernel_its_record_and_its_source(files: dict[str, str], size: int, tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((5, size, size)).astype(np.float32)
    model = stored(tmp_path / "net.onnx", [helper.make_node("Det", ["x"], ["y"])], x, (5,), {})
    y, _ = built(house(tmp_path, files), model, x)
    np.testing.assert_allclose(y, np.linalg.det(x.astype(np.float64)), rtol=1e-5, atol=1e-6)


def test_an_op_that_refuses_is_heard(tmp_path: Path) -> None:
    x = np.zeros((5, 3, 3), np.float32)
    model = stored(tmp_path / "net.onnx", [helper.make_node("Det", ["x"], ["y"], name="d")], x, (5,), {})
    done = edge(house(tmp_path, {"ops/determinant.py": OP}), "build", str(model), "--target", "cpu")
    line = "edge: net: cannot be built for cpu: Det (node 'd'): is of matrices that are not 1x1 (cut them)"
    assert (done.returncode, done.stderr.strip()) == (2, line)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_an_expression_is_one_file_for_every_type(dtype: str, tmp_path: Path) -> None:
    x = np.random.default_rng(2).integers(-3, 4, (2, 5, 3)).astype(dtype)
    node = helper.make_node("CumProd", ["x", "axis"], ["y"])
    model = stored(tmp_path / "net.onnx", [node], x, x.shape, {"axis": np.array(1, np.int64)}, opset=26)
    y, _ = built(house(tmp_path, {"ops/generic/products.py": EXPRESSION}), model, x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.cumprod(x, axis=1, dtype=dtype))


def test_without_them_the_models_are_refused(tmp_path: Path) -> None:
    """The house itself is made well: what the others add is missing here."""
    x = np.zeros((5, 1, 1), np.float32)
    model = stored(tmp_path / "net.onnx", [helper.make_node("Det", ["x"], ["y"], name="d")], x, (5,), {})
    done = edge(house(tmp_path, {}), "build", str(model), "--target", "cpu")
    assert done.returncode == 2 and "Det (node 'd'): has no kernel" in done.stderr
