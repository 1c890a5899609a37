"""Sums of 8-bit products are exact in the oracle whatever this CPU is: ONNX Runtime's own saturate on x86 without VNNI."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from onnx.numpy_helper import from_array

from edge import graph

Array = NDArray[np.generic]
TYPES = ("uint8", "int8")
LARGE = 20  #: the largest numbers of each type, so that sums of two products leave 16 bits


def large(draw: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Array:
    end = np.iinfo(kind).max
    return draw.integers(end - LARGE, end + 1, shape).astype(kind)


def evaluated(nodes: list[onnx.NodeProto], inputs: dict[str, Array], constants: dict[str, Array], kind: int) -> Array:
    """The graph's output y, as `edge` evaluates it."""
    import onnx_ir as ir

    named = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in inputs.items()]
    outputs = [helper.make_tensor_value_info("y", kind, None)]
    made = helper.make_graph(nodes, "g", named, outputs, [from_array(v, k) for k, v in constants.items()])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    (y,) = graph.evaluate(ir.serde.deserialize_model(model), inputs, engine="onnxruntime").values()
    return y


def windows(x: NDArray[np.int64], w: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sums of a 3x3 convolution of x, padded with zeros by one."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    found: NDArray[np.int64] = np.einsum("nchwij,ocij->nohw", view, w)
    return found


@pytest.mark.parametrize(("a", "b"), list(itertools.product(TYPES, TYPES)))
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_matmul_integer(a: str, b: str, zeros: int) -> None:
    draw = np.random.default_rng(1)
    x, w = large(draw, a, (5, 64)), large(draw, b, (64, 33))
    offsets = {"za": np.array(3, a), "zb": large(draw, b, (33,)) // 2}
    given = dict(list(offsets.items())[:zeros])
    wanted = (x.astype(np.int64) - (3 if zeros else 0)) @ (w.astype(np.int64) - (offsets["zb"].astype(np.int64) if zeros > 1 else 0))
    node = helper.make_node("MatMulInteger", ["x", "w", *given], ["y"])
    np.testing.assert_array_equal(evaluated([node], {"x": x}, {"w": w, **given}, onnx.TensorProto.INT32), wanted)


@pytest.mark.parametrize(("a", "b"), list(itertools.product(TYPES, TYPES)))
@pytest.mark.parametrize("zeros", [0, 2])
def test_conv_integer(a: str, b: str, zeros: int) -> None:
    draw = np.random.default_rng(2)
    x, w = large(draw, a, (2, 16, 7, 9)), large(draw, b, (24, 16, 3, 3))
    given = {"zx": np.array(5, a), "zw": np.array(1, b)} if zeros else {}
    shift = (5, 1) if zeros else (0, 0)
    node = helper.make_node("ConvInteger", ["x", "w", *given], ["y"], pads=[1, 1, 1, 1])
    y = evaluated([node], {"x": x}, {"w": w, **given}, onnx.TensorProto.INT32)
    np.testing.assert_array_equal(y, windows(x.astype(np.int64) - shift[0], w.astype(np.int64) - shift[1]))


@pytest.mark.parametrize(("a", "b"), list(itertools.product(TYPES, TYPES)))
def test_linear_matmul(a: str, b: str) -> None:
    draw = np.random.default_rng(3)
    x, w = large(draw, a, (5, 64)), large(draw, b, (64, 33))
    scale = np.float32(1 / 65536)
    constants: dict[str, Array] = {
        "xs": np.array(scale, np.float32), "xz": np.array(0, a), "w": w, "ws": np.array(1, np.float32), "wz": np.array(0, b),
        "ys": np.array(0.25, np.float32), "yz": np.array(0, "uint8"),
    }  # fmt: skip
    node = helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
    wanted = np.clip(np.round((x.astype(np.int64) @ w.astype(np.int64)).astype(np.float32) * scale / 0.25), 0, 255)
    assert np.abs(evaluated([node], {"x": x}, constants, onnx.TensorProto.UINT8) - wanted).max() <= 1
