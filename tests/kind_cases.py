"""Random small graphs of the kinds that exporters and people write and that are easily taken for something else: one function a kind.

Each draws from a numpy generator, so that a seed is a case.  What ONNX Runtime answers is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray

from compiled import Case

node = onnx.helper.make_node
Rng = np.random.Generator
Any = NDArray[np.generic]
Shape = tuple[int, ...]
FLOAT = onnx.TensorProto.FLOAT
T = TypeVar("T")


def made(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    constants: Mapping[str, Any],
    rng: Rng,
    *,
    outputs: Sequence[str] = ("y",),
    opset: int = 20,
) -> Case:
    """A case with outputs of unknown shape, as some exporters leave them; inputs are standard normal."""
    values = [onnx.helper.make_tensor_value_info(n, FLOAT, s) for n, s in inputs.items()]
    weights = [onnx.numpy_helper.from_array(np.ascontiguousarray(a).reshape(np.shape(a)), n) for n, a in constants.items()]
    outs = [onnx.ValueInfoProto(name=n) for n in outputs]
    body = onnx.helper.make_graph([*nodes], "case", values, outs, weights)
    for index, each in enumerate(body.node):
        each.name = f"n{index}"
    model = onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)
    return Case(name, onnx.shape_inference.infer_shapes(model) if opset > 21 else model, {n: normal(rng, s) for n, s in inputs.items()})


def normal(rng: Rng, shape: Shape) -> NDArray[np.float32]:
    return np.asarray(rng.standard_normal(shape), np.float32).reshape(shape)


def ints(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def dims(rng: Rng, low: int, high: int, most: int = 5) -> Shape:
    return tuple(int(n) for n in rng.integers(1, most + 1, rng.integers(low, high + 1)))


def one_of(rng: Rng, *options: T) -> T:
    return options[int(rng.integers(len(options)))]


def wrapped(rng: Rng, nodes: list[onnx.NodeProto], first: str = "x", last: str = "y") -> list[onnx.NodeProto]:
    """The nodes, sometimes with others before and after them."""
    before, after = rng.random() < 0.5, rng.random() < 0.5
    for each in nodes:
        for field in (each.input, each.output):
            field[:] = ["pre" if before and n == first else "post" if after and n == last else n for n in field]
    return [*([node("Relu", [first], ["pre"])] if before else []), *nodes, *([node("Abs", ["post"], [last])] if after else [])]


def pads(rng: Rng) -> Case:
    """Adds here and crops there, on any axis; often of unchanged shape."""
    shape = tuple(int(n) for n in rng.integers(3, 7, rng.integers(1, 5)))
    widths = np.zeros((2, len(shape)), np.int64)
    for axis in range(len(shape)):
        if rng.random() < 0.6:
            shift = int(rng.integers(-2, 3))
            widths[:, axis] = (shift, -shift) if rng.random() < 0.6 else rng.integers(-1, 3, 2)
    constants: dict[str, Any] = {"p": widths.reshape(-1)}
    names = ["x", "p"]
    if rng.random() < 0.4:
        constants["v"], names = np.array(1.5, np.float32), [*names, "v"]
    if rng.random() < 0.4:
        axes = rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)]
        constants |= {"p": widths[:, axes].reshape(-1), "ax": axes - (len(shape) if rng.random() < 0.5 else 0)}
        names = [*names, *([""] if len(names) == 2 else []), "ax"]
    return made(f"pad {shape} {constants}", wrapped(rng, [node("Pad", names, ["y"])]), {"x": shape}, constants, rng)


def slices(rng: Rng) -> Case:
    """Forwards and backwards, several axes at once, beside channels."""
    shape = tuple(int(n) for n in rng.integers(2, 7, rng.integers(1, 5)))
    starts, ends, steps, axes = [], [], [], []
    for axis in range(len(shape)):
        if rng.random() < 0.3:
            continue
        step = int(one_of(rng, -1, -1, 1, 1, -2, 2, 3))
        low, high = sorted(int(n) for n in rng.choice(shape[axis] + 1, 2, replace=False))
        whole = rng.random() < 0.5
        if step > 0:
            start, end = (0, 2**31 - 1) if whole else (low, high)
        else:
            start, end = (-1, -(2**31)) if whole else (high - 1, low - 1 if low else -shape[axis] - 1)
        for into, number in ((starts, start), (ends, end), (steps, step), (axes, axis - (len(shape) if rng.random() < 0.3 else 0))):
            into.append(number)
    if not axes:
        starts, ends, steps, axes = [-1], [-100], [-1], [0]
    constants = {"s": ints(*starts), "e": ints(*ends), "a": ints(*axes), "t": ints(*steps)}
    nodes = [node("Slice", ["x", "s", "e", "a", "t"], ["y"])]
    if len(shape) == 4 and rng.random() < 0.5:  # channels of a map, which are views
        constants |= {"w": normal(rng, (shape[1], shape[1], 1, 1))}
        nodes = [node("Conv", ["x", "w"], ["c"]), node("Slice", ["c", "s", "e", "a", "t"], ["z"]), node("Neg", ["z"], ["y"])]
    return made(f"slice {shape} {constants}", nodes, {"x": shape}, constants, rng)


def gemms(rng: Rng) -> Case:
    """Every transposition, factor and shape of C, constant or computed."""
    m, n, k = (int(v) for v in rng.integers(1, 5, 3))
    n = m if rng.random() < 0.5 else n
    ta, tb = int(rng.integers(2)), int(rng.integers(2))
    a, b = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n))
    c = one_of(rng, None, (), (1,), (n,), (1, n), (m, 1), (m, n), (1, 1))
    known = [rng.random() < 0.5 for _ in range(3)]
    known[0] = known[0] and not all(known) and rng.random() < 0.3
    given = {"x": a, "w": b} | ({"c": c} if c is not None else {})
    constants = {name: normal(rng, s) for (name, s), is_known in zip(given.items(), known, strict=False) if is_known}
    inputs = {name: s for name, s in given.items() if name not in constants}
    more = {key: one_of(rng, 1.0, 2.0, -0.5) for key in ("alpha", "beta") if rng.random() < 0.6}
    nodes = [node("Gemm", list(given), ["y"], transA=ta, transB=tb, **more)]
    if not inputs or all(name == "c" for name in inputs):
        inputs, constants = {**inputs, "x": a}, {name: v for name, v in constants.items() if name != "x"}
    return made(f"gemm {given} {known} {ta}{tb} {more}", nodes, inputs, constants, rng)


def pools(rng: Rng) -> Case:
    """ceil_mode, kernels smaller than strides, pads."""
    axes = one_of(rng, 2, 2, 1)
    kernel = [int(v) for v in rng.integers(1, 4, axes)]
    op = one_of(rng, "MaxPool", "AveragePool")
    opset = one_of(rng, 11, 13, 17, 18, 19, 20, 21)
    more: dict[str, object] = {"kernel_shape": kernel, "ceil_mode": int(rng.random() < 0.8)}
    if rng.random() < 0.9:
        more["strides"] = [int(v) for v in rng.integers(1, 4, axes)]
    if rng.random() < 0.7:
        more["pads"] = [int(rng.integers(0, k)) for k in kernel] + [int(rng.integers(0, k)) for k in kernel]
    if op == "AveragePool" and rng.random() < 0.5:
        more["count_include_pad"] = 1
    if op == "MaxPool" and rng.random() < 0.3:
        more["dilations"] = [int(v) for v in rng.integers(1, 3, axes)]
    size = tuple(int(v) for v in rng.integers(6, 10, axes))
    if rng.random() < 0.3 and "dilations" not in more:
        size = tuple(int(v) for v in rng.integers(3, 6, axes))
    nodes = [node(op, ["x"], ["p"], **more)]
    if rng.random() < 0.3:
        nodes += [node(op, ["p"], ["q"], kernel_shape=[1] * axes, strides=[2] * axes, ceil_mode=1), node("Neg", ["q"], ["y"])]
    else:
        nodes += [node("Neg", ["p"], ["y"])]
    return made(f"pool {op} {size} {more} {opset}", nodes, {"x": (1, 2, *size)}, {}, rng, opset=opset)


def low_ranks(rng: Rng) -> Case:
    """Constants, products and sums of numbers and vectors."""
    shape = one_of(rng, (), (1,), (4,), (5,), (3, 4), (2, 3, 4))
    start, nodes, constants, last = shape, [], {}, "x"
    for index in range(int(rng.integers(1, 5))):
        op, name = one_of(rng, "Add", "Sub", "Mul", "Div", "Max", "Min", "ReduceSum", "ReduceMean", "MatMul", "Neg", "Softmax"), f"v{index}"
        if op in ("ReduceSum", "ReduceMean"):
            keep = int(rng.integers(2))
            nodes.append(node(op, [last], [name], keepdims=keep))
            shape = (1,) * len(shape) if keep else ()
        elif op == "MatMul" and shape:
            constants[f"k{index}"] = normal(rng, (shape[-1], 3))
            nodes.append(node(op, [last, f"k{index}"], [name]))
            shape = (*shape[:-1], 3)
        elif op == "Neg" or op == "MatMul" or (op == "Softmax" and not shape):
            nodes.append(node("Neg", [last], [name]))
        elif op == "Softmax":
            nodes.append(node(op, [last], [name], axis=int(rng.integers(-len(shape), len(shape)))))
        else:
            other = one_of(rng, (), (1,), shape, shape[-1:])
            constants[f"k{index}"] = np.asarray(np.abs(normal(rng, other)) + 1, np.float32)
            nodes.append(node(op, [last, f"k{index}"] if rng.random() < 0.5 else [f"k{index}", last], [name]))
            shape = np.broadcast_shapes(shape, other)
        last = name
    nodes.append(node("Abs", [last], ["y"]))
    return made(f"low rank {start} {[n.op_type for n in nodes]}", nodes, {"x": start}, constants, rng)


def empties(rng: Rng) -> Case:
    """Parts without elements that vanish in a Concat."""
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
    axis = int(rng.integers(len(shape)))
    none = (*shape[:axis], 0, *shape[axis + 1 :])
    parts, nodes, constants = ["x"], [], {}
    for index in range(int(rng.integers(1, 4))):
        kind, name = one_of(rng, "constant", "slice", "split", "relu"), f"e{index}"
        if kind == "constant":
            constants[name] = np.zeros(none, np.float32)
        elif kind == "slice":
            constants |= {f"{name}s": ints(1), f"{name}a": ints(axis)}
            nodes.append(node("Slice", ["x", f"{name}s", f"{name}s", f"{name}a"], [name]))
        else:
            constants[f"{name}n"] = ints(0, shape[axis])
            nodes.append(node("Split", ["x", f"{name}n"], [f"{name}e", f"{name}r"], axis=axis))
            nodes.append(node("Relu", [f"{name}e" if kind == "split" else f"{name}r"], [name]))
        parts.insert(int(rng.integers(len(parts) + 1)), name)
    nodes.append(node("Concat", parts, ["j"], axis=axis - (len(shape) if rng.random() < 0.5 else 0)))
    nodes.append(node("Relu", ["j"], ["y"]))
    return made(f"empty {shape} {axis} {parts}", nodes, {"x": shape}, constants, rng)


def noops(rng: Rng) -> Case:
    """One to four nodes that give their input back, from input to output, or in front of a Relu."""
    shape = tuple(int(n) for n in rng.integers(1, 4, 4))
    nodes, last, constants = (
        [],
        "x",
        {"one": np.array(1, np.float32), "true": np.array(True), "ones": ints(1, 1, 1, 1), "scales": np.ones(4, np.float32)},
    )
    constants |= {
        "axis": ints(1),
        "all": np.arange(shape[1]),
        "none": np.zeros(8, np.int64),
        "sizes": ints(*shape),
        "other": np.zeros(shape, np.float32),
    }
    constants |= {"false": np.array([False]), "flat": ints(0, 0, -1, shape[3])}
    for index in range(int(rng.integers(1, 5))):
        name, kind = f"v{index}", int(rng.integers(22))
        table = [
            [node("Cast", [last], [name], to=FLOAT)], [node("Dropout", [last], [name])], [node("Sum", [last], [name])], [node("Max", [last], [name])],
            [node("Mean", [last], [name])], [node("Tile", [last, "ones"], [name])], [node("Gather", [last, "all"], [name], axis=1)],
            [node("Cast", [last], [f"{name}d"], to=onnx.TensorProto.DOUBLE), node("Cast", [f"{name}d"], [name], to=FLOAT)],
            [node("Where", ["true", last, "other"], [name])], [node("Where", ["false", "other", last], [name])],
            [node("Resize", [last, "", "scales"], [name])], [node("Resize", [last, "", "", "sizes"], [name], mode="linear")],
            [node("Pad", [last, "none"], [name])], [node("Reshape", [last, "flat"], [name])], [node("Transpose", [last], [name], perm=[0, 1, 2, 3])],
            [node("Mul", ["one", last], [name])], [node("Pow", [last, "one"], [name])], [node("DepthToSpace", [last], [name], blocksize=1)],
            [node("ReduceSum", [last], [name], noop_with_empty_axes=1)], [node("LeakyRelu", [last], [name], alpha=1.0)],
            [node("Expand", [last, "sizes"], [name])], [node("Identity", [last], [name])],
        ]  # fmt: skip
        nodes += table[kind]
        last = name
    ends = one_of(rng, "y", "y", "relu")
    if ends == "relu":
        nodes.append(node("Relu", [last], ["y"]))
    else:
        nodes[-1].output[0] = "y"
    return made(f"no-op {shape} {[n.op_type for n in nodes]}", nodes, {"x": shape}, constants, rng)


def known_outputs(rng: Rng) -> Case:
    """Outputs that do not depend on the input, of any type, beside one that does, some of them read inside."""
    shape = dims(rng, 1, 4)
    nodes, outputs, constants = [node("Relu", ["x"], ["y"])], ["y"], {}
    for index in range(int(rng.integers(1, 4))):
        name, kind = f"k{index}", int(rng.integers(9))
        dtype = one_of(rng, np.float32, np.int64, np.int32, np.uint8, np.int8, np.float64, bool)
        data = np.asarray(rng.integers(0, 2 if dtype is bool else 100, dims(rng, 0, 3)), dtype)
        if kind == 0:
            nodes.append(node("Shape", ["x"], [name]))
        elif kind == 1:
            nodes.append(node("Constant", [], [name], value=onnx.numpy_helper.from_array(data)))
        elif kind == 2:
            constants[name] = data
        elif kind == 3:
            constants |= {f"{name}a": normal(rng, shape), f"{name}b": normal(rng, shape[-1:])}
            nodes.append(node("Add", [f"{name}a", f"{name}b"], [name]))
            nodes.append(node("Add", [name, "x"], [f"{name}s"]))
            outputs.append(f"{name}s")
        elif kind == 4:
            constants[f"{name}c"] = data
            nodes.append(node("Identity", [f"{name}c"], [name]))
        elif kind == 5:
            branches = {
                f"{word}_branch": onnx.helper.make_graph(
                    [node(op, ["x"], ["inner"]), node("Abs" if op == "Neg" else "Neg", ["inner"], ["out"])],
                    word,
                    [],
                    [onnx.ValueInfoProto(name="out")],
                )
                for word, op in (("then", "Neg"), ("else", "Relu"))
            }
            constants[f"{name}c"] = np.array(bool(rng.integers(2)))
            nodes.append(node("If", [f"{name}c"], [name], **branches))
        elif kind == 6:
            nodes += [node("Shape", ["x"], [f"{name}s"]), node("Cast", [f"{name}s"], [name], to=FLOAT)]
        elif kind == 7:
            nodes.append(node("Size", ["x"], [name]))
        else:
            nodes.append(node("Identity", ["x"], [name]))
        outputs.append(name)
    if rng.random() < 0.3:
        nodes.append(node("Relu", ["y"], ["more"]))
        outputs.append("more")
    return made(f"known {shape} {outputs} {[n.op_type for n in nodes]}", nodes, {"x": shape}, constants, rng, outputs=outputs)


def products(rng: Rng) -> Case:
    """MatMul with operands of any rank, leading axes that broadcast, constants on either side."""
    k = int(rng.integers(1, 5))
    batch = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3)))
    shapes = []
    for side in (0, 1):
        own = tuple(1 if rng.random() < 0.4 else n for n in batch)[int(rng.integers(0, len(batch) + 1)) :]
        m = int(rng.integers(1, 5))
        shapes.append((k,) if rng.random() < 0.4 else (*own, m, k) if side == 0 else (*own, k, m))
    given = dict(zip(("a", "b"), shapes, strict=True))
    known = one_of(rng, None, None, "a", "b")
    constants = {name: normal(rng, s) for name, s in given.items() if name == known}
    nodes = [node("MatMul", ["a", "b"], ["p"]), node("Neg", ["p"], ["y"])]
    return made(f"matmul {given} known {known}", nodes, {n: s for n, s in given.items() if n != known}, constants, rng)


def gathers(rng: Rng) -> Case:
    """By numbers, lists and tables of indices, on any axis; with runs, repeats, flips and shuffles."""
    shape = tuple(int(n) for n in rng.integers(1, 7, rng.integers(1, 5)))
    axis = int(rng.integers(len(shape)))
    size = shape[axis]
    kind = int(rng.integers(7))
    index = [
        np.array(rng.integers(-size, size)), rng.integers(-size, size, 1), rng.integers(-size, size, rng.integers(1, 7)),
        rng.integers(0, size, (2, 3)),
        np.arange(size)[::-1], np.repeat(np.arange(size), rng.integers(1, 4)), np.arange(size)[:: int(one_of(rng, 1, 2, -2))],
    ][kind]  # fmt: skip
    if rng.random() < 0.2 and size % 2 == 0:
        index = np.arange(size).reshape(2, size // 2).T.reshape(-1)
    if rng.random() < 0.2:
        depth = int(rng.integers(1, len(shape) + 1))
        table = np.stack([rng.integers(-n, n, 4) for n in shape[:depth]], axis=1)
        return made(f"gather nd {shape} {table.tolist()}", wrapped(rng, [node("GatherND", ["x", "i"], ["y"])]), {"x": shape}, {"i": table}, rng)
    constants: dict[str, Any] = {"i": index.astype(one_of(rng, np.int64, np.int32))}
    nodes = wrapped(rng, [node("Gather", ["x", "i"], ["y"], axis=axis - (len(shape) if rng.random() < 0.3 else 0))])
    return made(f"gather {shape} {axis} {index.tolist()}", nodes, {"x": shape}, constants, rng)


def tiles(rng: Rng) -> Case:
    """Tile, Expand, and Where with a condition that is the same everywhere."""
    shape = dims(rng, 1, 4, 3)
    op = one_of(rng, "Tile", "Expand", "Where")
    if op == "Tile":
        constants: dict[str, Any] = {"r": rng.integers(1, 4, len(shape))}
        return made(f"tile {shape} {constants}", wrapped(rng, [node("Tile", ["x", "r"], ["y"])]), {"x": shape}, constants, rng)
    if op == "Expand":
        shape = tuple(1 if rng.random() < 0.6 else n for n in shape)
        target = (*dims(rng, 0, 1), *(n if n > 1 or rng.random() < 0.3 else int(rng.integers(1, 5)) for n in shape))
        return made(f"expand {shape} {target}", wrapped(rng, [node("Expand", ["x", "s"], ["y"])]), {"x": shape}, {"s": ints(*target)}, rng)
    other = one_of(rng, (), (1,), shape, (2, *shape))
    condition = np.full(one_of(rng, (), (1,), shape[-1:], (3, *shape)) if len(other) <= len(shape) else (), bool(rng.integers(2)))
    nodes = [node("Where", ["c", "x", "z"] if rng.random() < 0.5 else ["c", "z", "x"], ["w"]), node("Neg", ["w"], ["y"])]
    return made(f"where {shape} {other} {condition.shape}", nodes, {"x": shape, "z": other}, {"c": condition}, rng)


def many(rng: Rng) -> Case:
    """Sum, Mean, Max and Min of one to five tensors."""
    shape = dims(rng, 0, 4)
    inputs, constants = {"x": shape}, {}
    for index in range(int(rng.integers(0, 5))):
        own = tuple(1 if rng.random() < 0.3 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
        if rng.random() < 0.4:
            constants[f"c{index}"] = normal(rng, own)
        else:
            inputs[f"i{index}"] = own
    names = [str(n) for n in rng.permutation([*inputs, *constants])]
    op = one_of(rng, "Sum", "Mean", "Max", "Min")
    return made(f"{op} {inputs} {list(constants)}", [node(op, names, ["y"])], inputs, constants, rng)


def one_axis(rng: Rng) -> Case:
    """Networks over one axis: convolutions, pools, norms, activations, residuals."""
    n, c, w = int(rng.integers(1, 3)), int(one_of(rng, 1, 2, 4, 6)), int(rng.integers(6, 20))
    nodes, constants, last, start = [], {}, "x", (n, c, w)
    for index in range(int(rng.integers(1, 5))):
        name = f"v{index}"
        kind = one_of(rng, "conv", "conv", "conv", "pool", "norm", "act", "residual", "swish")
        if kind in ("conv", "residual"):
            group = one_of(rng, 1, 1, c, 2 if c % 2 == 0 else 1)
            out = c if kind == "residual" else group * int(rng.integers(1, 4))
            k, d = int(rng.integers(1, 4)), int(rng.integers(1, 3))
            more: dict[str, object] = {"group": group, "dilations": [d]}
            if kind == "residual":
                more |= {"auto_pad": one_of(rng, "SAME_UPPER", "SAME_LOWER"), "dilations": [1]}
            else:
                more |= {"pads": [int(p) for p in rng.integers(0, 3, 2)], "strides": [int(rng.integers(1, 3))]}
                reach = (k - 1) * d + 1
                if w + sum(more["pads"]) < reach:  # type: ignore[arg-type]
                    continue
                w = (w + sum(more["pads"]) - reach) // more["strides"][0] + 1  # type: ignore[index,arg-type]
            constants[f"{name}w"] = normal(rng, (out, c // group, k)) / np.float32(np.sqrt(k * c))
            names = [last, f"{name}w"]
            if rng.random() < 0.5:
                constants[f"{name}b"], names = normal(rng, (out,)), [*names, f"{name}b"]
            nodes.append(node("Conv", names, [f"{name}c" if kind == "residual" else name], **more))
            if kind == "residual":
                nodes.append(node("Add", [f"{name}c", last], [name]))
            c = out
        elif kind == "pool" and w >= 3:
            op = one_of(rng, "MaxPool", "AveragePool")
            nodes.append(node(op, [last], [name], kernel_shape=[2], strides=[2], pads=[0, 1], ceil_mode=int(rng.integers(2))))
            nodes.append(node("Relu", [name], [f"{name}r"]))
            w = -1
            name = f"{name}r"
        elif kind == "norm":
            for letter in "sbm":
                constants[f"{name}{letter}"] = normal(rng, (c,))
            constants[f"{name}v"] = np.abs(normal(rng, (c,))) + np.float32(0.5)
            nodes.append(node("BatchNormalization", [last, *(f"{name}{letter}" for letter in "sbmv")], [name]))
        elif kind == "swish":
            nodes += [node("Sigmoid", [last], [f"{name}g"]), node("Mul", [last, f"{name}g"], [name])]
        else:
            constants[f"{name}k"] = normal(rng, one_of(rng, (), (c, 1), (1, c, 1)))
            nodes += [node(one_of(rng, "Add", "Mul"), [last, f"{name}k"], [f"{name}t"]), node(one_of(rng, "Relu", "Tanh"), [f"{name}t"], [name])]
        last = name
        if w == -1:
            break
    end = one_of(rng, "GlobalAveragePool", "GlobalMaxPool", "Neg", "Flatten", "ReduceMean", "Slice")
    if end == "ReduceMean":
        constants["ax"] = ints(-1)
        nodes.append(node("ReduceMean", [last, "ax"], ["y"], keepdims=int(rng.integers(2))))
    elif end == "Slice":
        constants |= {"ss": ints(-1), "se": ints(-100), "sa": ints(2)}
        nodes.append(node("Slice", [last, "ss", "se", "sa", "ss"], ["y"]))
    else:
        nodes.append(node(end, [last], ["y"]))
    return made(f"1-D {start} {[f'{m.op_type}' for m in nodes]}", nodes, {"x": start}, constants, rng)


def outer_products(rng: Rng) -> Case:
    """Rows and columns out of vectors."""
    lengths = [int(v) for v in rng.integers(1, 6, 2)]
    axes = one_of(rng, ([1], [0]), ([0], [1]), ([1], None), (None, [1]), ([0, 2], [0, 1]))
    nodes, constants, names = [], {}, []
    for index, own in enumerate(axes):
        name = "ab"[index]
        if rng.random() < 0.6:
            nodes.append(node(one_of(rng, "Relu", "Abs", "Exp"), [name], [f"{name}f"]))
            name += "f"
        if own is not None:
            constants[f"{name}x"] = ints(*own)
            nodes.append(node("Unsqueeze", [name, f"{name}x"], [f"{name}u"]))
            name += "u"
        names.append(name)
    op = one_of(rng, "Mul", "Add", "Sub", "Max", "Min", "Mul")
    nodes += [node(op, names, ["o"]), node("Neg", ["o"], ["y"])]
    return made(f"outer {lengths} {axes} {op}", nodes, {"a": (lengths[0],), "b": (lengths[1],)}, constants, rng)


def reductions(rng: Rng) -> Case:
    """Any axes, kept or not, none, or the one that does nothing."""
    shape = dims(rng, 1, 4)
    op = one_of(rng, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin")
    axes = [int(a) - (len(shape) if rng.random() < 0.3 else 0) for a in rng.permutation(len(shape))[: rng.integers(0, len(shape) + 1)]]
    given = rng.random() < 0.8
    nodes = [node(op, ["x", "a"] if given else ["x"], ["y"], keepdims=int(rng.integers(2)), noop_with_empty_axes=int(rng.integers(2)))]
    return made(f"{op} {shape} {axes if given else None}", wrapped(rng, nodes), {"x": shape}, {"a": ints(*axes)} if given else {}, rng)


def shapes_only(rng: Rng) -> Case:
    """Transpose, Flatten, Reshape with 0 and -1, Squeeze, Unsqueeze, Softmax, Concat and Split on any rank."""
    shape = dims(rng, 0, 5, 4)
    kind = one_of(rng, "Transpose", "Flatten", "Reshape", "Squeeze", "Softmax", "Concat", "Split", "Norm")
    constants: dict[str, Any] = {}
    if kind == "Transpose":
        nodes = [node(kind, ["x"], ["y"], **({"perm": [int(p) for p in rng.permutation(len(shape))]} if shape and rng.random() < 0.8 else {}))]
    elif kind == "Flatten":
        nodes = [node(kind, ["x"], ["y"], axis=int(rng.integers(-len(shape), len(shape) + 1)))]
    elif kind == "Reshape":
        keep = int(rng.integers(0, len(shape) + 1))
        constants["s"] = ints(*[0] * keep, -1)
        nodes = [node(kind, ["x", "s"], ["y"])]
    elif kind == "Squeeze":
        shape = tuple(1 if rng.random() < 0.5 else n for n in shape)
        nodes = [node(kind, ["x"], ["y"])]
    elif kind == "Softmax":
        shape = shape or (3,)
        nodes = [node(one_of(rng, "Softmax", "LogSoftmax"), ["x"], ["y"], axis=int(rng.integers(-len(shape), len(shape))))]
    elif kind == "Concat":
        shape = shape or (3,)
        constants["c"] = normal(rng, shape)
        nodes = [node(kind, [one_of(rng, "x", "c"), "x", "c"], ["y"], axis=int(rng.integers(-len(shape), len(shape))))]
    elif kind == "Norm":
        shape = (2, 3) if rng.random() < 0.5 else (2, 3, 2)
        constants |= {name: np.abs(normal(rng, (3,))) + np.float32(0.5) for name in "sbmv"}
        nodes = [node("BatchNormalization", ["x", *"sbmv"], ["y"])]
    else:
        shape = (*shape, 4)
        constants["n"] = ints(1, 0, 3)
        nodes = [node(kind, ["x", "n"], ["p", "q", "r"], axis=-1), node("Concat", ["r", "q", "p"], ["y"], axis=len(shape) - 1)]
    return made(f"{kind} {shape} {constants.keys()}", wrapped(rng, nodes), {"x": shape}, constants, rng)


KINDS: dict[str, Callable[[Rng], Case]] = {
    made_by.__name__: made_by
    for made_by in (
        pads, slices, gemms, pools, low_ranks, empties, noops, known_outputs, products, gathers, tiles, many, one_axis, outer_products, reductions,
        shapes_only,
    )
}  # fmt: skip
