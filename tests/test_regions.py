"""Scan, Loop, LSTM, GRU and RNN become regions: one body, however long the sequence, that computes what ONNX Runtime does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from compiled import LEVELS, Case, run_compiled, wrong
from edge import graph, passes, plan
from edge.artifact import plan_json
from edge.errors import EdgeError
from edge.graph import reading
from edge.graph.scans import enter, leave
from edge.graph.writing import to_bytes
from edge.kernels.core import Core
from edge.plan.memory import lifetimes
from edge.words.plan import Plan
from edge.words.region import Region
from graphs import Array, Weights, proto, small

slow = pytest.mark.slow
CORE = Core(4, 4, 32, by_element=True)
SUM = """(float[4] h0, float[{steps},4] x) => (float[4] h, float[{steps},4] y) {{
    h, y = Scan <num_scan_inputs = 1, body = b (float[4] hi, float[4] xi) => (float[4] ho, float[4] yo)
        {{ s = Add (hi, xi)  ho = Tanh (s)  yo = Mul (ho, s) }}> (h0, x) }}"""


def made(text: str, weights: Weights | None = None) -> Plan:
    return plan.make(passes.optimize(small(text, weights)), {"level": CORE})


def refusal(text: str, weights: Weights | None = None) -> str:
    with pytest.raises(EdgeError) as caught:
        made(text, weights)
    return str(caught.value)


def test_the_steps_do_not_grow_with_the_sequence() -> None:
    short, long = made(SUM.format(steps=5)), made(SUM.format(steps=500))
    assert [step.kernel for step in short.steps] == [step.kernel for step in long.steps]
    assert [(region.first, region.steps, region.trips) for region in long.regions] == [(1, len(long.steps) - 3, 500)]
    assert long.macs == 100 * short.macs


def test_inputs_are_read_where_they_lie_and_a_state_is_written_in_place() -> None:
    found = made(SUM.format(steps=5))
    names = [step.name for step in found.steps]
    assert names == ["hi", "s", "ho", "yo", "h", "y"]  # copies: the state's start, and both outputs into the caller's memory
    moved = [(b.shares, b.window.stride if b.window else 0) for b in found.buffers.values() if b.shares]
    assert sorted(moved) == [("hi", 0), ("x", 16), ("y", 16), ("y", 16)]


def test_a_plan_with_regions_comes_back_from_its_json() -> None:
    found = made(SUM.format(steps=5))
    again = plan_json.plan_from_json(plan_json.plan_to_json(found), "m.edge")
    assert (again.regions, again.buffers, again.states) == (found.regions, found.buffers, found.states)


def test_what_lives_at_the_edge_of_a_region_lives_in_all_of_it() -> None:
    found = made(SUM.format(steps=5))
    spans = lifetimes(found.steps, found.buffers, found.delivered, found.regions)
    assert spans["hi"] == (0, 4)
    assert spans["s"] == (1, 3)  # local to a trip


def test_of_nested_regions_the_outer_one_is_first() -> None:
    text = """(float[4] h0, float[3,5,4] x) => (float[4] h, float[3,5,4] y) {
        h, y = Scan <num_scan_inputs = 1, body = b (float[4] hi, float[5,4] xi) => (float[4] ho, float[5,4] yo) {
            ho, yo = Scan <num_scan_inputs = 1, body = c (float[4] hj, float[4] xj) => (float[4] hp, float[4] yp)
                { t = Add (hj, xj)  hp = Tanh (t)  yp = Sub (hp, hi) }> (hi, xi) }> (h0, x) }"""
    found = made(text)
    assert [region.trips for region in found.regions] == [3, 5]
    outer, inner = found.regions
    assert outer.first <= inner.first < inner.end <= outer.end
    assert found.trips(inner.first) == 15


def test_a_region_knows_its_steps() -> None:
    region = Region("h", 2, 3, 7)
    assert [region.holds(step) for step in range(7)] == [False, False, True, True, True, False, False]


LOOP = "h = Loop <body = b (int64 i, bool c, float[4] hi) => (bool co, float[4] ho) {{ co = {condition}  ho = Add (hi, hi) }}> (m, t, h0)"
SEQUENCE = "(float[4,2,3] x) => (float[4,1,2,5] y)"
CELL: Weights = {"w": (1, 20, 3), "r": (1, 20, 5)}


def rounds(count: Array, condition: str = "Identity (c)") -> str:
    weights = {"m": count, "t": np.array(True), "k": np.array(9, np.float32)}
    return refusal(f"(float[4] h0) => (float[4] h) {{ {LOOP.format(condition=condition)} }}", weights)


def test_a_loop_that_cannot_be_a_region_says_why() -> None:
    for count in (0, -3):
        assert rounds(np.array(count)) == f"small: cannot be built: Loop (node 'h'): it runs {count} times (let it run 1 to 16777216 times)"
    assert rounds(np.array(5), "Less (k, k)") == (
        "small: cannot be built: Loop (node 'h'): it ends by a computed condition, which is not supported yet"
        " (give it a fixed number of rounds and a condition that is true)"
    )
    text = f"(float[4] h0, int64 m) => (float[4] h) {{ {LOOP.format(condition='Identity (c)')} }}"
    assert refusal(text, {"t": np.array(True)}) == ("small: cannot be built: Loop (node 'h'): its number of rounds is computed (make it a constant)")


FORM = "its body and attributes do not suit its inputs and outputs (the file is damaged: export the model again)"


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda n, b: setattr(b.outputs[0], "shape", ir.Shape([6])), "carried value 'hi' is float32 [4] before a trip and float32 [6] after it"
            " (a carried value keeps its shape and type: reshape it in the body)"),
        (lambda n, b: setattr(n.inputs[1], "shape", ir.Shape([0, 4])), "'x' has no time steps (give it one at least)"),
        (lambda n, b: setattr(n.inputs[1], "shape", ir.Shape([])), "'x' is one number, not a sequence (give it an axis of time steps)"),
        (lambda n, b: setattr(n.inputs[1], "shape", None), "the shape of its input 1 is not known (fix the sizes of the model's inputs)"),
        (lambda n, b: n.attributes.update(num_scan_inputs=ir.AttrInt64("num_scan_inputs", 3)), FORM),
        (lambda n, b: n.attributes.update(scan_input_axes=ir.AttrInt64s("scan_input_axes", [9])), FORM),
        (lambda n, b: n.attributes.update(scan_output_directions=ir.AttrInt64s("scan_output_directions", [0, 1])), FORM),
        (lambda n, b: n.attributes.update(num_scan_inputs=ir.AttrInt64("num_scan_inputs", 2)), "its inputs differ in their number of time steps:"
            " 'h0' has 4, 'x' has 5 (give them the same length)"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_suit_its_node_is_refused(spoil: Callable[[ir.Node, ir.Graph], object], what: str) -> None:
    """onnx's inference finds most of these first; what it lets through ends here."""
    node = next(iter(small(SUM.format(steps=5)).graph))
    body = node.attributes["body"].as_graph()
    spoil(node, body)
    with pytest.raises(EdgeError) as caught:
        enter(node, body)
        leave(node, body)
    assert str(caught.value) == f"Scan (node 'h'): {what}"


@pytest.mark.parametrize(
    ("attributes", "inputs", "reason"),
    [
        ("clip = 1.0, ", "x, w, r", "clip and input_forget are not supported (export it without them)"),
        ("activations = [\"Elu\", \"Tanh\", \"Tanh\"], ", "x, w, r", "activations Elu, Tanh, Tanh are not supported (use sigmoid, tanh, tanh)"),
        ("", "x, w, r, , n", "sequence_lens other than the whole length are not supported (pad to one length and leave sequence_lens out)"),
        ("", "x, w, w", "its weights do not suit an input of 3 and a state of 3 numbers (export the model again: the file is damaged)"),
        ("", "x, w, q", "its input and weights do not have three axes (export the model again: the file is damaged)"),
        ("", "x, w, r, , , , , p", "peepholes (P) are not supported (write one step by matmul, sigmoid and tanh in a Scan)"),
    ],
)  # fmt: skip
def test_a_cell_of_another_form_is_refused_with_its_reason(attributes: str, inputs: str, reason: str) -> None:
    text = f"{SEQUENCE} {{ y = LSTM <{attributes}hidden_size = 5> ({inputs}) }}"
    assert refusal(text, CELL | {"n": np.array([3, 4], np.int32), "p": (1, 15), "q": (20, 5)}) == f"small: cannot be built: LSTM (node 'y'): {reason}"


# ---- against ONNX Runtime, in memory full of NaN, under ASan


def case(name: str, text: str, weights: Weights | None = None, seed: int = 0) -> Case:
    model = proto(text, weights, opset=20, seed=seed)
    draw = np.random.default_rng(seed)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
    return Case(name, model, {n: draw.standard_normal(s).astype(np.float32) for n, s in shapes.items()})


def cell(op: str, ways: int, **attributes: str | int) -> Case:
    """One of the recurrent operators with everything that it may read."""
    gates, states = {"LSTM": (4, 2), "GRU": (3, 1), "RNN": (1, 1)}[op]
    batch_first = attributes.get("layout", 0)
    x, start = ("3,6,7", f"3,{ways},5") if batch_first else ("6,3,7", f"{ways},3,5")
    y = f"3,6,{ways},5" if batch_first else f"6,{ways},3,5"
    ends = ["yh", "yc"][:states]
    outputs = ", ".join([f"float[{y}] y", *(f"float[{start}] {name}" for name in ends)])
    starts = "".join(f", float[{start}] {name}0" for name in ends)
    words = "".join(f", {name} = {value}" for name, value in attributes.items())
    given = ", ".join(f"{name}0" for name in ends)
    node = f"y, {', '.join(ends)} = {op} <hidden_size = 5{words}> (x, w, r, b, , {given})"
    text = f"(float[{x}] x{starts}) => ({outputs}) {{ {node} }}"
    weights: Weights = {"w": (ways, gates * 5, 7), "r": (ways, gates * 5, 5), "b": (ways, 2 * gates * 5)}
    return case(f"{op} {ways} {attributes}", text, weights)


def random_scan(seed: int) -> Case:
    """A body of random elementwise steps; what is carried and collected may be any value that it sees, old states too."""
    draw = np.random.default_rng(seed)
    states, reads, kept, steps = (int(draw.integers(low, high)) for low, high in ((1, 4), (1, 3), (1, 4), (1, 6)))
    seen = [*(f"s{i}" for i in range(states)), *(f"x{i}" for i in range(reads)), "k", "w"]
    body = []
    for number in range(int(draw.integers(1, 7))):
        a, b = draw.choice(seen, 2)
        body.append(f"t{number} = {draw.choice(['Add', 'Sub', 'Mul'])} ({a}, {b})  v{number} = Tanh (t{number})")
        seen += [f"t{number}", f"v{number}"]
    ends = [str(name) for name in draw.choice(seen, states + kept)]
    body += [f"o{i} = Identity ({name})" for i, name in enumerate(ends)]
    ways = [[int(way) for way in draw.integers(0, 2, count)] for count in (reads, kept)]
    one = "float[2,3]"
    inputs = [*(f"{one} h{i}" for i in range(states)), *(f"float[{steps},2,3] z{i}" for i in range(reads)), f"{one} k"]
    inside = [*(f"{one} s{i}" for i in range(states)), *(f"{one} x{i}" for i in range(reads))]
    outputs = [*(f"{one} e{i}" for i in range(states)), *(f"float[{steps},2,3] y{i}" for i in range(kept))]
    text = f"""({", ".join(inputs)}) => ({", ".join(outputs)}) {{ {", ".join(o.split()[1] for o in outputs)} = Scan <num_scan_inputs = {reads},
        scan_input_directions = {ways[0]}, scan_output_directions = {ways[1]},
        body = b ({", ".join(inside)}) => ({", ".join(f"{one} o{i}" for i in range(states + kept))}) {{ {" ".join(body)} }}>
        ({", ".join(i.split()[1] for i in inputs[:-1])}) }}"""
    return case(f"random {seed}", text, {"w": (2, 3)}, seed)


IMAGES = """(float[1,8,9,9] h0, float[3,1,8,9,9] x) => (float[1,8,9,9] h, float[3,1,8,9,9] y) {
    h, y = Scan <num_scan_inputs = 1, body = b (float[1,8,9,9] hi, float[1,8,9,9] xi) => (float[1,8,9,9] ho, float[1,8,9,9] yo)
        { s = Add (hi, xi)  c = Conv <pads = [1,1,1,1]> (s, w)  r = Relu (c)  ho = Add (r, hi)  yo = Identity (r) }> (h0, x) }"""
TURNED = """(float[2,4] h0, float[2,6,4] x) => (float[2,4] h, float[2,4,6] y, float[2,4,6] z) {
    h, y = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [-1], scan_output_directions = [1],
        body = b (float[2,4] hi, float[2,4] xi) => (float[2,4] ho, float[2,4] yo) { ho = Add (hi, xi)  yo = Mul (ho, ho) }> (h0, x)
    z = Relu (y) }"""
COUNTED = """(float[4] h0) => (float[4] h, float[7,4] y) {
    h, y = Loop <body = b (int64 i, bool c, float[4] hi) => (bool co, float[4] ho, float[4] yo)
        { co = Identity (c)  f = Cast <to = 1> (i)  t = Add (hi, f)  ho = Tanh (t)  yo = Mul (ho, f) }> (m, t0, h0) }"""


def cases() -> list[Case]:
    found = [random_scan(seed) for seed in range(20)]
    found += [case("pictures", IMAGES, {"w": (8, 8, 3, 3)}), case("other axes", TURNED)]
    found += [case("a loop", COUNTED, {"m": np.array(7), "t0": np.array(True)}), case("long", SUM.format(steps=300))]
    for op in ("LSTM", "GRU", "RNN"):
        found += [cell(op, 1), cell(op, 1, direction='"reverse"'), cell(op, 2, direction='"bidirectional"')]
    found.append(cell("RNN", 1, activations='["Relu"]'))
    return [*found, cell("GRU", 2, direction='"bidirectional"', linear_before_reset=1)]


@slow
def test_c_computes_what_onnx_runtime_does(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed (apt-get install gcc)")
    tried = cases()
    assert wrong(tried, run_compiled(tried, LEVELS["v3"], tmp_path), 1e-5) == []


@slow
def test_every_optimised_graph_is_one_that_onnx_runtime_runs() -> None:
    for tried in cases():
        before = reading.deserialize(tried.model, "small", None)
        for node in before.graph:
            node.name = node.name or node.outputs[0].name
        after = passes.optimize(graph.infer(before, strict=False))
        left, right = (graph.evaluate(model, tried.inputs, engine="onnxruntime") for model in (before, after))
        for name, array in left.items():
            np.testing.assert_allclose(right[name], array, rtol=1e-4, atol=1e-5, err_msg=tried.name)


def test_batch_first_is_time_first_turned() -> None:
    """ONNX Runtime has no layout 1: the reference implementation and the passes agree instead."""
    text = "(float[3,6,7] x) => (float[3,6,1,5] y) { y = LSTM <hidden_size = 5, layout = 1> (x, w, r) }"
    turned = """(float[3,6,7] x) => (float[3,6,1,5] y) {
        t = Transpose <perm = [1,0,2]> (x)  u = LSTM <hidden_size = 5> (t, w, r)  y = Transpose <perm = [2,0,1,3]> (u) }"""
    weights: Weights = {"w": (1, 20, 7), "r": (1, 20, 5)}
    x = np.random.default_rng(0).standard_normal((3, 6, 7)).astype(np.float32)
    ours = graph.evaluate(passes.optimize(small(text, weights)), {"x": x})["y"]
    theirs = graph.evaluate(small(turned, weights), {"x": x})["y"]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_optimised_graph_is_valid_onnx_with_names_of_one_meaning() -> None:
    text = """(float[4] h0, float[5,4] x) => (float[5,4] s, float[5,4] y) {
        h, y = Scan <num_scan_inputs = 1, body = b (float[4] a, float[4] c) => (float[4] d, float[4] e) { d = Add (a, c)  e = Relu (d) }> (h0, x)
        g, s = Scan <num_scan_inputs = 1, body = b (float[4] a, float[4] c) => (float[4] d, float[4] e) { d = Sub (a, c)  e = Tanh (d) }> (h, x) }"""
    done = passes.optimize(small(text))
    names = [value.name for inner in done.graphs() for value in (*inner.inputs, *(v for node in inner for v in node.outputs))]
    assert len(names) == len(set(names))
    onnx.checker.check_model(onnx.ModelProto.FromString(to_bytes(done)))
