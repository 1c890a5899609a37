"""A trained network, quantized by ONNX Runtime's own tool, is taken over as it is and runs in integers on x86 and Arm."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import edge
from edge import artifact, converters, graph, passes, verify
from edge.graph.integers import TAKEN_OVER
from edge.verify.checking import own_rows
from house import ROOT

FASHION = ROOT / "examples" / "fashion"
PICTURES = 200
DROP = 0.02  #: of the share of pictures that are recognised, at most


def pictures() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    held = np.load(FASHION / "pictures.npz")
    return (held["pictures"][:, None] / 255).astype(np.float32), held["labels"].astype(np.int64)


def command(*words: str) -> str:
    """What `edge` prints."""
    done = subprocess.run([sys.executable, "-m", "edge", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def floats() -> Path:
    """The float32 network with its batch norms folded, as the tool wants it."""
    file = Path(mkdtemp(prefix="edge-test-")) / "float.onnx"
    graph.save(passes.optimize(converters.read(f"{FASHION / 'networks.py'}:mobilenet").model), file)
    return file


def quantized(folder: Path, *, per_channel: bool, activations: str, weights: str) -> Path:
    """The MobileNetV2 of examples/fashion by onnxruntime.quantization.quantize_static, calibrated on pictures that are not tested."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    shutil.copyfile(floats(), folder / "float.onnx")
    name, held = onnx.load(floats()).graph.input[0].name, pictures()[0][-64:]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest: Iterator[dict[str, NDArray[np.float32]]] = iter({name: held[i : i + 1]} for i in range(len(held)))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self.rest, None)

    made = folder / "net-int8.onnx"
    types = {"activation_type": QuantType[activations], "weight_type": QuantType[weights]}
    quantize_static(str(folder / "float.onnx"), str(made), Reader(), quant_format=QuantFormat.QDQ, per_channel=per_channel, **types)
    return made


@pytest.mark.slow
def test_from_a_float_network_to_integers_on_two_machines(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    if not shutil.which("qemu-aarch64"):
        pytest.skip("qemu-aarch64 is not installed (apt-get install qemu-user)")
    model = quantized(tmp_path, per_channel=True, activations="QUInt8", weights="QInt8")
    files = {target: tmp_path / f"{target}.edge" for target in ("cpu", "arm64")}
    for target, file in files.items():
        command("build", str(model), "--target", target, "-o", str(file))
    opened = {target: artifact.open(file) for target, file in files.items()}
    for one in opened.values():
        assert (one.manifest.precision, one.manifest.vectors.rtol, one.manifest.vectors.limits) == (TAKEN_OVER, 0.0, ())
        assert one.manifest.checked is not None, "every level has met the integers of the graph bit for bit"
        last = [step.name for step in one.plan.steps if one.plan.buffers[step.output].dtype == "float32"]
        assert last == list(one.plan.outputs), "only the last step gives a real"
    assert opened["cpu"].read("expected.bin") == opened["arm64"].read("expected.bin")
    assert opened["cpu"].manifest.weights_bytes < 80_000, "41,426 weights of eight bits, biases and scales"
    assert all(row.difference == 0 for threads in (1, 2, 3) for row in own_rows(opened["cpu"], threads).vectors)
    outcome = verify.verify(opened["cpu"], converters.read(str(model)), per_layer=True)
    assert outcome.good and max(c.error for c in outcome.layers if c.link == "graph → artifact") == 0

    x, labels = pictures()
    net, source = edge.load(files["cpu"]), converters.read(str(tmp_path / "float.onnx"))
    name = str(source.model.graph.inputs[0].name)
    integers = np.array([int(np.argmax(net(x[i : i + 1]))) for i in range(PICTURES)])
    reals = np.array([int(np.argmax(next(iter(source.run({name: x[i : i + 1]}).values())))) for i in range(PICTURES)])
    assert np.mean(integers == labels[:PICTURES]) >= np.mean(reals == labels[:PICTURES]) - DROP
    shown = command("inspect", str(files["cpu"]), "--wide")
    assert TAKEN_OVER in shown and "QConv" in shown and "conv_s8" in shown
    assert "QConv" in command("profile", str(files["cpu"]), "--per-layer", "--runs", "3", "--min-secs", "0", "--energy", "none")
    assert "8-bit" in command("predict", str(files["arm64"]), "--target", "rpi4")


@pytest.mark.slow
@pytest.mark.parametrize(("activations", "weights", "per_channel"), [("QUInt8", "QUInt8", False), ("QInt8", "QInt8", True)])
def test_every_form_of_the_tool_becomes_integers(activations: str, weights: str, per_channel: bool, tmp_path: Path) -> None:
    """Asymmetric u8 weights, s8 activations: the graph of integers ends where ONNX Runtime's arithmetic ends, or a few steps beside."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    source = converters.read(str(quantized(tmp_path, per_channel=per_channel, activations=activations, weights=weights)))
    made = passes.optimize(source.model)
    left = [node.op_type for node in made.graph if node.domain == ""]
    assert [op for op in left if op not in ("QuantizeLinear", "DequantizeLinear", "Reshape")] == [], left
    assert left.count("QuantizeLinear") == left.count("DequantizeLinear") == 1
    name, x = str(made.graph.inputs[0].name), pictures()[0][:3]
    ours, theirs = (
        np.concatenate([next(iter(run({name: x[i : i + 1]}).values())) for i in range(3)]) for run in (lambda i: graph.evaluate(made, i), source.run)
    )
    assert np.abs(ours - theirs).max() <= 0.05 * np.abs(theirs).max()
