"""torch in: what an export keeps, which decomposed forms become which ops, and what is refused, word for word."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge import converters, passes
from edge.errors import EdgeError
from edge.graph.rewrite import SCOPE, SOURCE
from edge.graph.writing import to_bytes
from graphs import difference, ops, value_names

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

SHAPE = (1, 8, 6, 6)


class Of(nn.Module):
    """A module that computes a function."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class PartialConv(nn.Module):
    """FasterNet's partial convolution of the first quarter, in its two forms."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.conv, self.form = nn.Conv2d(2, 2, 3, 1, 1, bias=False), form

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.form == "slicing":
            x = x.clone()
            x[:, :2, :, :] = self.conv(x[:, :2, :, :])
            return x
        first, rest = torch.split(x, [2, 6], dim=1)
        return torch.cat((self.conv(first), rest), 1)


class Squeeze(nn.Module):
    """Squeeze-and-excite as five repositories write it."""

    def __init__(self, form: str) -> None:
        super().__init__()
        dense = form in ("linear", "mean")
        self.form = form
        self.down: nn.Module = nn.Linear(8, 2) if dense else nn.Conv2d(8, 2, 1)
        self.up: nn.Module = nn.Linear(2, 8) if dense else nn.Conv2d(2, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.form == "conv":
            return x * torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))
        if self.form == "hard":
            return F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, (1, 1)))))) * x
        if self.form == "relu6":
            return x * (F.relu6(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))) + 3.0) / 6.0)
        if self.form == "linear":
            y = F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1)
            return x * torch.sigmoid(self.up(F.relu(self.down(y)))).view(x.size(0), -1, 1, 1).expand_as(x)
        return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]


torch.manual_seed(0)  # the modules draw their weights: the same in every run, as the limit of 2e-6 is near what some draws lose
FORMS: list[tuple[str, nn.Module, str]] = [
    ("Hardswish", nn.Hardswish(), "HardSwish"),
    ("x * relu6(x + 3) / 6", Of(lambda x: x * F.relu6(x + 3) / 6), "HardSwish"),
    ("x * (relu6(x + 3) / 6)", Of(lambda x: x * (F.relu6(x + 3.0) / 6.0)), "HardSwish"),
    ("x * hardsigmoid(x)", Of(lambda x: x * F.hardsigmoid(x)), "HardSwish"),
    ("x * clamp(x + 3, 0, 6) / 6", Of(lambda x: x * torch.clamp(x + 3, 0, 6) / 6), "HardSwish"),
    ("x * clamp(x / 6 + 0.5, 0, 1)", Of(lambda x: x * (x / 6 + 0.5).clamp(0, 1)), "HardSwish"),
    ("hardsigmoid(x)", Of(lambda x: F.hardsigmoid(x)), "HardSigmoid"),
    ("relu6(x + 3) / 6", Of(lambda x: F.relu6(x + 3) / 6), "HardSigmoid"),
    ("hardtanh(x, 0, 1)", Of(lambda x: F.hardtanh(x / 6 + 0.5, 0, 1)), "HardSigmoid"),
    ("SiLU", nn.SiLU(), "edge.Silu"),
    ("x * sigmoid(x)", Of(lambda x: x * torch.sigmoid(x)), "edge.Silu"),
    ("GELU", nn.GELU(), "Gelu"),
    ("GELU tanh", nn.GELU("tanh"), "Gelu"),
    ("erf by hand", Of(lambda x: 0.5 * x * (1.0 + torch.erf(x / 2**0.5))), "Gelu"),
    ("erf by hand, other order", Of(lambda x: x * 0.5 * (1.0 + torch.erf(x * 0.7071067811865476))), "Gelu"),
    ("tanh by hand", Of(lambda x: 0.5 * x * (1 + torch.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3))))), "Gelu"),
    ("tanh by hand, x*x*x", Of(lambda x: 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))), "Gelu"),
    ("ReLU6", nn.ReLU6(), "Clip"),
    ("relu by max", Of(lambda x: torch.clamp(x, min=0)), "Relu"),
    ("partial conv, slicing", PartialConv("slicing"), "Slice Conv Slice Concat"),
    ("partial conv, split and cat", PartialConv("split"), "Slice Slice Conv Concat"),
    ("squeeze-excite, conv", Squeeze("conv"), "GlobalAveragePool Conv Relu Conv Sigmoid Mul"),
    ("squeeze-excite, hard", Squeeze("hard"), "GlobalAveragePool Conv Relu Conv HardSigmoid Mul"),
    ("squeeze-excite, relu6", Squeeze("relu6"), "GlobalAveragePool Conv Relu Conv HardSigmoid Mul"),
    ("squeeze-excite, linear", Squeeze("linear"), "GlobalAveragePool Conv Relu Conv Sigmoid Mul"),
    ("squeeze-excite, mean", Squeeze("mean"), "GlobalAveragePool Conv Relu Conv Sigmoid Mul"),
    ("conv and norm", nn.Sequential(nn.Conv2d(8, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU6()), "Conv Clip"),
    ("norm alone", nn.BatchNorm2d(8), "Mul Add"),
    ("pool, flatten, linear", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 5)),
     "GlobalAveragePool Reshape Gemm"),
    ("linear on four dimensions", nn.Linear(6, 5), "MatMul Add"),
    ("max pool, ceil", nn.MaxPool2d(3, 2, ceil_mode=True), "MaxPool"),
    ("channel shuffle", nn.ChannelShuffle(2), "Reshape Transpose Reshape"),
    ("chunks", Of(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)), "Slice Slice Concat"),
    ("zero pad and conv", nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 4, 3, 2)), "Conv"),
]  # fmt: skip


@pytest.fixture
def example() -> torch.Tensor:
    return torch.from_numpy(2 * np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32))


@pytest.mark.slow  # half a second each: torch exports
@pytest.mark.parametrize(("module", "expected"), [pytest.param(module, expected, id=name) for name, module, expected in FORMS])
def test_a_form_becomes_its_ops_and_computes_the_same(module: nn.Module, expected: str, example: torch.Tensor) -> None:
    torch.manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    source = converters.read(module, example_inputs=example)
    model = passes.optimize(source.model)
    assert ops(model) == expected.split()
    inputs = dict(source.example_inputs)
    wanted, layers = source.run(inputs), source.layers(inputs)
    found = {**dict.fromkeys(value_names(model)), **graph_values(model, inputs)}
    for name, array in wanted.items():
        assert difference(found[name], array) < 2e-6
    compared = [name for name in found if name in layers]
    assert set(wanted) <= set(compared)
    for name in compared:
        assert difference(found[name], layers[name]) < 2e-6, name


def graph_values(model: object, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    from edge import graph

    return graph.evaluate(model, inputs, value_names(model))


def block() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(), PartialConv("slicing"), Squeeze("mean"))


@pytest.mark.slow
def test_nothing_is_printed(capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    converters.read(block(), example_inputs=torch.zeros(1, 3, 8, 8))
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


@pytest.mark.slow
def test_no_path_of_the_machine_is_kept() -> None:
    source = converters.read(block(), example_inputs=torch.zeros(1, 3, 8, 8))
    data = to_bytes(source.model)
    for hint in (b"/home", b"site-packages", str(Path(__file__).parent).encode(), str(Path(torch.__file__).parent).encode(), b'File "'):
        assert hint not in data


@pytest.mark.slow
def test_nodes_tell_their_line_and_scope() -> None:
    source = converters.read(block(), example_inputs=torch.zeros(1, 3, 8, 8))
    told = {node.op_type: dict(node.metadata_props) for node in source.model.graph}
    assert told["HardSwish"] == {SCOPE: "2"}
    line = next(n for n, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "x[:, :2, :, :] = self.conv" in text)
    assert told["ScatterND"] == {SOURCE: f"test_from_torch.py:{line}", SCOPE: "3"}


@pytest.mark.slow
def test_the_same_module_gives_the_same_bytes() -> None:
    module = block()
    first, second = (converters.read(module, example_inputs=torch.zeros(1, 3, 8, 8)) for _ in range(2))
    assert first.sha256 == second.sha256
    assert to_bytes(first.model) == to_bytes(second.model)


@pytest.mark.slow
def test_the_module_is_read_in_eval_mode() -> None:
    source = converters.read(nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(8)).train(), example_inputs=torch.ones(SHAPE))
    assert ops(passes.optimize(source.model)) == ["Mul", "Add"]


@pytest.mark.slow
def test_every_layer_of_a_network_is_found_by_name() -> None:
    source = converters.read(block(), example_inputs=torch.ones(1, 3, 8, 8))
    model = passes.optimize(source.model)
    inputs = {"input": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    layers = source.layers(inputs, value_names(model))
    lost = set(value_names(model)) - set(layers)
    assert lost == {"slice_scatter_tail", "mean_pooled"}  # made by passes; there is nothing in torch to compare them with


NET = """
    import torch
    from torch import nn
    import parts

    class Net(nn.Module):
        def forward(self, x):
            return parts.double(x)

    def pair():
        print("a message")
        return Net(), torch.zeros(1, 3)

    def pair_of_tuple():
        return Net(), (torch.zeros(1, 3),)

    def bare():
        return Net()

    def number():
        return 5

    def broken():
        return undefined_name

    class Wrong(nn.Module):
        def forward(self, x):
            return x.reshape(7)

    class Odd(nn.Module):
        def forward(self, x):
            y = torch.cdist(x, x)
            return torch.linalg.eigvals(y).real + torch.special.bessel_j0(x).sum()

    weights = 5
    net = Net()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(textwrap.dedent(NET))
    (tmp_path / "parts.py").write_text("def double(x):\n    return 2 * x\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shapes"),
    [("pair", {}), ("pair_of_tuple", {}), ("bare", {"x": (1, 3)}), ("Net", {"": (1, 3)}), ("net", {"x": (1, 3)})],
)
def test_a_callable_of_a_file_is_read(folder: Path, name: str, shapes: dict[str, tuple[int, ...]], capfd: pytest.CaptureFixture[str]) -> None:
    import sys

    before = set(sys.path)
    source = converters.read(f"{folder}/net.py:{name}", input_shapes=shapes)
    assert (source.name, source.origin) == (name, f"net.py:{name}")
    assert source.run({"x": np.ones((1, 3), np.float32)})["mul"].tolist() == [[2, 2, 2]]
    assert set(sys.path) == before and "parts" not in sys.modules and "net" not in sys.modules
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bare", "net.py:bare: the shape of 'x' is not known (--input-shape x:1x3x224x224)"),
        ("number", "net.py:number: gave a int (it must return an nn.Module or (Module, example_inputs))"),
        ("broken", "net.py:broken: failed when called: NameError: name 'undefined_name' is not defined (net.py:24)"),
        ("brokn", "net.py:brokn: the file defines no 'brokn' (did you mean 'broken'?)"),
        ("weights", "net.py:weights: 'weights' is a int, not a callable"),
    ],
)
def test_a_callable_is_refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(EdgeError) as error:
        converters.read(f"{folder}/net.py:{name}")
    assert str(error.value) == message


def test_a_forward_that_fails_is_told_with_its_line(folder: Path) -> None:
    with pytest.raises(EdgeError) as error:
        converters.read(f"{folder}/net.py:Wrong", input_shapes={"x": (1, 3)})
    assert str(error.value) == "net.py:Wrong: cannot be exported: RuntimeError: shape '[7]' is invalid for input of size 3 (net.py:28)"


@pytest.mark.slow
def test_all_ops_without_translation_are_listed_at_once(folder: Path) -> None:
    with pytest.raises(EdgeError) as error:
        converters.read(f"{folder}/net.py:Odd", input_shapes={"x": (3, 3)})
    assert str(error.value) == (
        "net.py:Odd: torch has no ONNX translation for "
        "aten._cdist_forward.default (node '_cdist_forward', net.py:32): write sqrt(((a[:, None] - b[None]) ** 2).sum(-1)); "
        "aten.linalg_eig.default (node 'linalg_eig', net.py:33): compute it outside of the network; "
        "prims.bessel_j0.default (node 'bessel_j0', net.py:33): compute it outside of the network"
    )


def test_an_unknown_input_name_is_refused(folder: Path) -> None:
    with pytest.raises(EdgeError) as error:
        converters.read(f"{folder}/net.py:bare", input_shapes={"y": (1, 3)})
    assert str(error.value) == "net.py:bare: has no input 'y' (its inputs: x)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere_to_be_found\n", "bad.py:f: cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found' (bad.py:1)"),
        ("def f(:\n", "bad.py:f: cannot be imported: SyntaxError: invalid syntax (bad.py, line 1)"),
        ("import sys\nsys.exit(3)\n", "bad.py:f: cannot be imported: SystemExit: 3 (bad.py:2)"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(EdgeError) as error:
        converters.read(f"{tmp_path}/bad.py:f")
    assert str(error.value) == message


@pytest.mark.slow
def test_weights_are_loaded_and_checked(tmp_path: Path) -> None:
    module = nn.Linear(3, 2)
    torch.save({key: torch.ones_like(value) for key, value in module.state_dict().items()}, tmp_path / "ones.pth")
    source = converters.read(module, example_inputs=torch.zeros(1, 3), weights=tmp_path / "ones.pth")
    assert source.run({"input": np.ones((1, 3), np.float32)})["linear"].tolist() == [[4, 4]]


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(EdgeError) as error:
        converters.read(5)  # type: ignore[arg-type]
    assert str(error.value) == "int: is not a model (give a path, an nn.Module, an ExportedProgram, an onnx.ModelProto or an onnx_ir.Model)"


@pytest.mark.slow
def test_pt2_is_read(tmp_path: Path) -> None:
    module, x = block().eval(), torch.randn(1, 3, 8, 8)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "net.pt2")
    source = converters.read(tmp_path / "net.pt2")
    assert (source.name, source.origin) == ("net", "net.pt2")
    (output,) = source.run(source.example_inputs).values()
    with torch.no_grad():
        np.testing.assert_allclose(output, module(x).numpy(), rtol=1e-5, atol=1e-6)


class Pool(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(torch.relu(x), 2, divisor_override=3)


LOST = [
    (nn.AvgPool2d(2, divisor_override=1), (1, 1, 2, 2)),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=2), (1, 4, 6, 7)),
    (nn.AvgPool2d((2, 3), (3, 2), (1, 0), divisor_override=5), (2, 3, 7, 9)),
    (nn.AvgPool3d(2, 3, 1, ceil_mode=True, divisor_override=7), (1, 2, 5, 6, 7)),
    (Pool(), (1, 2, 4, 4)),
    (nn.RReLU(0.1, 0.5), (2, 8)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "shape"), LOST)
def test_what_the_exporter_loses_is_said_otherwise(module: nn.Module, shape: tuple[int, ...]) -> None:
    from edge import graph

    source = converters.read(module, example_inputs=torch.ones(shape))
    inputs = {name: np.random.default_rng(0).standard_normal(shape).astype(np.float32) for name in source.example_inputs}
    wanted, found = source.run(inputs), graph.evaluate(passes.optimize(source.model), inputs)
    assert all(difference(found[name], wanted[name]) < 1e-6 for name in wanted)
    assert all(difference(found[name], array) < 1e-6 for name, array in source.layers(inputs, list(wanted)).items())


def test_an_output_keeps_the_name_of_what_is_said_otherwise() -> None:
    source = converters.read(nn.AvgPool2d(2, divisor_override=1), example_inputs=torch.ones(1, 1, 2, 2))
    x = np.ones((1, 1, 2, 2), np.float32)
    assert {name: array.tolist() for name, array in source.run({"input": x}).items()} == {"avg_pool2d": [[[[4.0]]]]}
    assert source.layers({"input": x}, ["avg_pool2d"])["avg_pool2d"].tolist() == [[[[4.0]]]]


def test_what_the_exporter_changes_is_refused_where_torch_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.converters import torch_repairs

    monkeypatch.setattr(torch_repairs, "REPAIRS", {})
    line = next(n for n, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "divisor_override=3)" in text)
    with pytest.raises(EdgeError) as error:
        converters.read(Pool(), example_inputs=torch.ones(1, 2, 4, 4))
    assert str(error.value) == (
        "Pool: torch's ONNX exporter changes avg_pool2d(kernel_size=[2, 2], divisor_override=3) "
        f"(node 'avg_pool2d', test_from_torch.py:{line}): it is off by 0.25 of its largest value "
        "(write that layer with other torch ops, or leave out the arguments that it does not need)"
    )


class Chaos(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(x)
        for _ in range(60):
            x = 3.99 * x * (1 - x)
        return x


@pytest.mark.slow
def test_a_network_that_only_amplifies_rounding_is_read() -> None:
    assert converters.read(Chaos(), example_inputs=torch.ones(1, 64)).notes == ()
