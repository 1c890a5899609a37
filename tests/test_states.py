"""A model with state: `--stateful h:hn` keeps an output for the next call, until a reset; N calls are one sequence."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edge
from edge import cli, graph, passes, plan
from edge.converters.from_memory import read
from edge.converters.origins import keep_origin
from edge.converters.stateful import with_states
from edge.errors import EdgeError, spelled_for_python
from edge.graph.states import CALLS, KEY, interface, parse_stateful, repeated, states_of, zeros
from edge.kernels.core import Core
from edge.words.plan import Place, Plan, State
from graphs import Weights, proto, small

slow = pytest.mark.slow
#: h' = (1 - z) n + z h, with an output beside the state
GRU = """(float[1,6] x, float[1,8] h) => (float[1,3] y, float[1,8] hn) {
    j = Concat <axis = 1> (x, h)  za = MatMul (j, wz)  z = Sigmoid (za)  ra = MatMul (j, wr)  r = Sigmoid (ra)
    m = Mul (r, h)  k = Concat <axis = 1> (x, m)  na = MatMul (k, wn)  n = Tanh (na)
    d = Sub (h, n)  e = Mul (z, d)  hn = Add (n, e)  y = MatMul (hn, wy) }"""
WEIGHTS: Weights = {"wz": (14, 8), "wr": (14, 8), "wn": (14, 8), "wy": (8, 3)}
PAIR = (("hn", "h"),)


def made(text: str, pairs: tuple[tuple[str, str], ...], weights: Weights | None = None) -> Plan:
    source = with_states(read(proto(text, weights), {}, None, None), pairs)
    return plan.make(passes.optimize(source.model), {"level": Core(4, 4, 32)})


def test_the_list_of_states_is_the_one_note_of_a_model_that_stays() -> None:
    model = small(GRU, WEIGHTS)
    model.metadata_props.update({KEY: json.dumps(PAIR), "author": "somebody"})
    keep_origin(model, None)
    assert model.metadata_props == {KEY: '[["hn", "h"]]'} and states_of(model) == PAIR


def refusal(text: str, *pairs: tuple[str, str]) -> str:
    with pytest.raises(EdgeError) as caught:
        with_states(read(proto(text), {}, None, None), pairs)
    return str(caught.value)


def test_a_state_leaves_the_interface_and_has_memory_of_its_own() -> None:
    found = made(GRU, PAIR, WEIGHTS)
    assert (found.inputs, found.outputs, found.states) == (("x",), ("y",), (State("hn", "h"),))
    assert (found.buffers["h"].place, found.state_bytes) == (Place.STATE, 64)


def test_an_output_stays_where_no_other_would_be_left() -> None:
    found = made("(float[4] x, float[4] h) => (float[4] hn) { s = Add (x, h)  hn = Tanh (s) }", PAIR)
    assert (found.inputs, found.outputs) == (("x",), ("hn",))


def test_the_producer_writes_the_state_in_place_when_nothing_reads_the_old_one_later() -> None:
    early = made("(float[4] x, float[4] h) => (float[4] y, float[4] hn) { y = Sub (h, x)  hn = Mul (y, x) }", PAIR)
    late = made("(float[4] x, float[4] h) => (float[4] y, float[4] hn) { hn = Mul (x, x)  y = Sub (h, hn) }", PAIR)
    assert [step.op for step in early.steps] == ["Sub", "Mul"]
    assert [step.op for step in late.steps] == ["Mul", "Sub", "copy"]


def test_states_that_change_places_do_not_overwrite_each_other() -> None:
    text = "(float[4] x, float[4] a, float[4] b) => (float[4] y, float[4] p, float[4] q) { y = Add (a, x)  p = Identity (b)  q = Identity (a) }"
    found = made(text, (("p", "a"), ("q", "b")))
    copies = [tuple(found.buffers[name].storage for name in (step.inputs[0].buffer, step.output)) for step in found.steps if step.op == "copy"]
    assert copies == [("b", "b@early"), ("a", "b"), ("b@early", "a")]


def test_pairs_are_written_as_input_and_output() -> None:
    assert parse_stateful("h:hn,c::cn") == (("hn", "h"), ("cn", "c:"))
    for text in ("h", "h:", ":hn", "h:hn,"):
        with pytest.raises(EdgeError) as caught:
            parse_stateful(text)
        assert str(caught.value) == f"--stateful {text}: is not INPUT:OUTPUT[,INPUT:OUTPUT] (--stateful h:hn)"


ADD = "(float[4] x, float[2] k, int64[4] n, float[4] h) => (float[4] hn, int64[4] m) { hn = Add (x, h)  m = Identity (n) }"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ((("hnn", "h"),), "--stateful h:hnn: the model has no output 'hnn' (did you mean 'hn'?)"),
        ((("hn", "state"),), "--stateful state:hn: the model has no input 'state' (its inputs: x, k, n, h)"),
        ((("hn", "k"),), "--stateful k:hn: input 'k' is float32 [2], output 'hn' is float32 [4]"
            " (a state keeps its shape and type: change the model, or name another pair)"),
        ((("hn", "n"),), "--stateful n:hn: input 'n' is int64 [4], output 'hn' is float32 [4]"
            " (a state keeps its shape and type: change the model, or name another pair)"),
        ((("hn", "h"), ("hn", "h")), "--stateful: names input 'h' twice (name each input once)"),
    ],
)  # fmt: skip
def test_a_pair_that_does_not_fit_is_refused(pairs: tuple[tuple[str, str], ...], message: str) -> None:
    assert refusal(ADD, *pairs) == message


def test_python_names_its_argument() -> None:
    with spelled_for_python():
        assert refusal(ADD, ("hn", "hh")) == "stateful='hh:hn': the model has no input 'hh' (did you mean 'h'?)"


def test_the_pairs_stand_in_the_metadata_and_survive_a_file() -> None:
    source = with_states(read(proto(GRU, WEIGHTS), {}, None, None), PAIR)
    assert json.loads(source.model.metadata_props[KEY]) == [["hn", "h"]]
    again = read(source.model, {}, None, None)
    assert states_of(again.model) == PAIR
    assert interface(passes.optimize(again.model)) == (("x",), ("y",))
    assert {name: (a.shape, a.dtype.name) for name, a in zeros(again.model).items()} == {"h": ((1, 8), "float32")}


@pytest.mark.parametrize("note", ["{", "[[1, 2]]", '[["a"]]', "7"])
def test_a_note_that_is_no_list_of_pairs_is_refused(note: str) -> None:
    model = read(proto(GRU, WEIGHTS), {}, None, None).model
    model.metadata_props[KEY] = note
    with pytest.raises(EdgeError) as caught:
        states_of(model)
    assert str(caught.value) == "small: its note edge.states is not a list of [output, input] (remove that note, or export the model again)"


def test_a_vector_is_some_calls_from_a_reset() -> None:
    model = with_states(read(proto(GRU, WEIGHTS), {}, None, None), PAIR).model
    x = np.ones((1, 6), np.float32)
    h = np.zeros((1, 8), np.float32)
    for _ in range(CALLS):
        y, h = graph.evaluate(model, {"x": x, "h": h}).values()
    found = repeated(model, {"x": x}, ["y"], lambda inputs, names: graph.evaluate(model, inputs, names))
    assert found is not None and np.array_equal(found["y"], y)


# ---- the whole way


@pytest.fixture(scope="module", params=["cpu", "arm64"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("states")
    onnx.save(proto(GRU, WEIGHTS), folder / "gru.onnx")
    words = ["--target", request.param, "--stateful", "h:hn", "-o", f"{folder}/{request.param}.edge"]
    assert cli.main(["build", str(folder / "gru.onnx"), *words]) == 0
    return folder / f"{request.param}.edge"


def sequence(count: int = 12) -> tuple[np.ndarray, list[np.ndarray]]:
    """Inputs, and what ONNX Runtime says to them one after the other."""
    session = onnxruntime.InferenceSession(proto(GRU, WEIGHTS).SerializeToString(), providers=["CPUExecutionProvider"])
    xs, h, ys = np.random.default_rng(1).standard_normal((count, 1, 6)).astype(np.float32), np.zeros((1, 8), np.float32), []
    for x in xs:
        y, h = session.run(None, {"x": x, "h": h})
        ys.append(y)
    return xs, ys


@slow
def test_n_calls_are_one_sequence_and_a_reset_gives_the_same_bits(built: Path) -> None:
    if "arm64" in built.name:
        return  # a library for another machine is not loaded here: the streams below run it
    xs, ys = sequence()
    bits = []
    for threads in (1, 2):
        with edge.load(built, threads=threads) as net, edge.load(built) as other:
            first = [net(x) for x in xs]
            np.testing.assert_allclose(first, ys, atol=1e-6)
            assert np.array_equal(other(xs[0]), first[0])  # two models in one process are independent
            net.reset()
            assert all(np.array_equal(net(x), y) for x, y in zip(xs, first, strict=True))
            bits.append(np.stack(first))
    assert np.array_equal(*bits)
    with pytest.raises(EdgeError, match="the model is closed"):
        net.reset()


@slow
def test_a_stream_goes_on_from_step_to_step(built: Path, tmp_path: Path) -> None:
    from edge.artifact.emulator import emulator

    xs, ys = sequence()
    (tmp_path / "x").write_bytes(xs.tobytes())
    for threads in ("1", "2"):
        words = ["--stream", "--input", f"x={tmp_path}/x", "--output", f"y={tmp_path}/y", "--threads", threads]
        subprocess.run([*emulator(built), str(built), *words], check=True)
        np.testing.assert_allclose(np.fromfile(tmp_path / "y", np.float32).reshape(-1, 1, 3), ys, atol=1e-6)


@slow
def test_vectors_agree_in_any_order_and_alone(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edge.artifact.emulator import emulator

    def rows(*words: str) -> list[dict[str, object]]:
        done = subprocess.run([*emulator(built), str(built), "--verify", "--json", *words], capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout)["vectors"])

    together = rows()
    assert len(together) == 3 and all(row["good"] for row in together)
    assert [rows("--vector", str(number))[0] for number in (2, 0, 1)] == [together[number] for number in (2, 0, 1)]
    assert cli.main(["verify", str(built), "--per-layer", "--against", str(built.parent / "gru.onnx")]) == 0
    assert "WRONG" not in capsys.readouterr().out


@slow
def test_inspect_names_the_state(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(built)]) == 0
    assert "state      h <- hn: float32 [1, 8], kept until a reset\n" in capsys.readouterr().out
