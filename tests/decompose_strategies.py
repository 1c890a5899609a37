"""Random nodes of every operator that `decompose` takes apart: each strategy draws a graph of one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.generic]
Draw = st.DrawFn


@dataclass(frozen=True)
class Drawn:
    """One node over inputs and constants by name; a constant called "" is left out.  scale: of the inputs' normal numbers."""

    op: str
    inputs: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, Array] = field(default_factory=dict)
    attributes: Mapping[str, object] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("y",)
    opset: int = 20
    scale: float = 2.0

    def model(self) -> onnx.ModelProto:
        """The model, its outputs without shapes."""
        names = self.order or (*self.inputs, *self.constants)
        node = onnx.helper.make_node(self.op, list(names), list(self.outputs), name="n", **self.attributes)
        values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in self.inputs.items()]
        outputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in self.outputs if name]
        weights = [onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name) for name, array in self.constants.items()]
        graph = onnx.helper.make_graph([node], "drawn", values, outputs, weights)
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.opset)], ir_version=10)

    def feeds(self, seed: int) -> dict[str, Array]:
        """Normal numbers."""
        rng = np.random.default_rng(seed)
        return {name: np.asarray(self.scale * rng.standard_normal(shape), np.float32) for name, shape in self.inputs.items()}


def ints(values: object) -> Array:
    return np.asarray(values, np.int64)


def floats(draw: Draw, shape: tuple[int, ...]) -> Array:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return np.asarray(rng.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:]))), np.float32)


def shapes(draw: Draw, low: int, high: int, most: int = 5) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, most), min_size=low, max_size=high)))


def epsilon(draw: Draw) -> float:
    return draw(st.sampled_from([1e-5, 1e-3, 0.5]))


@st.composite
def layer_norm(draw: Draw) -> Drawn:
    shape = shapes(draw, 1, 5)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    own = shape[axis % len(shape) :]
    constants = {"s": floats(draw, own)} | ({"b": floats(draw, own)} if draw(st.booleans()) else {})
    outputs = draw(st.sampled_from([("y",), ("y", "mean"), ("y", "", "deviation"), ("y", "mean", "deviation")]))
    return Drawn("LayerNormalization", {"x": shape}, constants, {"axis": axis, "epsilon": epsilon(draw)}, outputs=outputs)


@st.composite
def rms_norm(draw: Draw) -> Drawn:
    shape = shapes(draw, 1, 5)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Drawn(
        "RMSNormalization", {"x": shape}, {"s": floats(draw, shape[axis % len(shape) :])}, {"axis": axis, "epsilon": epsilon(draw)}, opset=23
    )


@st.composite
def instance_norm(draw: Draw) -> Drawn:
    shape = shapes(draw, 3, 5)
    return Drawn("InstanceNormalization", {"x": shape}, {name: floats(draw, shape[1:2]) for name in "sb"}, {"epsilon": epsilon(draw)})


@st.composite
def group_norm(draw: Draw) -> Drawn:
    groups, each, opset = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([20, 21]))
    shape = (draw(st.integers(1, 2)), groups * each, *shapes(draw, 1, 3))
    count = shape[1] if opset == 21 else groups
    attributes = {"num_groups": groups, "epsilon": epsilon(draw)}
    return Drawn("GroupNormalization", {"x": shape}, {name: floats(draw, (count,)) for name in "sb"}, attributes, opset=opset)


@st.composite
def lp_norm(draw: Draw) -> Drawn:
    shape = shapes(draw, 1, 4)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Drawn("LpNormalization", {"x": shape}, attributes={"axis": axis, "p": draw(st.sampled_from([1, 2]))})


@st.composite
def activation(draw: Draw) -> Drawn:
    number = st.sampled_from([0.1, 0.5, 1.0, 2.5])
    op, attributes = draw(
        st.sampled_from(
            [
                ("Softplus", {}),
                ("Mish", {}),
                ("Selu", {}),
                ("Selu", {"alpha": draw(number), "gamma": draw(number)}),
                ("Celu", {}),
                ("Celu", {"alpha": draw(number)}),
                ("Softsign", {}),
                ("ThresholdedRelu", {"alpha": draw(st.sampled_from([0.0, 0.5, -1.0, 1.0]))}),
                ("Shrink", {"lambd": draw(number), "bias": draw(st.sampled_from([0.0, 0.5, 1.0, -0.25]))}),
                ("Ceil", {}),
            ]
        )
    )
    return Drawn(op, {"x": shapes(draw, 0, 4)}, attributes=attributes, scale=draw(st.sampled_from([0.1, 2.0, 20.0, 1000.0])))


REDUCTIONS = ("L1", "L2", "SumSquare", "LogSumExp", "Prod")


@st.composite
def reduction(draw: Draw) -> Drawn:
    shape = shapes(draw, 1, 5)
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, max_size=len(shape)))
    signed = [axis - len(shape) if draw(st.booleans()) else axis for axis in axes]
    constants = {"axes": ints(signed)} if axes else {}
    return Drawn(f"Reduce{draw(st.sampled_from(REDUCTIONS))}", {"x": shape}, constants, {"keepdims": draw(st.integers(0, 1))})


@st.composite
def lp_pool(draw: Draw) -> Drawn:
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    shape = (1, draw(st.integers(1, 3)), draw(st.integers(3, 6)), draw(st.integers(3, 6)))
    attributes: dict[str, object] = {"kernel_shape": kernel, "p": draw(st.sampled_from([1, 2]))}
    attributes["strides"] = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    if draw(st.booleans()):
        attributes["pads"] = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    else:
        attributes["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    return Drawn("LpPool", {"x": shape}, attributes=attributes)


@st.composite
def depth_space(draw: Draw) -> Drawn:
    n, c, h, w, b = (draw(st.integers(1, 3)) for _ in range(5))
    if draw(st.booleans()):
        return Drawn("SpaceToDepth", {"x": (n, c, h * b, w * b)}, attributes={"blocksize": b})
    return Drawn("DepthToSpace", {"x": (n, c * b * b, h, w)}, attributes={"blocksize": b, "mode": draw(st.sampled_from(["DCR", "CRD"]))})


@st.composite
def pad(draw: Draw) -> Drawn:
    shape, mode = shapes(draw, 1, 5), draw(st.sampled_from(["reflect", "edge", "wrap"]))
    along = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1)) if draw(st.booleans()) else list(range(len(shape)))
    most = [min(shape[axis] - 1, 3) if mode == "reflect" else min(shape[axis], 3) for axis in along]
    widths = [draw(st.integers(0, n)) for n in most * 2]
    constants = {"p": ints(widths)}
    if along == list(range(len(shape))):
        return Drawn("Pad", {"x": shape}, constants, {"mode": mode})
    signed = [axis - len(shape) if draw(st.booleans()) else axis for axis in along]
    return Drawn("Pad", {"x": shape}, {**constants, "axes": ints(signed)}, {"mode": mode}, order=("x", "p", "", "axes"))


COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric")
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@st.composite
def resize(draw: Draw) -> Drawn:
    rank = draw(st.integers(3, 4))
    shape = tuple(draw(st.integers(1, 2)) for _ in range(2)) + tuple(draw(st.integers(1, 6)) for _ in range(rank - 2))
    mode = draw(st.sampled_from(["nearest", "linear"]))
    attributes: dict[str, object] = {"mode": mode, "coordinate_transformation_mode": draw(st.sampled_from(COORDINATES))}
    if mode == "nearest":
        attributes["nearest_mode"] = draw(st.sampled_from(NEAREST))
    if draw(st.booleans()):
        factors = [
            draw(st.sampled_from([1.0, 2.0, 3.0, 0.5, 1.5, 2.6])) if n * 0.5 >= 1 else draw(st.sampled_from([1.0, 2.0, 4.0])) for n in shape[2:]
        ]
        given, order = np.array([1.0, 1.0, *factors], np.float32), ("x", "", "r")
    else:
        given, order = ints([*shape[:2], *(draw(st.integers(1, 13)) for _ in shape[2:])]), ("x", "", "", "r")
    if draw(st.booleans()):
        given, attributes["axes"] = given[2:], list(range(2, rank))
    return Drawn("Resize", {"x": shape}, {"r": given}, attributes, order=order)


@st.composite
def conv_transpose(draw: Draw) -> Drawn:
    rank, group = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    c, m = group * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel, stride, dilation = ([draw(st.integers(1, most)) for _ in range(rank)] for most in (4, 3, 2))
    shape = (draw(st.integers(1, 2)), c, *(draw(st.integers(1, 5)) for _ in range(rank)))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    attributes: dict[str, object] = {"group": group, "strides": stride, "dilations": dilation}
    attributes["output_padding"] = [draw(st.integers(0, s - 1)) for s in stride]
    full = [(n - 1) * s + more + r for n, s, more, r in zip(shape[2:], stride, attributes["output_padding"], reach, strict=True)]  # type: ignore[call-overload]
    way = draw(st.sampled_from(["pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID", "shape"]))
    if way == "pads":
        room = [min(length - 1, r) for length, r in zip(full, reach, strict=True)]
        begin = [draw(st.integers(0, min(r, 3))) for r in room]
        attributes["pads"] = begin + [draw(st.integers(0, min(r - b, 3))) if r > b else 0 for r, b in zip(room, begin, strict=True)]
    elif way == "shape":
        attributes["output_shape"] = [max(length - draw(st.integers(0, min(r, 3))), 1) for length, r in zip(full, reach, strict=True)]
    else:
        attributes["auto_pad"] = way
    constants = {"w": floats(draw, (c, m, *kernel))} | ({"b": floats(draw, (m * group,))} if draw(st.booleans()) else {})
    return Drawn("ConvTranspose", {"x": shape}, constants, attributes)


@st.composite
def einsum(draw: Draw) -> Drawn:
    sizes = {label: draw(st.integers(1, 4)) for label in "abcdef"}
    labels = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1, max_size=4)
    terms = draw(st.lists(labels, min_size=1, max_size=2))
    output = draw(st.permutations(sorted({label for term in terms for label in term if draw(st.booleans())})))
    arrow = "->" + "".join(output) if draw(st.booleans()) or not output else ""
    inputs = {f"x{index}": tuple(sizes[label] for label in term) for index, term in enumerate(terms)}
    equation = ",".join("".join(term) for term in terms) + arrow
    if len(terms) == 1 or draw(st.booleans()):
        return Drawn("Einsum", inputs, attributes={"equation": equation})
    return Drawn("Einsum", {"x0": inputs["x0"]}, {"x1": floats(draw, inputs["x1"])}, {"equation": equation})


@st.composite
def attention(draw: Draw) -> Drawn:
    b, kv, more, s, keys, d, e = (draw(st.integers(1, 3)) for _ in range(7))
    heads = kv * more
    attributes: dict[str, object] = {"is_causal": draw(st.integers(0, 1))}
    if draw(st.booleans()):
        attributes["scale"] = 0.7
    if draw(st.booleans()):
        inputs = {"q": (b, heads, s, d), "k": (b, kv, keys, d), "v": (b, kv, keys, e)}
    else:
        inputs = {"q": (b, s, heads * d), "k": (b, keys, kv * d), "v": (b, keys, kv * e)}
        attributes |= {"q_num_heads": heads, "kv_num_heads": kv}
    constants: dict[str, Array] = {}
    if draw(st.booleans()):
        seen = np.random.default_rng(draw(st.integers(0, 9))).random((s, keys)) < 0.6
        seen[:, 0] = True  # a query that sees nothing is 0 / 0
        constants["mask"] = seen if draw(st.booleans()) else np.where(seen, 0.5, -3.0).astype(np.float32)
    return Drawn("Attention", inputs, constants, attributes, opset=23)


#: subject -> how its nodes are drawn, and the largest error.
STRATEGIES: dict[str, tuple[Callable[[], st.SearchStrategy[Drawn]], float]] = {
    "LayerNormalization": (layer_norm, 1e-4),
    "RMSNormalization": (rms_norm, 1e-5),
    "InstanceNormalization": (instance_norm, 1e-5),
    "GroupNormalization": (group_norm, 1e-4),
    "LpNormalization": (lp_norm, 1e-5),
    "activations": (activation, 1e-5),
    "reductions": (reduction, 1e-5),
    "LpPool": (lp_pool, 1e-5),
    "DepthToSpace": (depth_space, 0.0),
    "Pad": (pad, 0.0),
    "Resize": (resize, 1e-5),
    "ConvTranspose": (conv_transpose, 1e-5),
    "Einsum": (einsum, 1e-5),
    "Attention": (attention, 1e-5),
}
