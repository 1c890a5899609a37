"""NIR in: networks written by the reference package, stepped as we read them and by equations that stand here; and what is refused."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import edge
from edge import converters
from edge.converters.source import Source
from edge.errors import EdgeError
from edge.graph import evaluate, neurons
from edge.graph.states import states_of, zeros
from edge.neuron import COMPARES, RESETS, SPIKES, answers

h5py = pytest.importorskip("h5py")
nir = pytest.importorskip("nir")

F32 = NDArray[np.float32]
STEPS, DT = 40, 1e-3
SAID = {"dt": DT, "reset": "zero", "compare": "gt", "spikes": "binary", "integration": "euler", "current": "new"}


def full(value: float, *shape: int) -> NDArray[np.float64]:
    return np.full(shape, value)


def graph(edges: str, **nodes: object) -> object:
    """nir.NIRGraph of "input a, a output"."""
    return nir.NIRGraph(nodes=nodes, edges=[tuple(edge.split()) for edge in edges.split(", ")], type_check=False)


def ends(source: tuple[int, ...], target: tuple[int, ...]) -> dict[str, object]:
    return {"input": nir.Input(input_type={"input": np.array(source)}), "output": nir.Output(output_type={"output": np.array(target)})}


def read(folder: Path, made: object, **said: object) -> Source:
    nir.write(folder / "net.nir", made)
    return converters.read(folder / "net.nir", neurons=answers(SAID | said))


def stepped(source: Source, inputs: F32) -> F32:
    """The outputs (T, …) of the graph for inputs (T, …), its states kept from step to step."""
    kept: dict[str, NDArray[np.generic]] = zeros(source.model)
    found, pairs = [], states_of(source.model)
    name, out = source.model.graph.inputs[0].name or "", source.model.graph.outputs[0].name or ""
    for x in inputs:
        values = evaluate(source.model, {name: x[None], **kept}, [out, *(now for now, _ in pairs)])
        kept = {was: values[now] for now, was in pairs}
        found.append(values[out][0])
    return np.array(found, np.float32)


def noise(*shape: int, seed: int = 1) -> F32:
    return np.random.default_rng(seed).uniform(-0.5, 1.5, (STEPS, *shape)).astype(np.float32)


@pytest.mark.parametrize("words", list(itertools.product(COMPARES, RESETS, SPIKES)), ids=" ".join)
def test_an_op_is_its_definition(words: tuple[str, str, str]) -> None:
    """The function body, run by ONNX, against numpy; potentials at the threshold are among them."""
    import onnx.parser

    op = neurons.op_of(*words)
    x, v = np.random.default_rng(0).integers(-6, 14, (2, 1, 500)).astype(np.float32) / 4
    text = (
        f'<ir_version: 10, opset_import: ["": 20, "edge": 1]> net (float[1,500] x, float[1,500] v) => (float[1,500] s, float[1,500] next) '
        f"<float a = {{0.5}}, float b = {{1.0}}, float c = {{0.25}}, float h = {{1.0}}, float r = {{-0.5}}> "
        f"{{ s, next = edge.{op} (x, v, a, b, c, h, r) }}"
    )
    source = converters.read(onnx.parser.parse_model(text))
    found = evaluate(source.model, {"x": x, "v": v})
    a, b, c, h, r = (np.float32(n) for n in (0.5, 1.0, 0.25, 1.0, -0.5))
    s, after = neurons.step(op, x, v, a, b, c, h, r)  # type: ignore[arg-type]
    assert (s == 1).any() and (v * a + x * b + c == h).any()
    assert np.array_equal(found["s"], s) and np.array_equal(found["next"], after)


def lif(x: F32, decay: float, gain: float, limit: float, reset: str, compare: str) -> F32:
    """Spikes of one leaky neuron a column, by the textbook."""
    v, found, late = np.zeros(x.shape[1:]), [], np.zeros(x.shape[1:])
    for current in x.astype(np.float64):
        v = decay * v + gain * current - late
        spike = v > limit if compare == "gt" else v >= limit
        v = np.where(spike, 0.0, v) if reset == "zero" else v - limit * spike if reset == "subtract" else v
        late = limit * spike if reset == "delayed" else late
        found.append(spike)
    return np.array(found, np.float32)


@pytest.mark.parametrize("integration", ["euler", "exponential"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("compare", COMPARES)
def test_a_leaky_neuron_spikes_as_the_textbook_says(compare: str, reset: str, integration: str, tmp_path: Path) -> None:
    made = graph("input n, n output", n=nir.LIF(tau=full(0.01, 7), r=full(8.0, 7), v_leak=full(0, 7), v_threshold=full(1.0, 7)), **ends((7,), (7,)))
    found = stepped(read(tmp_path, made, reset=reset, compare=compare, integration=integration), noise(7))
    part = 0.1 if integration == "euler" else 1 - np.exp(-0.1)
    assert np.array_equal(found, lif(noise(7), 1 - part, 8.0 * part, 1.0, reset, compare))
    assert 0.02 < found.mean() < 0.97


def test_every_primitive_in_one_network(tmp_path: Path) -> None:
    """Convolutions, pools, a dense layer and every neuron, against torch and the equations."""
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(3)
    w1, b1 = draw.standard_normal((4, 2, 3, 3)), draw.standard_normal(4)
    w2, b2 = draw.standard_normal((3, 36)), draw.standard_normal(3)
    made = graph(
        "input conv, conv if, if sum, sum avg, avg flat, flat fc, fc scale, scale i, i li, li above, above output",
        conv=nir.Conv2d(input_shape=(12, 12), weight=w1, stride=(1, 1), padding="same", dilation=1, groups=1, bias=b1),
        sum=nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
        avg=nir.AvgPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
        flat=nir.Flatten(input_type={"input": np.array([4, 3, 3])}, start_dim=0, end_dim=-1),
        fc=nir.Affine(weight=w2, bias=b2),
        scale=nir.Scale(scale=np.array([1.0, -2.0, 0.5])),
        i=nir.I(r=full(3.0, 3)),
        li=nir.LI(tau=full(0.02, 3), r=full(5.0, 3), v_leak=full(0.25, 3)),
        above=nir.Threshold(threshold=full(0.05, 3)),
        **{"if": nir.IF(r=full(40.0, 4, 12, 12), v_threshold=full(1.0, 4, 12, 12))},
        **ends((2, 12, 12), (3,)),
    )
    found = stepped(read(tmp_path, made), noise(2, 12, 12))
    v, u, y, expected = np.zeros((4, 12, 12)), np.zeros(3), np.zeros(3), []
    for x in noise(2, 12, 12):
        current = torch.nn.functional.conv2d(torch.tensor(x)[None].double(), torch.tensor(w1), torch.tensor(b1), padding="same")[0].numpy()
        v = v + 40.0 * DT * current
        spikes = v > 1
        v = np.where(spikes, 0, v)
        pooled = spikes.reshape(4, 6, 2, 6, 2).sum((2, 4)).reshape(4, 3, 2, 3, 2).mean((2, 4)).reshape(-1)
        u = u + 3.0 * DT * (w2 @ pooled + b2) * [1.0, -2.0, 0.5]
        y = y + DT / 0.02 * (0.25 - y + 5.0 * u)
        expected.append(y > 0.05)
    assert np.array_equal(found, np.array(expected, np.float32))
    assert 0.05 < found.mean() < 0.95


@pytest.mark.parametrize("current", ["new", "old"])
def test_a_synaptic_current_of_this_step_or_the_last(current: str, tmp_path: Path) -> None:
    node = nir.CubaLI(tau_syn=full(0.004, 2), tau_mem=full(0.01, 2), r=full(2.0, 2), v_leak=full(0, 2), w_in=np.array([1.0, 3.0]))
    found = stepped(read(tmp_path, graph("input n, n output", n=node, **ends((2,), (2,))), current=current), noise(2))
    i, v, expected = np.zeros(2), np.zeros(2), []
    for x in noise(2).astype(np.float64):
        before, i = i, i + 0.25 * (np.array([1.0, 3.0]) * x - i)
        v = v + 0.1 * (2.0 * (i if current == "new" else before) - v)
        expected.append(v)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_loop_through_a_delay_and_a_nested_graph(tmp_path: Path) -> None:
    """A neuron excites itself three and one steps later; the neuron lies in a graph of its own."""
    inner = graph("input n, n output", n=nir.IF(r=full(1 / DT, 2), v_threshold=full(1.0, 2)), **ends((2,), (2,)))
    made = graph(
        "input cell, cell delay, delay weight, weight cell, cell output",
        cell=inner, delay=nir.Delay(delay=np.array([0.003, 0.001])), weight=nir.Scale(scale=np.array([0.7, 0.4])), **ends((2,), (2,)),
    )  # fmt: skip
    found = stepped(read(tmp_path, made, reset="subtract"), noise(2) * 0.5)
    v, spikes = np.zeros(2), [np.zeros(2)] * 3
    for x in noise(2).astype(np.float64) * 0.5:
        v = v + x + np.array([0.7 * spikes[-3][0], 0.4 * spikes[-1][1]])
        spikes.append((v > 1).astype(float))
        v = v - spikes[-1]
    assert np.array_equal(found, np.array(spikes[3:], np.float32))
    assert found.mean(0).min() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cpu", "arm64"])
def test_from_the_file_to_a_program_that_spikes(target: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    made = graph(
        "input fc, fc n, n output",
        fc=nir.Affine(weight=draw.standard_normal((9, 5)), bias=draw.standard_normal(9)),
        n=nir.CubaLIF(tau_syn=full(0.004, 9), tau_mem=full(0.01, 9), r=full(12.0, 9), v_leak=full(0, 9), v_threshold=full(1.0, 9)),
        **ends((5,), (9,)),
    )
    source = read(tmp_path, made, reset="subtract")
    built = edge.build(tmp_path / "net.nir", target=target, out=tmp_path / "net.edge", neurons=SAID | {"reset": "subtract"})
    assert {key: built.manifest.options[key] for key in SAID} == SAID | {"reset": "subtract"}
    assert (bool(built.manifest.checked), built.manifest.vectors.calls) == (True, 25)
    with zipfile.ZipFile(built.path) as archive:
        assert any(archive.read("expected.bin"))  # silence would be equal to everything
    if target != "cpu":
        return
    with edge.load(built.path) as net:
        for _ in range(2):
            found = np.array([net(x[None])[0] for x in noise(5)])
            assert np.array_equal(found, stepped(source, noise(5)))
            net.reset()
    assert 0.05 < found.mean() < 0.9


CELL: Mapping[str, object] = {"tau": full(0.01, 3), "r": full(1, 3), "v_leak": full(0, 3), "v_threshold": full(1, 3)}
END = ends((3,), (3,))
Make = Callable[[], object]


def cell(**other: object) -> Make:
    return lambda: graph("input n, n output", n=nir.LIF(**(CELL | other)), **END)


@pytest.mark.parametrize(
    ("make", "said", "message"),
    [
        (cell(tau=full(0, 3)), {}, "node 'n': tau is not above 0 (export it again)"),
        (cell(tau=full(-1, 3)), {}, "node 'n': tau is not above 0 (export it again)"),
        (cell(tau=full(np.nan, 3)), {}, "node 'n': tau is not finite in float32 (export it again)"),
        (cell(r=full(1e39, 3)), {}, "node 'n': r is not finite in float32 (export it again)"),
        (
            lambda: graph("input n, n output", n=nir.LIF(**{key: full(1, 4) for key in CELL}), **END),
            {},
            "node 'n': r has the shape [4], its input [3] (export it again)",
        ),
        (
            cell(),
            {"dt": 0.1},
            "node 'n': a step of 0.1 s is longer than its tau of 0.01 s (a smaller --dt, or --integration exponential)",
        ),
        (cell(v_reset=full(-0.5, 3)), {"reset": "subtract"}, "node 'n': has a v_reset of -0.5, which --reset subtract does not use (--reset zero)"),
        (cell(v_threshold=full(0, 3)), {"spikes": "multi"}, "node 'n': has a threshold that is not above 0 (--spikes binary)"),
        (
            lambda: graph("input n, n n, n output", n=nir.LIF(**CELL), **END),
            {},
            "its nodes form a loop without a delay: n (put a Delay of one step into it)",
        ),
        (
            lambda: graph("input n, n output", n=nir.Affine(full(1, 3, 4), full(1, 3)), **END),
            {},
            "node 'n': takes 4 numbers and gets [3] (export it again)",
        ),
        (
            lambda: graph("input n, n output", n=nir.Delay(delay=full(0.0005, 3)), **END),
            {},
            "node 'n': a delay is not 1 to 4096 whole steps of 0.001 s (choose another --dt)",
        ),
        (lambda: graph("input output, input x", **END), {}, "edges name nodes that are not there: x (export it again with nir.write)"),
    ],
)
def test_what_cannot_be_right_is_refused(make: Make, said: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as error:
        read(tmp_path, make(), **said)
    assert str(error.value) == f"net.nir: {message}"


def test_answers_for_another_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as error:
        converters.read("zoo:mobilenet_v1", neurons=answers({"preset": "nir"}))
    assert str(error.value) == "zoo:mobilenet_v1: is no .nir file (leave --preset, --dt and what else belongs to one out)"


def test_every_open_question_is_asked_at_once(tmp_path: Path) -> None:
    nir.write(tmp_path / "net.nir", cell()())
    with pytest.raises(EdgeError) as error:
        converters.read(tmp_path / "net.nir", neurons=answers({"preset": "nir"}))
    assert str(error.value) == (
        "net.nir: leaves open: how long is a time step: --dt SECONDS; how does a time constant become a decay: --integration euler|exponential "
        "(its maker knows; a wrong answer is a wrong network)"
    )
