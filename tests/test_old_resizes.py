"""Resize of opset 10 and Upsample: edge's graph against the file's own, by ONNX Runtime."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge import converters, graph, passes
from edge.errors import EdgeError

PAIRS = ((2.0, 2.0), (1.5, 1.25), (0.6, 0.6), (0.5, 2.5), (1.25, 0.4))


def old(op: str, opset: int, mode: str, factors: list[float], size: tuple[int, ...], *, computed: bool = False) -> object:
    out = [int(np.floor(np.float32(n) * np.float32(f))) for n, f in zip(size, factors, strict=True)]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in (("x", size), ("y", out)))
    scales, given = numpy_helper.from_array(np.array(factors, np.float32), "s"), helper.make_tensor_value_info("s", TensorProto.FLOAT, [len(size)])
    if opset < 9:
        node, held = helper.make_node(op, ["x"], ["y"], "up", mode=mode, scales=factors), []
    else:
        node, held = helper.make_node(op, ["x", "s"], ["y"], "up", mode=mode), [] if computed else [scales]
    made = helper.make_graph([node], "g", [x, given] if computed else [x], [y], held)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=4)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize(("op", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10)])
def test_old_resizes_read_from_the_left_edge(op: str, opset: int, mode: str) -> None:
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 4)).astype(np.float32)
    for high, wide in (pair for pair in PAIRS if min(pair) >= 1 or op == "Resize"):
        source = converters.read(old(op, opset, mode, [1, 1, high, wide], x.shape), input_shapes={}, weights=None, example_inputs=None)
        expected = source.run({"x": x})["y"]
        np.testing.assert_allclose(graph.evaluate(source.model, {"x": x}, ["y"])["y"], expected, rtol=1e-5, atol=1e-6, err_msg=f"{high} {wide}")
        try:
            best = passes.optimize(source.model, None)
        except EdgeError as error:
            assert "depends on rounding" in str(error)
        else:
            np.testing.assert_allclose(graph.evaluate(best, {"x": x}, ["y"])["y"], expected, rtol=1e-5, atol=1e-6, err_msg=f"{high} {wide}")


def test_computed_scales_that_grow_and_shrink_are_refused() -> None:
    model = old("Resize", 10, "nearest", [1, 1, 2, 0.5], (1, 2, 4, 4), computed=True)
    with pytest.raises(EdgeError) as caught:
        converters.read(model, input_shapes={}, weights=None, example_inputs=None)
    assert str(caught.value).partition(": ")[2] == (
        "node 'up' (Resize of opset 10 or older) grows one axis and shrinks another, and by how much is computed (export it with opset 11 or newer)"
    )
