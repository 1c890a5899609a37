"""Models in memory, what is no model, and cures in the words of whoever called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import edge
from edge import converters
from edge.errors import EdgeError, spelled_for_python
from graphs import proto

OPEN = "(float[N,4] x) => (float[N,4] y) { y = MatMul (x, w) }"


def refusal(model: object, **options: object) -> str:
    with pytest.raises(EdgeError) as error, spelled_for_python():
        converters.read(model, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_onnx_models_are_read_and_stay_as_they_are() -> None:
    model = proto(OPEN, {"w": np.eye(4, dtype=np.float32)})
    before = model.SerializeToString()
    for given, origin in ((model, "ModelProto"), (ir.serde.deserialize_model(model), "Model")):
        source = converters.read(given, input_shapes={"x": (2, 4)})
        assert (source.name, source.origin) == ("small", origin)
        assert source.run({"x": np.ones((2, 4), np.float32)})["y"].tolist() == [[1] * 4] * 2
    assert model.SerializeToString() == before


def test_external_data_of_a_model_in_memory(tmp_path: Path) -> None:
    model = proto("(float[1,4] x) => (float[1,4] y) { y = MatMul (x, w) }", {"w": np.ones((4, 4), np.float32)})
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    source = converters.read(ir.load(tmp_path / "net.onnx"))
    assert source.run({"x": np.ones((1, 4), np.float32)})["y"].tolist() == [[4] * 4]
    assert refusal(onnx.load(tmp_path / "net.onnx", load_external_data=False)) == (
        "ModelProto: tensor 'w': its data lies in 'w.bin', outside the model's folder (external data must be next to the model)"
    )


def test_cures_name_pythons_arguments() -> None:
    model = proto(OPEN, {"w": (4, 4)})
    assert refusal(model) == "ModelProto: the shape of this input is open: 'x' [N,4] (input_shapes={'x': (1, 4)})"
    assert refusal(model, weights="w.pth") == "ModelProto: an ONNX model carries its own weights (leave weights= out)"
    with pytest.raises(EdgeError) as error:
        edge.build(model)
    assert str(error.value) == "ModelProto: the shape of this input is open: 'x' [N,4] (input_shapes={'x': (1, 4)})"
    with pytest.raises(EdgeError) as error:
        edge.build(model, precision="fp16")
    assert str(error.value).startswith("precision= fp16: ")
    with pytest.raises(EdgeError) as error:
        converters.read(model)
    assert str(error.value) == "ModelProto: the shape of this input is open: 'x' [N,4] (--input-shape x:1x4)"


def test_what_is_no_model() -> None:
    pytest.importorskip("torch")
    assert refusal(5) == "int: is not a model (give a path, an nn.Module, an ExportedProgram, an onnx.ModelProto or an onnx_ir.Model)"


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt", "a.safetensors", "a.bin"])
def test_a_checkpoint_is_called_one(name: str) -> None:
    assert refusal(name) == f"{name}: is a checkpoint: weights without a network (give the network as FILE.py:CALLABLE and weights='{name}')"
    with pytest.raises(EdgeError) as error:
        converters.read(name)
    assert str(error.value) == f"{name}: is a checkpoint: weights without a network (give the network as FILE.py:CALLABLE and --weights {name})"


def test_torch_in_memory(tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    assert refusal(nn.Linear(640, 3)) == "Linear: the shape of 'input' is not known (example_inputs=(torch.zeros(1, 640),))"
    assert refusal(nn.Sequential(nn.Conv1d(2, 3, 3))) == "Sequential: the shape of 'input' is not known (example_inputs=(torch.zeros(1, 2, 128),))"
    assert refusal(nn.Linear(4, 3), example_inputs=(torch.zeros(1, 3),)) == (
        "Linear: cannot be exported: RuntimeError: a and b must have same reduction dim, but got [1, 3] X [4, 3]."
    )
    assert (capfd.readouterr(), [record for record in caplog.records if record.levelno > 10]) == (("", ""), [])
    with pytest.warns() as _:
        scripted = torch.jit.script(nn.Linear(4, 3))
    assert refusal(scripted, example_inputs=(torch.zeros(1, 4),)) == (
        "RecursiveScriptModule: is a ScriptModule, which torch.export cannot read (give the nn.Module that it was scripted or traced from)"
    )
    scripted.save(str(tmp_path / "s.pt"))
    assert refusal(tmp_path / "s.pt") == (
        f"{tmp_path}/s.pt: is a TorchScript file, which torch.export cannot read (give the network that it was made from as FILE.py:CALLABLE)"
    )


@pytest.mark.slow
def test_an_exported_program_is_read_and_stays_as_it_is() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.AvgPool2d(2, divisor_override=3)).eval()
    program = torch.export.export(module, (torch.zeros(1, 1, 6, 6),))
    before = str(program.graph)
    source = converters.read(program)
    x = np.random.default_rng(0).standard_normal((1, 1, 6, 6)).astype(np.float32)
    (found,) = source.run(dict.fromkeys(source.example_inputs, x)).values()
    np.testing.assert_allclose(found, module(torch.from_numpy(x)).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert str(program.graph) == before
    assert refusal(program, input_shapes={"x": (1, 2)}) == (
        "ExportedProgram: its shapes were fixed when it was exported (leave input_shapes= out, or export it again)"
    )
    assert refusal(program, weights="w.pth") == "ExportedProgram: carries its own weights (leave weights= out)"
    batch = torch.export.export(nn.Linear(4, 3), (torch.zeros(2, 4),), dynamic_shapes=({0: torch.export.Dim("b")},))
    assert refusal(batch) == "ExportedProgram: has open sizes in its inputs: input (export it without dynamic_shapes)"


@pytest.mark.slow
def test_a_module_in_train_mode_is_told() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    notes = converters.read(module, example_inputs=torch.zeros(2, 3)).notes
    assert notes == ("Sequential: is in train mode: built as after .eval() (BatchNorm1d, Dropout differ)",)
    assert converters.read(module.eval(), example_inputs=torch.zeros(2, 3)).notes == ()
    assert converters.read(nn.Linear(3, 3), example_inputs=torch.zeros(2, 3)).notes == ()
