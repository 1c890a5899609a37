"""The metrics of NeuroBench, against the package itself (build/oracles), and counted by hand."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edge
from edge import converters
from edge.cli import main
from edge.errors import EdgeError
from edge.measure.neurobench import Neurobench, neurobench
from edge.neuron import answers
from graphs import small as model
from house import ROOT

torch = pytest.importorskip("torch")
Array = NDArray[np.generic]


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "build" / "oracles")])
    pytest.importorskip("snntorch", reason="snntorch is not in build/oracles (make setup)")
    pytest.importorskip("neurobench.metrics", reason="neurobench is not in build/oracles (make setup)")


def theirs(wrapped: Any, data: Any) -> dict[str, Any]:
    """What NeuroBench's own metrics report after one batch."""
    from neurobench.metrics import static, workload

    wrapped.register_hooks()
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        predictions = wrapped(data)
        batch = data, torch.zeros(len(data))
        made = [workload.SynapticOperations(), workload.ActivationSparsity(), workload.ActivationSparsityByLayer(), workload.MembraneUpdates()]
        operations, sparsity, by_layer, updates = (metric(wrapped, predictions, batch) for metric in made)
    return {
        "footprint": static.Footprint()(wrapped),
        "connection_sparsity": static.ConnectionSparsity()(wrapped),
        "synaptic_operations": operations,
        "activation_sparsity": sparsity,
        "by_layer": list(by_layer.values()),
        "membrane_updates": updates,
    }


def agree(ours: Neurobench, oracle: dict[str, Any]) -> None:
    assert ours.synaptic_operations == oracle["synaptic_operations"]
    assert round(ours.connection_sparsity, 4) == oracle["connection_sparsity"]
    assert ours.activation_sparsity == pytest.approx(oracle["activation_sparsity"], abs=1e-12)
    assert list(ours.activation_sparsity_by_layer.values()) == pytest.approx(oracle["by_layer"], abs=1e-12)
    assert ours.membrane_updates == oracle["membrane_updates"]


def pruned(net: Any) -> Any:
    """Half of the weights of each layer become 0."""
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.Linear | torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d):
                layer.weight *= torch.rand(layer.weight.shape) > 0.5
    return net.eval()


DENSE = {
    "linear": (lambda nn: [nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 5), nn.Sigmoid()], (12,)),
    "conv1d": (lambda nn: [nn.Conv1d(4, 6, 3, padding=2, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(60, 3)], (4, 10)),
    "conv2d": (lambda nn: [nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6)], (4, 9, 11)),
    "conv3d": (lambda nn: [nn.Conv3d(2, 3, 2, padding=1), nn.ReLU()], (2, 4, 5, 3)),
}  # fmt: skip


@pytest.mark.parametrize("kind", DENSE)
def test_a_dense_network_has_neurobenchs_numbers(kind: str, oracle: None) -> None:
    from neurobench.models import TorchModel

    torch.manual_seed(3)
    make, dims = DENSE[kind]
    net = pruned(torch.nn.Sequential(*make(torch.nn)))
    data = torch.relu(torch.randn(6, *dims))
    graph = converters.read(net, example_inputs=(data[:1],)).model
    ours = neurobench(graph, {graph.graph.inputs[0].name or "": data.numpy()})
    found = theirs(TorchModel(net), data)
    agree(ours, found)
    assert ours.footprint == found["footprint"]
    assert (ours.samples, ours.left_out, ours.synaptic_operations["Effective_MACs"] > 0) == (6, (), True)


@pytest.mark.parametrize("steps", [0, 5], ids=["a call a step", "all steps in a call"])
def test_a_spiking_network_has_neurobenchs_numbers(steps: int, oracle: None, tmp_path: Path) -> None:
    """Three samples of five steps; snnTorch's potentials are those of the graph, so their updates are too."""
    nir = pytest.importorskip("nir")
    import snntorch as snn
    from neurobench.models import SNNTorchModel
    from snntorch.export_nir import export_to_nir

    from edge.graph.over_time import over_time

    torch.manual_seed(4)

    def dense(inputs: int, outputs: int) -> Any:
        return torch.nn.Linear(inputs, outputs, bias=False)

    def neurons(count: int, **more: bool) -> Any:
        return snn.Leaky(beta=torch.rand(count) * 0.5 + 0.45, threshold=torch.ones(count), init_hidden=True, **more)

    net = pruned(torch.nn.Sequential(dense(30, 40), neurons(40), dense(40, 10), neurons(10, output=True)))
    data = (torch.rand(3, 5, 30) > 0.6).float() * (torch.arange(5) != 1)[None, :, None]
    data[0] = 0  # a sample without events: its potentials stay 0
    with torch.no_grad():
        net[2].weight *= 3
        made = export_to_nir(
            torch.nn.Sequential(net[0], neurons_without_output(snn, net[1]), net[2], neurons_without_output(snn, net[3])), data[0, 0]
        )
    nir.write(tmp_path / "net.nir", made)
    graph = converters.read(tmp_path / "net.nir", neurons=answers({"preset": "snntorch"})).model
    name = graph.graph.inputs[0].name or ""
    if steps:
        graph = over_time(graph, steps, keep=False)
    found = theirs(SNNTorchModel(net), data)
    ours = neurobench(graph, {name: data.numpy()})
    agree(ours, found)
    assert ours.synaptic_operations["Effective_ACs"] > 0
    assert 40 + 10 < ours.membrane_updates < 5 * 50
    snn_own = sum(buffer.nbytes for key, buffer in net.named_buffers() if not key.endswith("mem"))
    assert ours.footprint_parts["weights"] == found["footprint"] - snn_own - sum(b.nbytes for k, b in net.named_buffers() if k.endswith("mem"))
    assert ours.footprint_parts["states"] == (0 if steps else (40 + 10) * 4)


def neurons_without_output(snn: Any, layer: Any) -> Any:
    """The same neurons, as export_to_nir wants them."""
    return snn.Leaky(beta=layer.beta, threshold=layer.threshold, init_hidden=True)


def test_binary_layers_accumulate() -> None:
    """Sign, then a dense layer of weights -1 and 1 in bits: every product is an accumulation."""
    words = np.array([[0b101], [0b010]], np.uint32)
    numbers = {"words": words, "scale": np.ones(2, np.float32), "bias": np.zeros(2, np.float32)}
    graph = model("(float[1,5] x) => (float[1,2] y) { y = edge.BinaryGemm (x, words, scale, bias) }", numbers)
    ours = neurobench(graph, {"x": np.array([[1, -1, 1, 1, -1], [1, 0, 0, 0, -1]], np.float32)})
    assert ours.synaptic_operations == {"Effective_MACs": 0, "Effective_ACs": (10 + 4) / 2, "Dense": 10}
    assert ours.connection_sparsity == 0


def test_a_binary_convolution_counts_a_border_of_ones_and_not_one_of_zeros() -> None:
    words = np.full((2, 3, 3, 1), 0b10, np.uint32)
    numbers = {"words": words, "scale": np.ones(2, np.float32), "bias": np.zeros(2, np.float32)}
    for border, products in ((0, 2 * 2 * 49), (1, 2 * 2 * 81)):
        attributes = f"strides = [1, 1], dilations = [1, 1], around = [0, 0, 1, 1, 0, 0, 1, 1], border = {border}"
        graph = model(f"(float[1,2,3,3] x) => (float[1,2,3,3] y) {{ y = edge.BinaryConv <{attributes}> (x, words, scale, bias) }}", numbers)
        ours = neurobench(graph, {"x": np.ones((1, 2, 3, 3), np.float32)})
        assert ours.synaptic_operations == {"Effective_MACs": 0, "Effective_ACs": products, "Dense": products}


def test_activations_of_one_scope_are_one_layer() -> None:
    graph = model("(float[1,4] x) => (float[1,4] y, float[1,4] z) { y = Relu (x) z = Relu (y) w = Gemm (x, m) v = Sigmoid (w) }", {"m": (4, 4)})
    for node in graph.graph:
        node.metadata_props["edge.scope"] = "w"
    ours = neurobench(graph, {"x": np.array([[1, -1, -1, -1]], np.float32)})
    assert ours.activation_sparsity_by_layer == {"w": 6 / 12}
    assert sorted((layer.op, layer.calls) for layer in ours.layers) == [("Gemm", 1), ("Relu", 2), ("Sigmoid", 1)]


def test_integers_are_0_at_their_zero_point() -> None:
    """x is 3 or its zero point 5; of the weights, whose zero point is 2, half are 2."""
    numbers: dict[str, Array] = {
        "w": np.array([[2, 7, 2], [2, 1, 9]], np.int8), "x_zero": np.array(5, np.uint8), "w_zero": np.array(2, np.int8),
        "bias": np.zeros(2, np.int32), "scale": np.ones(2, np.float32), "y_zero": np.array(0, np.uint8),
        "low": np.array(0, np.float32), "high": np.array(255, np.float32),
    }  # fmt: skip
    call = "edge.QGemm (x, w, x_zero, w_zero, bias, scale, y_zero, low, high)"
    graph = model(f"(uint8[1,3] x) => (uint8[1,2] y) {{ y = {call} }}", numbers)
    ours = neurobench(graph, {"x": np.array([[5, 3, 3]], np.uint8)})
    assert ours.synaptic_operations == {"Effective_MACs": 3, "Effective_ACs": 0, "Dense": 6}
    assert ours.connection_sparsity == 0.5


def test_products_of_two_activations_are_listed_not_counted() -> None:
    graph = model("(float[2,2] x) => (float[2,2] y) { y = MatMul (x, x) }", {})
    ours = neurobench(graph, {"x": np.ones((2, 2), np.float32)})
    assert (ours.left_out, ours.synaptic_operations["Dense"]) == (("MatMul y",), 0)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "inputs: input 'x' is missing (the model's inputs: x)"),
        (
            {"x": np.ones((1, 6), np.float32)},
            "inputs: x: is (1, 6) (give (R, 5) or (N, R, 5), R a multiple of 1: rows are time steps of a network with state, else samples)",
        ),
    ],
)
def test_inputs_that_do_not_fit(arrays: dict[str, Array], message: str) -> None:
    graph = model("(float[1,5] x) => (float[1,5] y) { y = Relu (x) }", {})
    with pytest.raises(EdgeError) as error:
        neurobench(graph, arrays)
    assert str(error.value) == message


def test_inputs_that_differ_in_rows_and_too_many_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = model("(float[1,2] x, float[1,2] z) => (float[1,2] y) { y = Add (x, z) }", {})
    rows = np.ones((3, 2), np.float32)
    with pytest.raises(EdgeError) as error:
        neurobench(graph, {"x": rows, "z": rows[:2]}, "in.npz")
    assert str(error.value) == "in.npz: its inputs differ in samples or steps (give every input the same rows)"
    monkeypatch.setattr("edge.graph.calls.MOST", 2)
    with pytest.raises(EdgeError) as error:
        neurobench(graph, {"x": rows, "z": rows}, "in.npz")
    assert str(error.value) == "in.npz: is 3 calls, more than 2 (give fewer samples or steps)"


def test_padding_that_is_left_to_the_runtime_is_refused() -> None:
    text = '(float[1,1,4,4] x) => (float[1,1,4,4] y) { y = Conv <auto_pad = "SAME_UPPER"> (x, w) }'
    with pytest.raises(EdgeError) as error:
        neurobench(model(text, {"w": (1, 1, 3, 3)}), {"x": np.ones((1, 1, 4, 4), np.float32)})
    what = "its padding is not written down (build it: the graph of an artifact has explicit pads)"
    assert str(error.value) in (f"Conv: {what}", f"y: {what}")


@pytest.mark.slow
def test_a_file_without_a_graph_or_with_other_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.artifact.reader import open_artifact
    from edge.verify import rows

    edge.build(model("(float[1,5] x) => (float[1,5] y) { y = Relu (x) }", {}), target="cpu", out=str(tmp_path / "m.edge"))
    artifact = open_artifact(tmp_path / "m.edge")
    for array, what in (
        (np.ones((3, 5)), "is float64, not float32 (array.astype('float32'))"),
        (np.ones((3, 5), np.float32), "has 15 numbers, more than 10 (give fewer samples or steps)"),
    ):
        np.save(tmp_path / "in.npy", array)
        monkeypatch.setattr(rows, "MOST", 10)
        with pytest.raises(EdgeError) as error:
            rows.rows_from(artifact, tmp_path / "in.npy")
        assert str(error.value) == f"{tmp_path / 'in.npy'}: x: {what}"
    artifact.entries.pop("graph.onnx")  # as of a file that another version made
    with pytest.raises(EdgeError) as error:
        rows.graph_for(artifact, "--neurobench")
    cure = "build it with --target cpu, without --format"
    assert str(error.value) == f"{tmp_path / 'm.edge'}: carries no graph, which --neurobench computes ({cure})"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "in.npz"], "--input: belongs to --neurobench, and nothing is computed without it (add --neurobench)"),
        (["--neurobench", "--count"], "--neurobench: does not go with --count (ask for one after the other)"),
        (["--neurobench", "--sort", "bytes"], "--sort: 'bytes' is not shown with --neurobench (--sort order|macs)"),
        (["--neurobench", "--top", "1"], "--neurobench: no inputs given (add --input in.npz: rows are samples, or time steps)"),
    ],
)
def test_options_that_do_not_go_together(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "m.edge", *words]) == 2
    assert capsys.readouterr().err == f"edge: {message}\n"


@pytest.mark.slow
def test_inspect_reports_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(12, 9), torch.nn.ReLU(), torch.nn.Linear(9, 5)).eval()
    edge.build(net, target="cpu", example_inputs=(torch.ones(1, 12),), out=str(tmp_path / "m.edge"))
    name = edge.load(tmp_path / "m.edge").inputs[0].name
    np.savez(tmp_path / "in.npz", **{name: np.ones((4, 12), np.float32)})
    words = ["inspect", str(tmp_path / "m.edge"), "--neurobench", "--input", str(tmp_path / "in.npz")]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["neurobench"]
    assert (found["samples"], found["synaptic_operations"]["Dense"], found["footprint"]) == (4, 12 * 9 + 9 * 5, (12 * 9 + 9 + 9 * 5 + 5) * 4)
    assert main([*words, "--top", "1"]) == 0
    shown = capsys.readouterr().out
    assert "synaptic operations  " in shown and "(2 more are not shown)" in shown
