"""Graphs of many time steps: the same numbers as their single step, one after the other, whichever way they are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx_ir import serde

import edge
from edge import converters, graph
from edge.cli import main
from edge.converters.stepping import Steps, stepped, steps_of
from edge.errors import EdgeError
from edge.graph import neurons
from edge.graph.domain import DOMAIN, VERSION, body_of
from edge.graph.over_time import MOST, over_time
from edge.graph.states import KEY, states_of, zeros
from edge.neuron import COMPARES, RESETS, SPIKES

Out = pytest.CaptureFixture[str]


def net(seed: int, *, looped: bool = False) -> ir.Model:
    """One step of a small network: convolution, neurons, pool, dense, a leaking readout.  looped: a state that no neuron keeps."""
    draw = np.random.default_rng(seed)
    op = neurons.op_of(draw.choice(COMPARES), draw.choice(RESETS), draw.choice(SPIKES))
    w = {
        "w": (draw.standard_normal((5, 2, 3, 3)) * 0.6).astype(np.float32),
        "d": (draw.standard_normal((45, 4)) * 0.5).astype(np.float32),
        **{key: np.array([value], np.float32) for key, value in {"a": 0.75, "b": 1, "c": 0.0625, "h": 1, "r": 0, "four": 4}.items()},
        "flat": np.array([1, -1], np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["i"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node(op, ["i", "v", "a", "b", "c", "h", "r"], ["s", "vn"], domain=DOMAIN),
        helper.make_node("AveragePool", ["s"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Mul", ["p", "four"], ["q"]),
        helper.make_node("Reshape", ["q", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "d"], ["g"]),
        helper.make_node(neurons.LEAK, ["g", "u", "a", "b", "c"], ["un"], domain=DOMAIN),
        helper.make_node("Identity", ["un"], ["y"]),
    ]
    pairs = [["vn", "v"], ["un", "u"]]
    shapes = {"x": [1, 2, 6, 6], "v": [1, 5, 6, 6], "u": [1, 4]}
    if looped:  # what the readout gives charges the first layer of the next step
        nodes[0] = helper.make_node("Conv", ["z", "w"], ["i"], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
        nodes[:0] = [helper.make_node("Add", ["x", "last"], ["z"]), helper.make_node("Identity", ["z"], ["zn"])]
        pairs.append(["zn", "last"])
        shapes["last"] = [1, 2, 6, 6]
    outs = {"y": [1, 4], "vn": shapes["v"], "un": shapes["u"], **({"zn": shapes["x"]} if looped else {})}

    def info(shapes: dict[str, list[int]]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    constants = [onnx.numpy_helper.from_array(array, name) for name, array in w.items()]
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, VERSION)]
    bodies = [body_of(each, 20) for each in (op, neurons.LEAK)]
    made = helper.make_model(
        helper.make_graph(nodes, "net", info(shapes), info(outs), constants), opset_imports=imports, ir_version=10, functions=bodies
    )
    helper.set_model_props(made, {KEY: str(pairs).replace("'", '"')})
    return graph.infer(serde.deserialize_model(made))


def one_by_one(model: ir.Model, x: np.ndarray, *, repeated: bool = False, steps: int = 0) -> np.ndarray:
    kept, rows = zeros(model), []
    for step in range(steps or len(x)):
        found = graph.evaluate(model, {"x": x[:1] if repeated else x[step : step + 1], **kept}, ["y", *(now for now, _ in states_of(model))])
        kept = {was: found[now] for now, was in states_of(model)}
        rows.append(found["y"])
    return np.concatenate(rows)


def spikes(seed: int, steps: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((steps, 2, 6, 6)) < 0.4).astype(np.float32)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 20), st.integers(1, 6), st.booleans())
def test_many_steps_are_single_steps_one_after_the_other(seed: int, steps: int, looped: bool) -> None:
    model, x = net(seed, looped=looped), spikes(seed, steps)
    made = over_time(model, steps)
    assert [node.op_type == "Scan" for node in made.graph] == ([True] if looped else [False] * len(made.graph))
    got = graph.evaluate(made, {"x": x, **zeros(made)}, ["y"])["y"]
    np.testing.assert_array_equal(got, one_by_one(model, x))


@pytest.mark.parametrize("looped", [False, True])
@pytest.mark.parametrize(("readout", "of"), [("sum", np.sum), ("mean", np.mean), ("last", lambda rows, axis, keepdims: rows[-1:])])
def test_a_readout_is_of_all_steps(readout: str, of: object, looped: bool) -> None:
    model, x = net(3, looped=looped), spikes(3, 5)
    made = over_time(model, 5, readout=readout, keep=False)
    assert [value.name for value in made.graph.inputs] == ["x"] and not states_of(made)
    got = graph.evaluate(made, {"x": x}, ["y"])["y"]
    np.testing.assert_allclose(got, of(one_by_one(model, x), axis=0, keepdims=True), rtol=1e-6)  # type: ignore[operator]


@pytest.mark.parametrize("looped", [False, True])
def test_an_input_that_stays_is_given_once(looped: bool) -> None:
    model, x = net(4, looped=looped), spikes(4, 1)
    made = over_time(model, 5, constants=["x"], keep=False)
    got = graph.evaluate(made, {"x": x}, ["y"])["y"]
    np.testing.assert_array_equal(got, one_by_one(model, x, repeated=True, steps=5))


@pytest.mark.parametrize(
    ("steps", "text"),
    [(0, "--steps 0: is not 1 to 4096 (the time steps of a call)"), (MOST + 1, "--steps 4097: is not 1 to 4096 (the time steps of a call)")],
)
def test_a_number_of_steps_has_bounds(steps: int, text: str) -> None:
    with pytest.raises(EdgeError) as error:
        over_time(net(0), steps)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"steps": 4, "readout": "median"}, "--readout median: is not a readout (one of sum, mean, last)"),
        ({"readout": "sum"}, "--readout sum: is for a call of several steps (add --steps T)"),
        ({"repeat": "x"}, "--repeat x: is for a call of several steps (add --steps T)"),
        ({"steps": "many"}, "--steps: 'many' is not a whole number (the time steps of a call)"),
    ],
)
def test_what_options_say_is_checked(said: dict[str, object], text: str) -> None:
    with pytest.raises(EdgeError) as error:
        steps_of(said)
    assert str(error.value) == text


def written(folder: Path, model: ir.Model) -> Path:
    graph.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def test_an_input_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = converters.read(written(tmp_path, net(1)))
    with pytest.raises(EdgeError) as error:
        stepped(source, Steps(3, repeat=("z",)))
    assert str(error.value) == "--repeat z: is not an input of the model (its inputs: x)"


def test_a_batch_is_no_time(tmp_path: Path) -> None:
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in ("x", "y")]
    plain = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", info[:1], info[1:]), ir_version=10)
    with pytest.raises(EdgeError) as error:
        over_time(graph.infer(serde.deserialize_model(plain)), 3)
    assert str(error.value) == "--steps 3: 'x' is [2, 3]: steps need a first axis of one to lie along (leave it out: a call is one step)"


@pytest.mark.slow
@pytest.mark.parametrize("looped", [False, True])
def test_a_file_of_many_steps_is_built_verified_and_counted(looped: bool, tmp_path: Path, capsys: Out) -> None:
    file, x = written(tmp_path, net(9, looped=looped)), spikes(9, 6)
    edge.build(file, target="cpu", steps=3, out=tmp_path / "net.edge")
    assert main(["verify", str(tmp_path / "net.edge"), "--against", str(file), "--per-layer"]) == 0
    loaded = edge.load(tmp_path / "net.edge")
    rows = [loaded(x[:3]), loaded(x[3:])]  # states go on from call to call
    want = one_by_one(net(9, looped=looped), x)
    np.testing.assert_allclose(np.concatenate(rows), want, rtol=0, atol=1e-5 * np.abs(want).max())
    loaded.reset()
    np.testing.assert_array_equal(loaded(x[:3]), rows[0])


@pytest.mark.slow
def test_counters_count_what_spikes_reach(tmp_path: Path) -> None:
    """Against the graph: spikes of its own values, and for each the synapses whose output is inside the picture."""
    model, x = net(9), spikes(9, 4)
    edge.build(written(tmp_path, model), target="cpu", steps=4, out=tmp_path / "net.edge")
    loaded = edge.load(tmp_path / "net.edge")
    loaded(x)
    made = over_time(model, 4)
    found = graph.evaluate(made, {"x": x, **zeros(made)}, ["s"])["s"]
    reach = np.array([2, 3, 3, 3, 3, 2])  # outputs that a tap of three meets, by row and by column
    assert loaded.counts()["s"] == {"synops": int((x * np.outer(reach, reach)).sum()) * 5, "updates": 4 * 5 * 36, "spikes": int((found > 0).sum())}
    dense = next(count for name, count in loaded.counts().items() if name != "s")
    assert dense == {"synops": int((found > 0).sum()) * 4, "updates": 4 * 4, "spikes": 0}
    loaded.reset()
    assert {name: set(count.values()) for name, count in loaded.counts().items()} == {name: {0} for name in loaded.counts()}


@pytest.mark.slow
def test_a_large_network_is_not_blamed_for_a_rounding(tmp_path: Path) -> None:
    """Among millions of potentials some are within a rounding of their threshold: such a spike may fall aside, and a wrong kernel is still found."""
    draw = np.random.default_rng(0)
    op = neurons.op_of("gt", "subtract", "binary")
    w = {"w": (draw.standard_normal((24, 2, 3, 3)) * 0.5).astype(np.float32), "k": (draw.standard_normal((48, 24, 3, 3)) * 0.1).astype(np.float32)}
    w |= {key: np.array([value], np.float32) for key, value in {"a": 0.9, "b": 1, "c": 0, "h": 0.5, "r": 0}.items()}
    window = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["i"], **window),
        helper.make_node(op, ["i", "v", "a", "b", "c", "h", "r"], ["s", "vn"], domain=DOMAIN),
        helper.make_node("Conv", ["s", "k"], ["j"], **window),
        helper.make_node(op, ["j", "u", "a", "b", "c", "h", "r"], ["y", "un"], domain=DOMAIN),
    ]
    shapes = {"x": [1, 2, 40, 40], "v": [1, 24, 40, 40], "u": [1, 48, 40, 40], "y": [1, 48, 40, 40], "vn": [1, 24, 40, 40], "un": [1, 48, 40, 40]}
    info = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in w.items()]
    body = helper.make_graph(nodes, "net", [info[n] for n in ("x", "v", "u")], [info[n] for n in ("y", "vn", "un")], constants)
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, VERSION)]
    made = helper.make_model(body, opset_imports=imports, ir_version=10, functions=[body_of(op, 20)])
    helper.set_model_props(made, {KEY: '[["vn", "v"], ["un", "u"]]', "edge.rasters": '["x"]'})
    onnx.save(made, tmp_path / "net.onnx")
    built = edge.build(tmp_path / "net.onnx", target="cpu", steps=8, out=tmp_path / "net.edge")
    assert built.manifest.checked and built.manifest.precision == "fp32 (spiking)" and built.manifest.vectors.rtol == 0.05
    assert main(["verify", str(tmp_path / "net.edge")]) == 0
    data = bytearray((tmp_path / "net.edge").read_bytes())
    at = data.find(built.read("weights.bin")[:64])
    assert at > 0
    data[at : at + 4096] = bytes(4096)  # the first weights are zeros now
    (tmp_path / "bad.edge").write_bytes(bytes(data))
    (tmp_path / "bad.edge").chmod(0o755)
    assert main(["verify", str(tmp_path / "bad.edge")]) != 0
