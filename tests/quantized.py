"""Random small networks in QDQ form, and what they compute by the numpy definition (edge.words.quant) and by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from compiled import Case
from edge.words import quant

Array = NDArray[np.generic]
node = onnx.helper.make_node
KINDS = {"uint8": onnx.TensorProto.UINT8, "int8": onnx.TensorProto.INT8}


@dataclass
class Net:
    """Nodes and constants so far; a quantized value is (name of the integers, scale, zero point)."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, Array] = field(default_factory=dict)

    def name(self, word: str) -> str:
        return f"{word}{len(self.nodes)}_{len(self.constants)}"

    def keep(self, word: str, array: Array) -> str:
        name = self.name(word)
        self.constants[name] = array
        return name

    def scale(self) -> np.float32:
        return np.float32(self.rng.uniform(0.005, 0.05))

    def zero(self, kind: str) -> Array:
        low, high = quant.bounds(kind)
        return np.asarray(self.rng.choice([0, low, high, self.rng.integers(low, high + 1)])).astype(kind).reshape(())

    def given(self, kind: str, *shape: int) -> Tensor:
        """An input of 8-bit integers."""
        low, high = quant.bounds(kind)
        name = f"x{len(self.inputs)}"
        self.inputs[name] = self.rng.integers(low, high + 1, shape).astype(kind)
        return Tensor(name, self.scale(), self.zero(kind))

    def weights(self, kind: str, shape: tuple[int, ...], axis: int | None) -> tuple[str, Array, Array, Array]:
        """(real value's name, integers, scales, zero points); axis: of several scales."""
        low, high = quant.bounds(kind)
        data = self.rng.integers(low, high + 1, shape).astype(kind)
        count = 1 if axis is None else shape[axis]
        scale = self.rng.uniform(0.001, 0.02, count).astype(np.float32)
        asymmetric = self.rng.random() < 0.4
        zero = (self.rng.integers(low, high + 1, count) if asymmetric else np.full(count, 0 if kind == "int8" else 128)).astype(kind)
        if axis is None:
            scale, zero = scale.reshape(()), zero.reshape(())
        return self.real(self.keep("w", data), scale, zero, axis or 0), data, scale, zero

    def real(self, name: str, scale: Array, zero: Array | None, axis: int = 0) -> str:
        """DequantizeLinear."""
        out = self.name("r")
        parameters = [self.keep("s", np.asarray(scale, np.float32)), *([] if zero is None else [self.keep("z", zero)])]
        self.nodes.append(node("DequantizeLinear", [name, *parameters], [out], axis=axis))
        return out

    def stored(self, real: str, kind: str, out: str = "", scale: np.float32 | None = None, zero: Array | None = None) -> Tensor:
        """QuantizeLinear to new parameters."""
        made = Tensor(out or self.name("q"), self.scale() * 8 if scale is None else scale, self.zero(kind) if zero is None else zero)
        self.nodes.append(node("QuantizeLinear", [real, self.keep("s", np.asarray(made.scale)), self.keep("z", made.zero)], [made.name]))
        return made


@dataclass(frozen=True)
class Tensor:
    name: str
    scale: np.float32
    zero: Array

    @property
    def kind(self) -> str:
        return self.zero.dtype.name

    @property
    def offset(self) -> int:
        return int(self.zero)


@dataclass(frozen=True)
class Drawn:
    """A case whose output `y` is integers, and the definition of y."""

    case: Case
    definition: Array


def ends(net: Net, made: Tensor, real: str) -> tuple[str, int, int]:
    """Perhaps a Relu or Clip in front of the QuantizeLinear: (its result, low, high in steps of `made`)."""
    low, high = (bound - made.offset for bound in quant.bounds(made.kind))
    choice = net.rng.integers(3)
    if choice == 0:
        return real, low, high
    out = net.name("a")
    if choice == 1:
        net.nodes.append(node("Relu", [real], [out]))
        first, last = 0, 1 << 20
    else:
        bounds = np.sort(net.rng.uniform(-40, 60, 2) * made.scale).astype(np.float32)
        net.nodes.append(node("Clip", [real, *(net.keep("b", b.reshape(())) for b in bounds)], [out]))
        first, last = (int(np.rint(b / made.scale)) for b in bounds)
    return out, min(max(low, first), high) if first > low else low, max(min(high, last), low) if last < high else high


def finished(name: str, net: Net, made: Tensor, definition: Array) -> Drawn:
    """The network whose output is `made`."""
    inputs = [onnx.helper.make_tensor_value_info(n, KINDS[a.dtype.name], a.shape) for n, a in net.inputs.items()]
    held = [onnx.numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), n) for n, a in net.constants.items()]
    out = onnx.helper.make_tensor_value_info(made.name, KINDS[made.kind], definition.shape)
    graph = onnx.helper.make_graph(net.nodes, "case", inputs, [out], held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    assert definition.dtype.name == made.kind
    return Drawn(Case(name, model, net.inputs), definition)  # type: ignore[arg-type]


def shifted(q: Array, zero: Array, axis: int) -> NDArray[np.int64]:
    """Integers less their zero points."""
    return q.astype(np.int64) - quant.along(zero, axis, q.ndim).astype(np.int64)


def sums_of_conv(x: NDArray[np.int64], w: NDArray[np.int64], pads: list[int], strides: list[int], dilations: list[int], groups: int) -> Array:
    """Exact, tap by tap."""
    top, left, bottom, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    oh, ow = ((padded.shape[2 + i] - (w.shape[2 + i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in (0, 1))
    total = np.zeros((x.shape[0], w.shape[0], oh, ow), np.int64)
    each_in, each_out = w.shape[1], w.shape[0] // groups
    for dy in range(w.shape[2]):
        for dx in range(w.shape[3]):
            y0, x0 = dy * dilations[0], dx * dilations[1]
            part = padded[:, :, y0 : y0 + (oh - 1) * strides[0] + 1 : strides[0], x0 : x0 + (ow - 1) * strides[1] + 1 : strides[1]]
            for g in range(groups):
                outs = slice(g * each_out, (g + 1) * each_out)
                total[:, outs] += np.einsum("nchw,oc->nohw", part[:, g * each_in : (g + 1) * each_in], w[outs, :, dy, dx])
    return total


def bias_of(net: Net, x: Tensor, scale: Array, outputs: int) -> tuple[list[str], NDArray[np.int64]]:
    """(inputs, steps): none, or int32 steps of x's scale times the weights'."""
    if net.rng.random() < 0.3:
        return [], np.zeros(outputs, np.int64)
    steps = net.rng.integers(-20000, 20000, outputs).astype(np.int32)
    step = (np.float32(x.scale) * scale).astype(np.float32)
    return [net.real(net.keep("bias", steps), step, None)], steps.astype(np.int64)


def conv(seed: int) -> Drawn:
    """Any kernel, stride, dilation, padding and grouping, weights of one scale or one a channel."""
    net = Net(np.random.default_rng(seed))
    rng = net.rng
    kind, w_kind, y_kind = (str(rng.choice(["uint8", "int8"])) for _ in range(3))
    shape = str(rng.choice(["pointwise", "depthwise", "general", "grouped"]))
    k = [1, 1] if shape == "pointwise" else [int(rng.integers(1, 5)), int(rng.integers(1, 5))]
    strides, dilations = ([int(n) for n in rng.integers(1, top, 2)] for top in (4, 3))
    pads = [0] * 4 if shape == "pointwise" else [int(n) for n in rng.integers(0, 3, 4)]
    groups = int(rng.integers(2, 5)) if shape == "grouped" else 1
    c, o = int(rng.integers(1, 9)) * groups, int(rng.integers(1, 24)) * groups
    if shape == "depthwise":
        groups = c = o = int(rng.integers(1, 40))
    reach = [(k[i] - 1) * dilations[i] + 1 for i in (0, 1)]
    h, w = (max(1, reach[i] - pads[i] - pads[i + 2]) + int(rng.integers(0, 9)) for i in (0, 1))
    x = net.given(kind, int(rng.integers(1, 3)), c, h, w)
    real, data, scale, zero = net.weights(w_kind, (o, c // groups, *k), 0 if rng.random() < 0.5 else None)
    extra, bias = bias_of(net, x, scale, o)
    net.nodes.append(
        node("Conv", [net.real(x.name, x.scale, x.zero), real, *extra], ["c"], strides=strides, dilations=dilations, pads=pads, group=groups)
    )
    sums = sums_of_conv(shifted(net.inputs[x.name], x.zero, 0), shifted(data, zero, 0), pads, strides, dilations, groups)
    return closed(f"conv {seed}: {shape} {kind} {w_kind} -> {y_kind}", net, x, "c", y_kind, sums, scale, bias, 1)


def line(seed: int) -> Drawn:
    """Conv over one axis, as keyword spotting has it."""
    net = Net(np.random.default_rng(seed))
    rng = net.rng
    c, o, k, stride, groups = int(rng.integers(1, 9)), int(rng.integers(1, 24)), int(rng.integers(1, 6)), int(rng.integers(1, 3)), 1
    if rng.random() < 0.4:
        groups = o = c
    pads = [int(n) for n in rng.integers(0, 3, 2)]
    x = net.given("uint8", int(rng.integers(1, 3)), c, k + int(rng.integers(0, 20)))
    real, data, scale, zero = net.weights("int8", (o, c // groups, k), 0)
    extra, bias = bias_of(net, x, scale, o)
    net.nodes.append(node("Conv", [net.real(x.name, x.scale, x.zero), real, *extra], ["c"], strides=[stride], pads=pads, group=groups))
    rows = shifted(net.inputs[x.name], x.zero, 0)[:, :, None], shifted(data, zero, 0)[:, :, None]
    sums = sums_of_conv(*rows, [0, pads[0], 0, pads[1]], [1, stride], [1, 1], groups)[:, :, 0]
    return closed(f"line {seed}", net, x, "c", "uint8", sums, scale, bias, 1)


def gemm(seed: int) -> Drawn:
    """Gemm with either order of weights, MatMul of two and more axes."""
    net = Net(np.random.default_rng(seed))
    rng = net.rng
    kind, w_kind, y_kind = (str(rng.choice(["uint8", "int8"])) for _ in range(3))
    op, k, n = str(rng.choice(["Gemm", "MatMul"])), int(rng.integers(1, 60)), int(rng.integers(1, 50))
    turned = op == "Gemm" and rng.random() < 0.5
    rows = (int(rng.integers(1, 9)),) if op == "Gemm" else tuple(int(v) for v in rng.integers(1, 4, rng.integers(1, 4)))
    x = net.given(kind, *rows, k)
    axis = 0 if turned else 1
    real, data, scale, zero = net.weights(w_kind, (n, k) if turned else (k, n), axis if rng.random() < 0.5 else None)
    extra, bias = bias_of(net, x, scale, n) if op == "Gemm" else ([], np.zeros(n, np.int64))
    attributes = {"transB": 1} if turned else {}
    net.nodes.append(node(op, [net.real(x.name, x.scale, x.zero), real, *extra], ["c"], **attributes))
    w = shifted(data, zero, axis)
    sums = shifted(net.inputs[x.name], x.zero, 0) @ (w.T if turned else w)
    return closed(f"{op} {seed}: {kind} {w_kind} -> {y_kind}", net, x, "c", y_kind, sums, scale, bias, -1)


def closed(name: str, net: Net, x: Tensor, real: str, kind: str, sums: Array, scale: Array, bias: NDArray[np.int64], axis: int) -> Drawn:
    """Requantized sums are the result; the channels lie along `axis`.  The scale fits the sums, so that few are clamped."""
    step = np.float64(x.scale) * scale.astype(np.float64)
    total = (sums + quant.along(bias, axis, sums.ndim) if bias.size > 1 else sums + bias.reshape(())).astype(np.int64)
    assert np.abs(total).max(initial=0) < 1 << 31
    spread = float(np.abs(total * quant.along(step, axis, total.ndim)).max(initial=0)) or 1.0
    made = Tensor("y", np.float32(spread / net.rng.uniform(60, 200)), net.zero(kind))
    last, low, high = ends(net, made, real)
    net.stored(last, kind, "y", made.scale, made.zero)
    factor = (step / np.float64(made.scale)).astype(np.float32)
    y = quant.requantize(total.astype(np.int32), quant.along(factor, axis, total.ndim), made.offset, low, high, kind)
    return finished(name, net, made, y)


def binary(seed: int) -> Drawn:
    """Add and Mul, of equal shapes and broadcast."""
    net = Net(np.random.default_rng(seed))
    rng = net.rng
    shape = tuple(int(n) for n in rng.integers(1, 7, rng.integers(1, 5)))
    other = shape if rng.random() < 0.6 else tuple(n if rng.random() < 0.5 else 1 for n in shape)
    op, y_kind = str(rng.choice(["Add", "Mul"])), str(rng.choice(["uint8", "int8"]))
    a, b = (net.given(str(rng.choice(["uint8", "int8"])), *s) for s in (shape, other))
    made = Tensor("y", np.float32((a.scale + b.scale) / 2 if op == "Add" else a.scale * b.scale * 100), net.zero(y_kind))
    net.nodes.append(node(op, [net.real(a.name, a.scale, a.zero), net.real(b.name, b.scale, b.zero)], ["c"]))
    last, low, high = ends(net, made, "c")
    net.stored(last, y_kind, "y", made.scale, made.zero)
    p, q = net.inputs[a.name], net.inputs[b.name]
    if op == "Add":
        scales = tuple(float(np.float32(np.float64(side.scale) / np.float64(made.scale))) for side in (a, b))
        y = quant.add(p, q, (a.offset, b.offset), (scales[0], scales[1]), made.offset, low, high, y_kind)
    else:
        scale = float(np.float32(np.float64(a.scale) * np.float64(b.scale) / np.float64(made.scale)))
        y = quant.multiply(p, q, (a.offset, b.offset), scale, made.offset, low, high, y_kind)
    return finished(f"{op} {seed}: {a.kind} {shape} {b.kind} {other} -> {y_kind}", net, made, y)


def rescaled(q: Array, source: Tensor, made: Tensor) -> Array:
    return quant.quantize(quant.dequantize(q, np.asarray(source.scale), source.zero), np.asarray(made.scale), made.zero)


def pool(seed: int) -> Drawn:
    """Maxima and means over windows and pictures."""
    net = Net(np.random.default_rng(seed))
    rng = net.rng
    op = str(rng.choice(["MaxPool", "AveragePool", "GlobalAveragePool"]))
    kind, c = str(rng.choice(["uint8", "int8"])), int(rng.integers(1, 36))
    k, strides = ([int(n) for n in rng.integers(1, 4, 2)] for _ in range(2))
    h, w = (int(n) for n in rng.integers(4, 10, 2))
    x = net.given(kind, int(rng.integers(1, 3)), c, h, w)
    real, q = net.real(x.name, x.scale, x.zero), net.inputs[x.name]
    keep = op == "MaxPool" and rng.random() < 0.5
    made = Tensor("y", x.scale if keep else np.float32(x.scale * rng.uniform(0.5, 2)), x.zero if keep else net.zero(kind))
    pads = [int(rng.integers(0, n)) for n in (*k, *k)] if op == "MaxPool" else [0] * 4
    attributes = {} if op.startswith("Global") else {"kernel_shape": k, "strides": strides, "pads": pads}
    net.nodes.append(node(op, [real], ["c"], **attributes))
    net.stored("c", kind, "y", made.scale, made.zero)
    if op == "MaxPool":
        same = rescaled(q, x, made).astype(np.int64)
        low = quant.bounds(kind)[0]
        padded = np.pad(same, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=low)
        views = np.lib.stride_tricks.sliding_window_view(padded, k, axis=(2, 3))[:, :, :: strides[0], :: strides[1]]
        return finished(f"{op} {seed}", net, made, views.max(axis=(4, 5)).astype(kind))
    if op.startswith("Global"):
        k, strides = [h, w], [1, 1]
    views = np.lib.stride_tricks.sliding_window_view(shifted(q, x.zero, 0), k, axis=(2, 3))[:, :, :: strides[0], :: strides[1]]
    scale = np.float32(np.float64(x.scale) / (np.float64(made.scale) * (k[0] * k[1])))
    low, high = (bound - made.offset for bound in quant.bounds(kind))
    y = quant.requantize(views.sum(axis=(4, 5)).astype(np.int32), scale, made.offset, low, high, kind)
    return finished(f"{op} {seed}", net, made, y)


def move(seed: int) -> Drawn:
    """Ops that only order numbers anew, with and without a change of scale."""
    net = Net(np.random.default_rng(seed))
    rng = net.rng
    op, kind = str(rng.choice(["Concat", "Transpose", "Reshape", "Flatten", "Slice", "Pad", "none"])), str(rng.choice(["uint8", "int8"]))
    dims = tuple(int(n) for n in rng.integers(1, 6, 4))
    x = net.given(kind, *dims)
    parts = [x, net.given(kind, *dims)] if op == "Concat" else [x]
    made = Tensor("y", x.scale if rng.random() < 0.5 else net.scale(), net.zero(kind))
    reals = [net.real(part.name, part.scale, part.zero) for part in parts]
    axis, perm = int(rng.integers(4)), [int(n) for n in rng.permutation(4)]
    forms: Mapping[str, Callable[[], tuple[list[str], dict[str, object], Callable[..., Array]]]] = {
        "Concat": lambda: (reals, {"axis": axis}, lambda *q: np.concatenate(q, axis)),
        "Transpose": lambda: (reals, {"perm": perm}, lambda q: q.transpose(perm)),
        "Reshape": lambda: ([*reals, net.keep("shape", np.array([-1, dims[3]]))], {}, lambda q: q.reshape(-1, dims[3])),
        "Flatten": lambda: (reals, {"axis": 1}, lambda q: q.reshape(dims[0], -1)),
        "Slice": lambda: (
            [*reals, net.keep("lo", np.array([0])), net.keep("hi", np.array([1])), net.keep("axis", np.array([axis]))],
            {},
            lambda q: q.take([0], axis),
        ),
        "Pad": lambda: ([*reals, net.keep("pads", np.array([0, 1, 0, 2, 0, 0, 1, 0]))], {}, lambda q: _padded(q, made)),
        "none": lambda: ([], {}, lambda q: q),
    }
    inputs, attributes, meaning = forms[op]()
    if inputs:
        net.nodes.append(node(op, inputs, ["c"], **attributes))
    net.stored("c" if inputs else reals[0], kind, "y", made.scale, made.zero)
    y = meaning(*(rescaled(net.inputs[part.name], part, made) for part in parts))
    return finished(f"{op} {seed}", net, made, np.ascontiguousarray(y))


def _padded(q: Array, made: Tensor) -> Array:
    return np.pad(q, ((0, 0), (1, 0), (0, 1), (2, 0)), constant_values=made.offset)


def chain(seed: int) -> Drawn:
    """Two layers and a residual: integers go from one kernel to the next."""
    net = Net(np.random.default_rng(seed))
    rng = net.rng
    c, o = int(rng.integers(2, 20)), int(rng.integers(2, 20))
    x = net.given("uint8", 1, c, 7, 6)
    q = net.inputs[x.name]
    sources, values = [x], [q]
    for outputs, k in ((o, 3), (c, 1)):
        real, data, scale, zero = net.weights("int8", (outputs, values[-1].shape[1], k, k), 0)
        before = sources[-1]
        net.nodes.append(node("Conv", [net.real(before.name, before.scale, before.zero), real], [f"c{k}"], pads=[k // 2] * 4))
        sums = sums_of_conv(shifted(values[-1], before.zero, 0), shifted(data, zero, 0), [k // 2] * 4, [1, 1], [1, 1], 1)
        step = np.float64(before.scale) * scale.astype(np.float64)
        made = net.stored(f"c{k}", "uint8", "", np.float32(np.abs(sums * quant.along(step, 1, 4)).max() / 150))
        factor = quant.along((step / np.float64(made.scale)).astype(np.float32), 1, 4)
        values.append(quant.requantize(sums.astype(np.int32), factor, made.offset, -made.offset, 255 - made.offset, "uint8"))
        sources.append(made)
    last = sources[-1]
    made = Tensor("y", np.float32(max(x.scale, last.scale)), net.zero("uint8"))
    net.nodes.append(node("Add", [net.real(x.name, x.scale, x.zero), net.real(last.name, last.scale, last.zero)], ["sum"]))
    net.stored("sum", "uint8", "y", made.scale, made.zero)
    scales = [float(np.float32(np.float64(side.scale) / np.float64(made.scale))) for side in (x, last)]
    y = quant.add(q, values[-1], (x.offset, last.offset), (scales[0], scales[1]), made.offset, -made.offset, 255 - made.offset, "uint8")
    return finished(f"chain {seed}", net, made, y)


FAMILIES: dict[str, Callable[[int], Drawn]] = {"conv": conv, "line": line, "gemm": gemm, "binary": binary, "pool": pool, "move": move, "chain": chain}
