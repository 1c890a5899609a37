"""The generated C of every kernel against ONNX Runtime, on many shapes, for every ISA level this machine can run, under ASan and UBSan."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import test_bits_random
import test_integers
import test_spiking_kernels

from compiled import LEVELS, Case, Level, graph, planned, run_compiled, wrong
from edge import graph as graphs
from edge import passes
from edge.graph.integer_neurons import INTEGER_NEURONS
from edge.graph.neurons import NEURONS
from edge.kernels import kernels
from edge.ops import lowerings
from edge.targets import host

pytestmark = pytest.mark.slow

RTOL = 1e-5  #: max|d| / max|reference|
node = onnx.helper.make_node


def conv_case(seed: int) -> Case:
    """A convolution drawn at random: any kernel, stride, dilation, padding and grouping, with what may follow it in registers."""
    rng = np.random.default_rng(seed)
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    kind = pick("pointwise", "depthwise", "general", "general", "grouped")
    k = (1, 1) if kind == "pointwise" else (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    stride = (1, 1) if kind == "pointwise" else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilation = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if kind != "pointwise" else (1, 1)
    pads = [int(rng.integers(0, 3)) for _ in range(4)] if kind != "pointwise" else [0] * 4
    reach = [(k[i] - 1) * dilation[i] + 1 for i in (0, 1)]
    h, w = (max(1, reach[i] - pads[i] - pads[i + 2]) + int(rng.integers(0, 18)) for i in (0, 1))
    groups = {"grouped": int(rng.integers(2, 6))}.get(kind, 1)
    c, o = int(rng.integers(1, 12)) * groups, int(rng.integers(1, 12)) * groups
    if kind in ("pointwise", "general") and rng.random() < 0.6:
        c, o = int(rng.integers(1, 70)), int(rng.integers(1, 120))
    if kind == "depthwise":
        groups = c = o = int(rng.integers(2, 50))
    n = int(rng.integers(1, 3))
    each = (c // groups, *k)  # inputs of a sum: weights that keep it of order one, or rounding grows with its length
    weights = {"w": (rng.standard_normal((o, *each)) / np.sqrt(np.prod(each))).astype(np.float32)}
    if rng.random() < 0.7:
        weights["b"] = rng.standard_normal(o).astype(np.float32)
    act, residual = pick("", "Relu", "HardSwish", "Sigmoid", "Gelu"), rng.random() < 0.4
    names = ["x", *weights]
    nodes = [node("Conv", names, ["conv"], group=groups, strides=stride, dilations=dilation, pads=pads)]
    last = "conv"
    inputs = {"x": (n, c, h, w)}
    if act:
        nodes.append(node(act, [last], ["act"]))
        last = "act"
    if residual:
        out = [(size + pads[i] + pads[i + 2] - reach[i]) // stride[i] + 1 for i, size in enumerate((h, w))]
        inputs["r"] = (n, o, *out)
        nodes.append(node("Add", [last, "r"], ["sum"]))
        nodes.append(node("Relu", ["sum"], ["y"]))
    else:
        nodes.append(node("Identity" if not act else "Neg", [last], ["y"]))
    return graph(
        f"conv {seed}: {kind} {n}x{c}x{h}x{w} -> {o}, k{k} s{stride} d{dilation} p{pads} g{groups} {act} {'residual' if residual else ''}",
        nodes,
        inputs,
        weights,
        seed,
    )


def picture_cases() -> list[Case]:
    """Few planes, as a camera gives them: (planes, height, width), outputs, kernel, stride, dilation, padding (top, left, bottom, right)."""
    shapes = [
        ((3, 17, 33), 24, (3, 3), 2, 1, (1, 1, 1, 1)),
        ((3, 16, 32), 10, (4, 4), 4, 1, (0, 0, 0, 0)),
        ((3, 21, 45), 20, (7, 7), 2, 1, (3, 3, 3, 3)),
        ((1, 12, 28), 16, (3, 3), 1, 1, (0, 2, 1, 0)),
        ((2, 9, 31), 5, (5, 5), 1, 2, (4, 4, 4, 4)),
        ((3, 6, 5), 9, (3, 3), 1, 1, (1, 1, 1, 1)),  # a row is one vector and a bit
        ((1, 5, 3), 8, (3, 3), 1, 1, (1, 1, 1, 1)),  # a row is less than a vector
        ((3, 8, 40), 33, (2, 2), 3, 1, (0, 0, 0, 0)),  # columns that nobody reads
        ((1, 4, 200), 12, (1, 9), 8, 1, (0, 4, 0, 4)),  # rows too long to hold
        ((2, 7, 19), 6, (3, 2), 2, 3, (2, 2, 2, 2)),
    ]
    cases = []
    for (planes, h, wide), outputs, k, stride, dilation, pads in shapes:
        weights = {"w": f32(outputs, planes, *k) / np.float32(np.sqrt(planes * k[0] * k[1])), "b": f32(outputs)}
        made = node("Conv", ["x", "w", "b"], ["y"], strides=[stride] * 2, dilations=[dilation] * 2, pads=pads)
        cases.append(graph(f"picture {planes}x{h}x{wide} k{k} s{stride} d{dilation}", [made], {"x": (2, planes, h, wide)}, weights))
    return cases


def f32(*shape: int, seed: int = 7) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def unary_cases() -> list[Case]:
    ops = ["Relu", "LeakyRelu", "Elu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Gelu", "Erf", "Exp", "Abs", "Neg", "Floor"]
    cases = [graph(op, [node(op, ["x"], ["y"])], {"x": (3, 37)}, {}) for op in ops]
    positive = [graph(op, [node("Exp", ["x"], ["e"]), node(op, ["e"], ["y"])], {"x": (3, 37)}, {}) for op in ("Sqrt", "Log", "Reciprocal")]
    tanh_gelu = graph("Gelu tanh", [node("Gelu", ["x"], ["y"], approximate="tanh")], {"x": (3, 37)}, {})
    clip = graph("Clip", [node("Clip", ["x", "lo", "hi"], ["y"])], {"x": (3, 37)}, {"lo": np.float32(-0.5), "hi": np.float32(0.25)})
    silu = graph("Silu", [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])], {"x": (3, 37)}, {})
    return [*cases, *positive, tanh_gelu, clip, silu]


def binary_cases() -> list[Case]:
    shapes = [
        ((2, 5, 3, 4), (2, 5, 3, 4)),
        ((2, 5, 3, 4), (5, 1, 1)),
        ((2, 5, 3, 4), (1, 1, 3, 4)),
        ((4, 1, 6), (3, 1)),
        ((7,), (2, 3, 7)),
        ((2, 3), (1,)),
        ((2, 5, 3, 4), (2, 1, 3, 1)),
    ]
    cases = [graph(f"{op} {a} {b}", [node(op, ["p", "q"], ["y"])], {"p": a, "q": b}, {}) for op in ("Add", "Mul") for a, b in shapes]
    cases += [
        graph(f"long {op}", [node(op, ["p", "q"], ["y"])], {"p": (1, 16, 33, 64), "q": q}, {}) for op, q in (("Add", (1, 16, 33, 64)), ("Mul", (1,)))
    ]
    cases += [graph(op, [node(op, ["p", "q"], ["y"])], {"p": (3, 21), "q": (3, 21)}, {}) for op in ("Sub", "Div", "Min", "Max")]
    cases.append(graph("Pow", [node("Abs", ["p"], ["a"]), node("Pow", ["a", "q"], ["y"])], {"p": (3, 21), "q": (3, 21)}, {}))
    cases.append(graph("PRelu", [node("PRelu", ["x", "s"], ["y"])], {"x": (2, 5, 3, 4)}, {"s": f32(5, 1, 1)}))
    w = {"w": f32(20, 5, 1, 1)}
    for tail in ((20, 1, 1), (2, 20, 1, 1), (2, 1, 6, 7), (1, 20, 6, 7), (1,)):
        nodes = [node("Conv", ["x", "w"], ["c"]), node("Exp", ["c"], ["e"]), node("Sub", ["e", "q"], ["y"])]
        cases.append(graph(f"blocked Sub {tail}", nodes, {"x": (2, 5, 6, 7), "q": tail}, w))
        cases.append(
            graph(f"blocked Div constant {tail}", [*nodes[:2], node("Div", ["e", "k"], ["y"])], {"x": (2, 5, 6, 7)}, w | {"k": f32(*tail) + 3})
        )
    cases += [
        graph(f"scalar {op}", [node(op, order, ["y"])], {"x": (3, 21)}, {"k": np.float32(1.5)})
        for op in ("Add", "Sub", "Mul", "Div")
        for order in (["x", "k"], ["k", "x"])
    ]
    return cases


def shape_cases() -> list[Case]:
    conv = {"w": f32(20, 5, 3, 3), "w2": f32(9, 30, 1, 1), "w3": f32(24, 12, 3, 3)}
    x = {"x": (2, 5, 8, 9)}
    first = node("Conv", ["x", "w"], ["c"], pads=[1] * 4)

    def cut(
        source: str, target: str, low: int, high: int, axis: int = 1, step: int = 1
    ) -> tuple[onnx.NodeProto, dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]]:
        names = [f"{target}_{part}" for part in ("lo", "hi", "axis", "step")]
        return node("Slice", [source, *names], [target]), dict(zip(names, (ints(low), ints(high), ints(axis), ints(step)), strict=True))

    a, ka = cut("c", "a", 0, 13)
    b, kb = cut("c", "b", 13, 20)
    partial = [first, a, b, node("Concat", ["b", "a", "c"], ["j"], axis=1)]
    two = [first, a, node("Concat", ["a", "c"], ["j"], axis=1), node("Conv", ["j", "w33"], ["y"], pads=[1] * 4)]
    pconv = [
        first,
        *(part := [cut("c", "h", 0, 12)[0], cut("c", "t", 12, 20)[0]]),
        node("Conv", ["h", "w3"], ["d"], pads=[1] * 4),
        node("Concat", ["d", "t"], ["j"], axis=1),
        node("Conv", ["j", "w32"], ["y"]),
    ]
    kp = cut("c", "h", 0, 12)[1] | cut("c", "t", 12, 20)[1]
    assert len(part) == 2
    strided, ks = cut("x", "y", 7, -99, axis=2, step=-3)
    plain = {
        "Transpose": [node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])],
        "Transpose moves nothing": [node("Reshape", ["x", "flat"], ["r"]), node("Transpose", ["r"], ["y"], perm=[1, 0, 2])],
        "Concat axis 2": [node("Concat", ["x", "x"], ["y"], axis=2)],
        "Concat axis 3 after conv": [first, node("Concat", ["c", "c"], ["y"], axis=3)],
        "Expand": [node("Reshape", ["x", "column"], ["r"]), node("Expand", ["r", "wide"], ["y"])],
        "Flatten after conv": [first, node("Flatten", ["c"], ["y"])],
        "Softmax": [node("Softmax", ["x"], ["y"], axis=1)],
        "Softmax last": [node("Softmax", ["x"], ["y"], axis=-1)],
        "LogSoftmax": [node("LogSoftmax", ["x"], ["y"], axis=-1)],
        "ReduceMean": [node("ReduceMean", ["x", "axes12"], ["y"], keepdims=0)],
        "ReduceSum": [node("ReduceSum", ["x", "axes3"], ["y"])],
        "ReduceMax": [node("ReduceMax", ["x", "axes3"], ["y"])],
        "ReduceMin": [node("ReduceMin", ["x", "axes12"], ["y"])],
        "GlobalAveragePool": [
            first,
            node("GlobalAveragePool", ["c"], ["g"]),
            node("Flatten", ["g"], ["f"]),
            node("Gemm", ["f", "gw", "gb"], ["y"], transB=1),
        ],
        "squeeze excite": [
            first,
            node("GlobalAveragePool", ["c"], ["g"]),
            node("Conv", ["g", "s1"], ["s"]),
            node("Relu", ["s"], ["r"]),
            node("Conv", ["r", "s2"], ["u"]),
            node("HardSigmoid", ["u"], ["h"]),
            node("Mul", ["c", "h"], ["y"]),
        ],
        "two outputs of one": [first, node("Relu", ["c"], ["r"]), node("Add", ["r", "c"], ["y"])],
        "output is an input's view": [node("Reshape", ["x", "flat"], ["y"])],
    }
    extra = {
        "flat": ints(2, 1, -1),
        "column": ints(2, 5, 72, 1),
        "wide": ints(1, 1, 1, 3),
        "axes12": ints(1, 2),
        "axes3": ints(3),
        "gw": f32(10, 20),
        "gb": f32(10),
        "s1": f32(4, 20, 1, 1),
        "s2": f32(20, 4, 1, 1),
    }
    used = lambda nodes, table: {n: v for n, v in table.items() if any(n in made.input for made in nodes)}  # noqa: E731
    cases = [graph(name, nodes, x, used(nodes, conv | extra)) for name, nodes in plain.items()]
    cases.append(
        graph("views joined, read by pooling", [*partial, node("MaxPool", ["j"], ["y"], kernel_shape=[2, 2])], x, {"w": conv["w"]} | ka | kb)
    )
    cases.append(graph("views joined, read by a 3x3", two, x, {"w": conv["w"], "w33": f32(8, 33, 3, 3)} | ka))
    cases.append(graph("partial convolution", pconv, x, {"w": conv["w"], "w3": conv["w3"], "w32": f32(17, 32, 1, 1)} | kp))
    cases.append(graph("Slice backwards", [strided], x, ks))
    cases.append(graph("Pad", [node("Pad", ["x", "pads", "value"], ["y"])], x, {"pads": ints(0, 1, 2, 0, 0, 0, 1, 3), "value": np.float32(0.5)}))
    cases.append(graph("MatMul of two", [node("MatMul", ["p", "q"], ["y"])], {"p": (2, 3, 5, 7), "q": (2, 3, 7, 18)}, {}))
    cases.append(
        graph(
            "MatMul by constant",
            [node("MatMul", ["p", "w"], ["m"]), node("Add", ["m", "b"], ["y"])],
            {"p": (2, 5, 7)},
            {"w": f32(7, 18), "b": f32(18)},
        )
    )
    cases.append(
        graph(
            "Gemm",
            [node("Gemm", ["p", "w", "b"], ["g"], transB=1), node("Add", ["g", "r"], ["s"]), node("Relu", ["s"], ["y"])],
            {"p": (3, 33), "r": (3, 70)},
            {"w": f32(70, 33), "b": f32(70)},
        )
    )
    cases.append(graph("Gemm not transposed", [node("Gemm", ["p", "w"], ["y"], alpha=0.5)], {"p": (1, 33)}, {"w": f32(33, 5)}))
    for pool in ("MaxPool", "AveragePool"):
        for include in (0, 1) if pool == "AveragePool" else (0,):
            more = {"count_include_pad": include} if pool == "AveragePool" else {}
            cases.append(
                graph(
                    f"{pool} {include}",
                    [first, node(pool, ["c"], ["y"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], **more)],
                    x,
                    {"w": conv["w"]},
                )
            )
    cases.append(graph("MaxPool ceil", [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], x, {}))
    cases.append(
        graph(
            "AveragePool ceil, padding counted",
            [node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1, count_include_pad=1)],
            x,
            {},
        )
    )
    return cases


GROUPS = {"unary": unary_cases(), "binary": binary_cases(), "shape": shape_cases(), "picture": picture_cases()}
#: the compiler takes a second a convolution, so every level draws its own
CONV_SEEDS = {"v2": range(200, 216), "v3": range(100, 118), "v4": range(24), "by_element": range(300, 324), "neon": range(400, 424)}
#: levels differ in registers, which the other kernels do not know of: all cases at the best level here, every third elsewhere
BEST = next((level for level in ("v4", "v3") if LEVELS[level].needs in host.features()), "v2")


def drawn(group: str, level: str) -> list[Case]:
    everything = level in (BEST, "neon") or (group, level) == ("picture", "by_element")
    return [conv_case(seed) for seed in CONV_SEEDS[level]] if group == "conv" else GROUPS[group][:: 1 if everything else 3]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("group", ["conv", *GROUPS])
def test_c_agrees_with_onnx_runtime(group: str, level: str, tmp_path: Path) -> None:
    runnable(LEVELS[level])
    cases = drawn(group, level)
    assert wrong(cases, run_compiled(cases, LEVELS[level], tmp_path), RTOL) == []


def runnable(level: Level) -> None:
    """Skip where neither this CPU nor an emulator runs the level."""
    if level.run and not shutil.which(level.needs):
        pytest.skip(f"{level.needs} is not installed (apt-get install qemu-user)")
    if not level.run and level.needs not in host.features():
        pytest.skip(f"this CPU has no {level.needs}")


def test_every_op_has_a_case() -> None:
    """After the passes, as the plan sees them; what the passes remove or only leave at a graph's edge is in test_plan.py."""
    cases = [case for group in GROUPS.values() for case in group] + [conv_case(seed) for seed in CONV_SEEDS["v4"]]
    seen = {made.op_type for case in cases for made in passes.optimize(graphs.infer(ir.serde.deserialize_model(case.model))).graph}
    bits, integers = {"Binarize", "BinarizeAbove", "BinaryConv", "BinaryGemm"}, {"QConv", "QGemm", "QAdd", "QTable"}
    spiking = {*NEURONS, *INTEGER_NEURONS}
    elsewhere = "test_bits_random.py, test_integers.py and test_spiking_kernels.py have cases of those"
    assert set(lowerings()) - seen == {"Identity"} | bits | integers | spiking, elsewhere


def test_every_kernel_computes_a_step_of_a_case() -> None:
    """The kernels of steps in plans of the cases are all that have a record: a kernel that no op can reach is dead, and none is untested."""
    cases = [case for group in GROUPS.values() for case in group] + [conv_case(seed) for seed in CONV_SEEDS["v4"]]
    cases += [made.case for made in test_integers.drawn(2)]
    cases += test_bits_random.many(0, 40)
    called = {step.kernel for case in cases for step in planned(case, LEVELS["v4"].core).steps}
    assert called | test_spiking_kernels.SPIKING == set(kernels()), "those of spikes are in test_spiking_kernels.py"


INFINITE = [np.inf, -np.inf, np.nan]
WIDE = np.concatenate([s * np.geomspace(1e-6, 100, 400) for s in (-1, 1)] + [np.linspace(-9, 9, 721), [0.0]]).astype(np.float32)
CURVES = ["Relu", "LeakyRelu", "Elu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Gelu", "Gelu tanh", "Silu", "Clip", "Erf", "Exp", "Abs", "Neg"]
#: x times a sigmoid that is tiny but not 0: -inf, where the model has NaN
KNOWN: set[str] = set()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("level", ["v3", "neon"])
def test_activations_over_a_wide_range(level: str, tmp_path: Path) -> None:
    """Number by number, within 1e-6 of the largest of 1, the result and x (erf is a 4e-7 off, which Gelu multiplies by x / 2).

    Infinities and NaN, of any bits, as ONNX Runtime has them.
    """
    runnable(LEVELS[level])
    x = np.concatenate([WIDE, np.array(INFINITE, np.float32), np.array([0x7FC00001, 0xFFC12345], np.uint32).view(np.float32)])
    cases = [Case(case.name, widened(case.model, x.size), {"x": x}) for case in unary_cases() if case.name in CURVES]
    assert {case.name for case in cases} == set(CURVES)
    strange = []
    for case, (got,) in zip(cases, run_compiled(cases, LEVELS[level], tmp_path), strict=True):
        session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
        expected = session.run(None, {"x": x})[0]
        with np.errstate(invalid="ignore"):
            same = (
                (got == expected)
                | (np.isnan(got) & np.isnan(expected))
                | (np.abs(got - expected) <= 1e-6 * np.maximum(np.maximum(1, np.abs(x)), np.abs(expected)))
            )
        strange += [f"{case.name}({x[i]}) = {got[i]}, ONNX Runtime has {expected[i]}" for i in np.flatnonzero(~same)[:8]]
    assert set(strange) == KNOWN


def widened(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """The same graph for `count` numbers."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    made.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (count,)))
    return made
