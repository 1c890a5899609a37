"""Graph to plan: what is computed together, what is copied, where it lies, and that odd graphs still compute what ONNX Runtime computes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiled import LEVELS, Case, run_compiled, wrong
from edge import passes, plan
from edge.errors import EdgeError
from edge.kernels.core import Core
from edge.plan.grouping import grouped
from edge.plan.memory import ALIGN, placed
from edge.targets import host
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, Layout
from edge.words.plan import Buffer, Plan
from edge.words.step import Access, Operand, Step
from graphs import Weights, ops, proto, small

V4 = LEVELS["v4"].core

COPIES = {"channels_f32", "copy_f32"}
W = {"w": (20, 5, 1, 1), "v": (20, 20, 1, 1)}
X = "(float[1,5,6,7] x) => (float[1,20,6,7] y)"


def planned(text: str, weights: Weights | None = None, *, cores: Mapping[str, Core] | None = None) -> Plan:
    return plan.make(passes.optimize(small(text, weights)), cores or {"v4": V4})


GROUPED = [
    ("a convolution takes its activation", f"{X} {{ c = Conv (x, w) y = Relu (c) }}", ["Conv + Relu -> y"]),
    (
        "activation, residual, activation",
        f"{X} {{ r = Conv (x, w) e = Exp (r) c = Conv (e, v) a = Relu (c) s = Add (a, e) y = HardSwish (s) }}",
        ["Conv + Exp -> e", "Conv + Relu + residual + HardSwish -> y"],
    ),
    (
        "a residual that is computed later is added apart",
        f"{X} {{ c = Conv (x, w) d = Conv (x, u) e = Softmax (d) y = Add (c, e) }}",
        ["Conv -> c", "Conv -> d", "Softmax -> e", "Add -> y"],
    ),
    (
        "of two convolutions that meet the later one adds",
        f"{X} {{ a = Conv (x, w) b = Conv (x, u) y = Add (a, b) }}",
        ["Conv -> a", "Conv + residual -> y"],
    ),
    ("a value that is read twice stays", f"{X} {{ c = Conv (x, w) a = Relu (c) y = Add (a, c) }}", ["Conv -> c", "Relu -> a", "Add -> y"]),
    (
        "an output in the middle stays",
        "(float[1,5,6,7] x) => (float[1,20,6,7] c, float[1,20,6,7] y) { c = Conv (x, w) y = Relu (c) }",
        ["Conv -> c", "Relu -> y"],
    ),
    (
        "a residual of another shape is no residual",
        f"{X} {{ g = Conv (x, w) m = GlobalAveragePool (g) c = Conv (g, v) y = Add (c, m) }}",
        ["Conv -> g", "GlobalAveragePool -> m", "Conv -> c", "Add -> y"],
    ),
    ("an input is a residual", "(float[1,20,6,7] x) => (float[1,20,6,7] y) { c = Conv (x, v) y = Add (c, x) }", ["Conv + residual -> y"]),
    ("twice the same value is no residual", f"{X} {{ c = Conv (x, w) y = Add (c, c) }}", ["Conv -> c", "Add -> y"]),
    ("softmax takes nothing", f"{X} {{ c = Conv (x, w) s = Softmax (c) y = Neg (s) }}", ["Conv -> c", "Softmax -> s", "Neg -> y"]),
]


@pytest.mark.parametrize(("text", "groups"), [case[1:] for case in GROUPED], ids=[case[0] for case in GROUPED])
def test_what_is_computed_together(text: str, groups: list[str]) -> None:
    made = grouped(small(text, {n: w for n, w in (W | {"u": (20, 5, 1, 1)}).items() if f" {n})" in text}).graph)
    assert [f"{group.title} -> {group.output}" for group in made] == groups


def test_every_node_is_in_one_group() -> None:
    model = passes.optimize(small(GROUPED[1][1], W))
    covered = [name for group in grouped(model.graph) for name in group.covers]
    assert sorted(covered) == sorted(str(value.name) for node in model.graph for value in node.outputs)


FASTERNET = """(float[{n},{c},8,8] x) => (float[{n},{c},8,8] y) {{ x0 = Conv (x, w0) h = Slice (x0, zero, q, axis) t = Slice (x0, q, c, axis)
    d = Conv <pads=[1,1,1,1]> (h, w3) j = Concat <axis=1> (d, t) p = Conv (j, w1) a = Relu (p) b = Conv (a, w2) y = Add (b, x0) }}"""


def fasternet(channels: int = 40, n: int = 1) -> tuple[str, Weights]:
    """One block: a 3x3 over a quarter of the channels, the rest untouched, two 1x1 and a residual."""
    q = channels // 4
    weights: dict[str, object] = {"w0": (channels, channels, 1, 1), "w1": (2 * channels, channels, 1, 1), "w2": (channels, 2 * channels, 1, 1)}
    weights |= {"w3": (q, q, 3, 3), "zero": np.array([0]), "q": np.array([q]), "c": np.array([channels]), "axis": np.array([1])}
    return FASTERNET.format(n=n, c=channels), weights  # type: ignore[return-value]


@pytest.mark.parametrize("channels", [16, 40, 64])
def test_a_partial_convolution_copies_nothing_but_the_picture(channels: int) -> None:
    made = planned(*fasternet(channels))
    assert [step.kernel for step in made.steps if step.kernel in COPIES] == ["channels_f32", "channels_f32"]  # the input in, the output out
    (wide,) = (step for step in made.steps if step.name == "a")
    assert [operand.view for operand in wide.inputs] == [(0, channels // 4), (channels // 4, channels - channels // 4)]


RESHAPED: list[tuple[str, str, Weights, int]] = [
    ("pooled channels", f"{X.replace('20,6,7', '20')} {{ c = Conv (x, w) g = GlobalAveragePool (c) r = Reshape (g, to) y = Softmax (r) }}", W, 1),
    ("numbers in rows", "(float[2,3,4] x) => (float[2,12] y) { r = Relu (x) f = Reshape (r, to) y = Softmax (f) }", {}, 0),
    ("an output", "(float[2,3,4] x) => (float[2,12] y) { r = Relu (x) y = Reshape (r, to) }", {}, 1),
]


@pytest.mark.parametrize(("text", "weights", "copies"), [case[1:] for case in RESHAPED], ids=[case[0] for case in RESHAPED])
def test_a_reshape_copies_nothing(text: str, weights: Weights, copies: int) -> None:
    """copies: those of the picture in, and of a result that lies in the arena out."""
    given = {n: w for n, w in weights.items() if f" {n})" in text} | {"to": np.array([1, 20] if weights else [2, 12])}
    assert "Reshape" in ops(passes.optimize(small(text, given)))
    assert [s.kernel in COPIES for s in planned(text, given).steps].count(True) == copies


def test_a_squeeze_excite_copies_nothing_but_the_picture() -> None:
    chain = "r = Reshape (g, flat) d = Gemm <transB=1> (r, fc) a = Relu (d) k = Reshape (a, square) s = Conv (k, v)"
    text = f"{X} {{ c = Conv (x, w) g = GlobalAveragePool (c) {chain} h = HardSigmoid (s) m = Mul (c, h) y = Relu (m) }}"
    weights = W | {"flat": np.array([1, 20]), "square": np.array([1, 20, 1, 1]), "fc": (20, 20)}
    assert [s.kernel for s in planned(text, weights).steps if s.kernel in COPIES] == ["channels_f32"] * 2


TWO_LAYOUTS: tuple[str, Weights] = (
    """(float[2,20,3,4] x) => (float[2,20,3,4] y)
       { a = Conv (x, v) s = Softmax <axis=1> (x) b = Conv (s, u) c = Add (a, b) t = Softmax (x) d = Conv (x, u) e = Add (c, d) y = Add (e, t) }""",
    {"v": (20, 20, 1, 1), "u": (20, 20, 1, 1)},
)


def test_a_value_needed_in_both_layouts_is_copied_once() -> None:
    made = planned(*TWO_LAYOUTS)
    assert [step.name for step in made.steps if step.operands[0].buffer == "x"].count("x@blocked16") == 1
    assert not any(step.output.startswith("x@planar") for step in made.steps)


NETS = {
    "FasterNet block": fasternet(),
    "batch of 3": fasternet(n=3),
    "residual": (GROUPED[1][1], W),
    "two outputs": ("(float[2,5,6,7] x) => (float[2,20,6,7] c, float[2,20,6,7] y) { c = Conv (x, w) y = Relu (c) }", {"w": W["w"]}),
    "dense": ("(float[2,33] x) => (float[2,7] y) { a = Gemm <transB=1> (x, w, b) y = Softmax (a) }", {"w": (7, 33), "b": (7,)}),
}


@pytest.mark.parametrize("name", NETS)
def test_what_holds_for_every_plan(name: str) -> None:
    first = planned(*NETS[name], cores={level: LEVELS[level].core for level in ("v4", "v3", "v2")})
    for level, column in first.levels.items():
        assert len(column.schedules) == len(first.steps) and set(column.code) == {level}, "their registers differ"
        assert all(schedule.chunks > 0 for schedule in column.schedules)
    written: set[str] = set(first.inputs)
    for step in first.steps:
        assert all(name in first.constants for name in step.constants)
        read = {first.buffers[operand.buffer].storage for operand in step.inputs}
        assert read <= written, (step.name, read - written)
        assert step.bytes > 0 and [o.buffer for o in step.operands if o.field == "y"] == [step.output]
        written.add(first.buffers[step.output].storage)
    assert len({step.name for step in first.steps}) == len(first.steps)
    model = passes.optimize(small(*NETS[name]))
    known = {str(v.name) for node in model.graph for v in node.outputs} | set(first.inputs)
    assert {c for step in first.steps for c in step.covers} <= known
    assert set(first.outputs) <= known
    assert [first.buffers[b].place for b in first.delivered] == ["output"] * len(first.outputs)
    assert_disjoint(first)


def assert_disjoint(made: Plan) -> None:
    """No two buffers of the arena that live at the same step share a byte, unless one is the other read in another shape."""
    arena = [b for b in made.buffers.values() if b.place == "arena"]
    assert all(b.offset % ALIGN == 0 and b.offset + b.size <= made.arena_bytes for b in arena)
    for a, b in combinations(arena, 2):
        if a.first <= b.last and b.first <= a.last and a.storage != b.storage:
            assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset, (a.name, b.name)


@pytest.mark.parametrize("name", NETS)
def test_buffers_in_one_place_are_seen(name: str) -> None:
    """The check above fails for a planner that puts every buffer at the same offset."""
    made = planned(*NETS[name])
    if len({b.storage for b in made.buffers.values() if b.place == "arena"}) < 2:
        return
    piled = replace(made, buffers={key: replace(b, offset=0) for key, b in made.buffers.items()})
    with pytest.raises(AssertionError):
        assert_disjoint(piled)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_memory_is_never_shared_by_two_that_live(data: st.DataObject) -> None:
    """Random steps on random buffers, some of them other shapes of one storage."""
    count = data.draw(st.integers(1, 9))
    buffers = {f"b{i}": Buffer(f"b{i}", (1, data.draw(st.integers(1, 400))), Dtype.F32) for i in range(count)}
    for i in range(data.draw(st.integers(0, 3))):
        root = data.draw(st.sampled_from(sorted(b for b in buffers if b.startswith("b"))))
        layout = data.draw(st.sampled_from([PLANAR, Layout(16)]))
        buffers[f"a{i}"] = Buffer(f"a{i}", (1, data.draw(st.integers(1, 40)), 1, 1), Dtype.F32, layout, shares=root)
    steps = []
    for i in range(data.draw(st.integers(1, 12))):
        names = data.draw(st.lists(st.sampled_from(sorted(buffers)), min_size=1, max_size=4, unique=True))
        reads = tuple(Operand(f"x{k}", name) for k, name in enumerate(names[1:]))
        steps.append(Step(f"s{i}", "op", "k", (*reads, Operand("y", names[0], Access.WRITE))))
    outputs = data.draw(st.lists(st.sampled_from(sorted(buffers)), max_size=2))
    found, arena = placed(buffers, steps, outputs)
    root = lambda name: buffers[name].storage  # noqa: E731
    need = {}
    for name in found:
        need[root(name)] = max(need.get(root(name), 0), -(-buffers[name].size // ALIGN) * ALIGN)
    used = {root(name): [i for i, step in enumerate(steps) if any(root(o.buffer) == root(name) for o in step.operands)] for name in found}
    for name in outputs:
        if root(name) in used:
            used[root(name)].append(len(steps))
    for a, b in combinations(sorted(found), 2):
        low, high = found[a], found[b]
        if root(a) == root(b):
            assert low.offset == high.offset
        elif min(used[root(a)]) <= max(used[root(b)]) and min(used[root(b)]) <= max(used[root(a)]):
            assert low.offset + need[root(a)] <= high.offset or high.offset + need[root(b)] <= low.offset, (a, b)
    assert {o.buffer for step in steps for o in step.operands} <= set(found)
    assert arena <= sum(need.values()) and arena >= max(need.values())
    for i in range(len(steps)):
        assert arena >= sum(need[r] for r in need if min(used[r]) <= i <= max(used[r]))


def test_an_unused_input_keeps_its_place() -> None:
    made = planned("(float[2,3] x, float[4] z) => (float[2,3] y) { y = Relu (x) }")
    assert (made.inputs, made.buffers["z"].place, made.buffers["z"].index) == (("x", "z"), "input", 1)


ONE = np.array([1])
SLICE = {"zero": np.array([0]), "one": ONE, "three": np.array([3]), "axis": ONE, "q": np.array([7]), "r": np.array([15])}
ODD: list[tuple[str, str, Weights]] = [
    ("an output is an input", "(float[2,3] x) => (float[2,3] y) { y = Identity (x) }", {}),
    ("one value as two outputs", "(float[2,3] x) => (float[2,3] y, float[2,3] z) { y = Relu (x) z = Identity (y) }", {}),
    ("a constant output", "(float[2,3] x) => (float[2,3] y, float[3] z) { y = Relu (x) z = Identity (k) }", {"k": (3,)}),
    ("a function of constants only", "(float[2,3] x) => (float[2,3] y, float[3] z) { y = Relu (x) z = Relu (k) }", {"k": (3,)}),
    ("a reshaped constant", "(float[2,3] x) => (float[2,3] y, float[3,1] z) { y = Relu (x) z = Reshape (k, s) }", {"k": (3,), "s": np.array([3, 1])}),
    (
        "a convolution of constants",
        "(float[2,3] x) => (float[2,3] y, float[1,9,4,4] z) { y = Relu (x) z = Conv (k, w) }",
        {"k": (1, 5, 4, 4), "w": (9, 5, 1, 1)},
    ),
    ("an unused input", "(float[2,3] x, float[4] u) => (float[2,3] y) { y = Relu (x) }", {}),
    ("the same value joined twice", "(float[2,5,6,7] x) => (float[2,40,6,7] y) { c = Conv (x, w) y = Concat <axis=1> (c, c) }", {"w": W["w"]}),
    (
        "views of views",
        "(float[2,5,6,7] x) => (float[2,9,6,7] y) { c = Conv (x, w) a = Slice (c, one, r, axis) b = Slice (a, three, q, axis) "
        "j = Concat <axis=1> (b, a) k = Slice (j, one, r, axis) y = Conv (k, v) }",
        {"w": W["w"], "v": (9, 14, 1, 1), **SLICE},
    ),
    (
        "a slice of the picture, batch 2",
        "(float[2,5,6,7] x) => (float[2,9,4,5] y) { a = Slice (x, one, three, axis) y = Conv (a, v) }",
        {"v": (9, 2, 3, 3), "one": ONE, "three": np.array([3]), "axis": ONE},
    ),
    (
        "a slice of the picture, 1x1",
        "(float[2,5,6,7] x) => (float[2,9,6,7] y) { a = Slice (x, one, three, axis) y = Conv (a, v) }",
        {"v": (9, 2, 1, 1), "one": ONE, "three": np.array([3]), "axis": ONE},
    ),
    (
        "one weight in two groupings",
        "(float[1,8,5,5] x, float[1,24,5,5] z) => (float[1,48,3,3] y, float[1,48,3,3] u) { y = Conv <group=2> (x, w) u = Conv <group=6> (z, w) }",
        {"w": (48, 4, 3, 3)},
    ),
    (
        "a value named like a packed weight",
        '(float[1,5,6,7] x) => (float[1,20,6,7] y) { c = Conv (x, w) "w@matrix" = Relu (c) d = Exp ("w@matrix") y = Add (d, "w@matrix") }',
        {"w": W["w"]},
    ),
    (
        "values named like copies of others",
        '(float[1,5,6,7] x, float[20,6,7] p) => (float[1,20,6,7] y, float[20,42] "y@out", float[1,20,6,7] "x@planar") '
        '{ c = Conv (x, w) "p@3" = Relu (c) "p@4" = Exp (c) d = Add ("p@4", p) "x@blocked16" = Add (d, "p@3") y = Mul ("x@blocked16", "p@4") '
        '"y@out" = Reshape (y, flat) "x@planar" = Softmax (y) }',
        {"w": W["w"], "flat": np.array([20, 42])},
    ),
    (
        "a weight named like another one's packing",
        '(float[1,5,6,7] x) => (float[1,20,6,7] y) { c = Conv (x, w) "w@channels" = Conv (c, "w@matrix") y = Add ("w@channels", c) }',
        {"w": W["w"], "w@matrix": W["v"]},
    ),
    ("a noop reduction", "(float[2,3] x) => (float[2,3] y) { r = ReduceSum <noop_with_empty_axes=1> (x) y = Relu (r) }", {}),
    ("a reduction of everything", "(float[2,3,4] x) => (float[1,1,1] y) { r = ReduceSum (x) y = Relu (r) }", {}),
    ("a scalar output", "(float[2,3,4] x) => (float y) { y = ReduceMean <keepdims=0> (x) }", {}),
    ("a constant on the left of MatMul", "(float[2,3,4] x) => (float[2,5,4] y) { y = MatMul (k, x) }", {"k": (5, 3)}),
    ("a constant stack of matrices", "(float[2,3,4] x) => (float[2,3,5] y) { y = MatMul (x, k) }", {"k": (2, 4, 5)}),
    (
        "a batch of 3 through one pixel",
        "(float[3,5,1,1] x) => (float[3,7] y) { c = Conv (x, w) a = Conv (c, v) y = Flatten (a) }",
        {"w": W["w"], "v": (7, 20, 1, 1)},
    ),
    ("FasterNet, batch of 3", *fasternet(20, 3)),
    ("two layouts of one value", *TWO_LAYOUTS),
    (
        "a pad of minus zero",
        "(float[2,3] x) => (float[2,5] y) { p = Pad (x, pads, k) y = Reciprocal (p) }",
        {"pads": np.array([0, 1, 0, 1]), "k": np.array(-2.5, np.float32)},
    ),
    ("a computed weight", "(float[1,5,9,9] x, float[4,5,3,3] w) => (float[1,4,7,7] y) { y = Conv (x, w) }", {}),
    ("a computed bias", "(float[3,4] x, float[5] b) => (float[3,5] y) { y = Gemm (x, w, b) }", {"w": (4, 5)}),
    ("a bias for each row", "(float[3,4] x) => (float[3,5] y) { y = Gemm <transB=1, beta=0.5> (x, w, b) }", {"w": (5, 4), "b": (3, 1)}),
    ("a matrix on its side", "(float[4,3] x) => (float[3,5] y) { y = Gemm <transA=1, alpha=2.0> (x, w, b) }", {"w": (4, 5), "b": (5,)}),
    ("a maximum of three", "(float[3] x, float[3] p, float[3] q) => (float[3] y) { y = Max (x, p, q) }", {}),
    (
        "seven axes",
        "(float[2,3,1,2,1,2,2] x, float[2,1,2,1,2,1,2] p) => (float[2,2,2,2,2,3,2] y) { s = Add (x, p) y = Transpose <perm=[6,5,4,3,2,1,0]> (s) }",
        {},
    ),
    ("matrices by broadcast stacks", "(float[2,1,3,4] x, float[1,5,4,3] z) => (float[2,5,3,3] y) { y = MatMul (x, z) }", {}),
    ("a pool over one axis", "(float[1,5,9] x) => (float[1,5,7] y) { y = MaxPool <kernel_shape=[3]> (x) }", {}),
    ("a sum over axes apart", "(float[1,5,9,9] x) => (float[1,1,9,1] y) { y = ReduceSum (x, axes) }", {"axes": np.array([1, 3])}),
    ("a mirror", '(float[4] x) => (float[6] y) { y = Pad <mode="reflect"> (x, p) }', {"p": np.array([1, 1])}),
    ("a pad that cuts", "(float[4] x) => (float[4] y) { y = Pad (x, p) }", {"p": np.array([-1, 1])}),
    ("a constant list of numbers", "(float[4] x) => (float[4] y, int64[2] z) { y = Relu (x) z = Identity (k) }", {"k": np.array([1, 1])}),
]


MARKED = re.compile(r'"(\w+)@(\w+)"')


def marked(text: str, weights: Weights) -> onnx.ModelProto:
    """The graph of a text that quotes names with an @, which ONNX's text form does not know."""
    plain = MARKED.sub(r"\1__\2", text)
    hidden = {f"{a}__{b}": f"{a}@{b}" for a, b in MARKED.findall(text)}
    model = proto(plain, {name.replace("@", "__"): weight for name, weight in weights.items()})
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [hidden.get(name, name) for name in names]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = hidden.get(value.name, value.name)
    return model


def odd_cases() -> list[Case]:
    made = []
    for name, text, weights in ODD:
        model = marked(text, weights)
        rng = np.random.default_rng(3)
        shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
        made.append(Case(name, model, {n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}))
    return made


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.skipif("sse4_2" not in host.features(), reason="this CPU has no SSE4.2")
def test_odd_graphs_compute_what_onnx_runtime_computes(tmp_path: Path) -> None:
    cases = odd_cases()
    assert wrong(cases, run_compiled(cases, LEVELS["v2"], tmp_path), 1e-5) == []


REFUSED: list[tuple[str, Weights, str]] = [
    (
        "(float[4] x) => (float[n] y) { a = Identity (k) y = Slice (x, a, e) }",
        {"k": np.array([1]), "e": np.array([3])},
        "Slice (node 'y'): its bounds are computed, not constant (store them as an initializer)",
    ),
    (
        "(float[4] x) => (float[n] y) { p = Identity (k) y = Pad (x, p) }",
        {"k": np.array([1, 1])},
        "Pad (node 'y'): its widths are computed, not constant (store them as an initializer)",
    ),
    (
        "(float[2,3] x, int64[1] a) => (float[2,1] y) { y = ReduceSum (x, a) }",
        {},
        "ReduceSum (node 'y'): its axes are computed, not constant (store them as an initializer)",
    ),
    (
        "(float[2,3] x, int64[1] a) => (float[2,1] y) { y = Slice (x, s, e, a) }",
        {"s": np.array([0]), "e": np.array([1])},
        "Slice (node 'y'): its bounds are computed, not constant (store them as an initializer)",
    ),
    (
        "(float16[4] x) => (float16[4] y) { y = Neg (x) }",
        {},
        "1. input 'x' (shape (4,)): is float16, which has no kernels yet (give the network float32 inputs); "
        "2. output 'y' (shape (4,)): is float16, which has no kernels yet (give the network float32 outputs)",
    ),
    (
        "(float[4] x) => (float[4] y) { h = Cast <to = 10> (x)  a = Neg (h)  b = Relu (a)  y = Cast <to = 1> (b) }",
        {},
        "Cast (node 'h'): has no kernel (end the network before it)",
    ),
]


@pytest.mark.parametrize(("text", "weights", "message"), REFUSED, ids=[case[2][:40] for case in REFUSED])
def test_what_has_no_kernel_is_refused_in_one_line(text: str, weights: Weights, message: str) -> None:
    """Straight to the plan: some of these the passes would already have rewritten or refused."""
    model = small(text, weights)
    for value in [v for node in model.graph for v in node.outputs if v.shape is None or not v.shape.is_static()]:
        value.shape = model.graph.inputs[0].shape
    with pytest.raises(EdgeError) as error:
        plan.make(model, {"v4": V4})
    assert str(error.value) == f"small: cannot be built: {message}"
