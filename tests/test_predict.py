"""`edge predict` and `edge.predict`: from a model or an artifact, in words and as JSON; and the page of predicted beside published figures."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import edge
import tiny
from edge import measure, report, targets
from edge.artifact.plan_json import plan_to_json
from edge.cli import main
from edge.errors import EdgeError
from edge.pipeline import predict
from edge.words.dtype import Dtype
from graphs import Weights, proto
from house import ROOT

NET = """(float[1,3,16,16] x) => (float[1,5] y)
    { c = Conv <pads=[1,1,1,1]> (x, w) a = Relu (c) g = GlobalAveragePool (a) f = Flatten (g) y = Gemm <transB=1> (f, v) }"""
WEIGHTS: Weights = {"w": (20, 3, 3, 3), "v": (5, 20)}
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("predict") / "net.onnx"
    onnx.save(proto(NET, WEIGHTS), path)
    return path


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("predict") / "tiny.edge", target="rpi4")


def test_a_model_for_a_board(net: Path, capsys: Out) -> None:
    assert main(["predict", str(net), "--target", "rpi4", "--threads", "4", "--per-layer"]) == 0
    facts, layers = capsys.readouterr().out.split("\n\n")
    wanted = ("model", "target", "latency", "energy", "memory", "bound by")
    assert tuple(line[:10].strip() for line in facts.splitlines() if line[0] != " ") == wanted
    assert re.search(r"^model +\S+: 138 k multiply-adds in 3 steps\ntarget +rpi4, level a72, 4 threads$", facts, re.MULTILINE)
    assert all("modelled" in line for line in re.sub(r"\n +", " ", facts).splitlines() if line.startswith(("latency", "energy")))
    assert [line.split()[-1] for line in layers.splitlines()[2:]] == ["a", "g", "y"]


def test_json_is_all_there_is_and_its_keys_stay(net: Path, capsys: Out) -> None:
    assert main(["predict", str(net), "--target", "rpi4", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(said) == sorted(
        ["model", "target", "level", "threads", "latency_ms", "energy_mj", "ram_bytes", "arena_bytes", "weights_bytes", "macs", "layers", "kind"]
    )
    assert (said["kind"], said["energy_mj"]["kind"], said["threads"]) == ("modelled", "modelled", 1)
    assert sorted(said["latency_ms"]) == ["high", "low", "value"]
    assert sorted(said["energy_mj"]) == sorted(["value", "low", "high", "kind", "source", "by_power", "by_operations"])
    keys = ["name", "op", "kernel", "kernel_class", "ms", "mj", "macs", "computed", "bytes", "cores", "bound", "scope"]
    assert all(sorted(layer) == sorted(keys) and sorted(layer["bytes"]) == ["dram", "l1", "l2"] for layer in said["layers"])
    assert said == json.loads(json.dumps(edge.predict(net, "rpi4").to_dict()))


def test_without_power_figures_energy_is_null_with_the_reason(net: Path, tmp_path: Path) -> None:
    board = tmp_path / "dark.toml"
    board.write_text((ROOT / "targets" / "profiles" / "cpu" / "rpi4.toml").read_text().split("[power]")[0].replace("Raspberry Pi 4: 4", "4"))
    found = predict(net, str(board))
    assert (found.energy_mj.value, found.energy_mj.kind) == (None, None)
    assert found.energy_mj.source == "the profile of target 'dark' lacks power figures"
    assert all(layer.mj is None for layer in found.layers)
    assert "energy    none: the profile of target 'dark' lacks power figures\n" in report.prediction_text(found, per_layer=True)


def test_an_artifact_is_predicted_by_its_own_plan(edge_file: Path, capsys: Out) -> None:
    assert main(["predict", str(edge_file)]) == 0
    assert "target    rpi4, level a72, 1 thread\n" in capsys.readouterr().out
    own, other = predict(edge_file), predict(edge_file, "rpi5")
    assert (own.target, other.target) == ("rpi4", "rpi5")
    assert [layer.name for layer in own.layers] == ["y", "z", "s"] and own.latency_ms.value > other.latency_ms.value
    assert (own.arena_bytes, own.weights_bytes, own.ram_bytes) == (4096, 4096, 8192)


def test_inspect_shows_the_modelled_time_of_every_step(edge_file: Path, tmp_path: Path, capsys: Out) -> None:
    assert main(["inspect", str(edge_file)]) == 0
    steps = capsys.readouterr().out.split("\n\n")[2].splitlines()
    at = steps[0].index("ms") - 3
    assert steps[-1] == "MACs: multiply-adds.  moved: bytes read and written.  ms: modelled, one core."
    assert [line[at : at + 5].strip() for line in steps[2:-1]] == [f"{layer.ms.value:.3f}" for layer in predict(edge_file).layers]
    for unknown in ("x86-64", "someones-own-board"):
        assert main(["inspect", str(tiny.write(tmp_path / "t.edge", target=unknown))]) == 0
        steps = capsys.readouterr().out.split("\n\n")[2].splitlines()
        at = steps[0].index("ms")
        assert {line[at : at + 2].strip() for line in steps[2:-1]} == {"-"}


NEEDS = ", ".join(
    ["clock", "cores", "bandwidth.dram", *(f"efficiency.{name}" for name in ("pointwise", "convolution", "depthwise", "fc", "elementwise"))]
)
REFUSALS = [
    ("{net}", "predict: a model needs a target (--target arm64|cpu|rpi-zero2w|rpi3|rpi4|rpi5|x86-64)"),
    ("{net} --target rpi4 --threads -1", "predict: --threads -1 is not between 0 and 256"),
    (
        "{net} --target arm64",
        f"target 'arm64': its profile says too little to predict from: no {NEEDS}, overlap, together, overhead.step, overhead.thread"
        " (name a board, or extend the profile by these figures)",
    ),
    (
        "{net} --target x86-64",
        "target 'x86-64': its profile says too little to predict from: no clock, cores (name a board, or extend the profile by these figures)",
    ),
    ("{net} --target rpi9", "target 'rpi9': unknown (did you mean 'rpi5'? targets: arm64, cpu, rpi-zero2w, rpi3, rpi4, rpi5, x86-64)"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), REFUSALS)
def test_what_cannot_be_predicted_is_refused_in_one_line(line: str, message: str, net: Path, capsys: Out) -> None:
    assert main(["predict", *line.format(net=net).split()]) == 2
    assert capsys.readouterr() == ("", f"edge: {message}\n")


def test_a_plan_for_another_machine_is_refused(tmp_path: Path, capsys: Out) -> None:
    path = tiny.write(tmp_path / "t.edge", target="x86-64")
    assert main(["predict", str(path), "--target", "rpi4"]) == 2
    message = f"edge: {path}: is built for x86_64, target 'rpi4' is aarch64 (give the model instead of the .edge file)\n"
    assert capsys.readouterr() == ("", message)


def changed(change: str, value: object) -> dict[str, Any]:
    """The tiny plan with one thing changed; `change` is a path of keys."""
    made: Any = json.loads(json.dumps(plan_to_json(tiny.plan())))
    at, *keys = made, *change.split(".")
    for key in keys[:-1]:
        at = at[int(key) if isinstance(at, list) else key]
    at[keys[-1]] = value
    return dict(made)


HOSTILE = [
    ("buffers.y.shape", [4, -256], "buffer 'y' has shape (4, -256), layout planar"),
    ("buffers.y.shape", [1 << 40, 1 << 40], f"buffer 'y' has shape ({1 << 40}, {1 << 40}), layout planar"),
    ("buffers.s.layout", {"block": 16}, "buffer 's' has shape (4,), layout blocked16"),
    ("buffers.y.layout", {"block": 1 << 30}, f"buffer 'y' has shape (4, 256), layout blocked{1 << 30}"),
    ("buffers.y.layout", {"block": 16, "room": -1}, "buffer 'y' is a list of float32 with room for -1 in blocks of 16"),
    ("buffers.y.layout", {"block": 16, "room": 1 << 60}, f"buffer 'y' is a list of float32 with room for {1 << 60} in blocks of 16"),
    ("buffers.y.layout", {"room": 8}, "buffer 'y' is a list of float32 with room for 8 in blocks of 0"),
    ("buffers.y.dtype", "object", f"plan.buffers.y.dtype: 'object' is not one of {', '.join(Dtype)}"),
    ("steps.0.macs", -1, "step 'y': macs -1"),
    ("steps.0.bytes", 10**19, f"step 'y': bytes {10**19}"),
    ("levels.v4.schedules.0.chunks", 1 << 60, f"level 'v4': chunks {1 << 60}"),
    ("levels.v4.schedules", [], "level 'v4' schedules 0 of 3 steps"),
    ("levels", {}, "no levels"),
    ("steps.0.shape", [["images", 10**19]], f"step 'y': images {10**19}"),
    ("steps.1.operands.0.view", [0, -1], "step 'z': channels -1"),
    ("steps.1.operands.0.view", [0], "step 'z': view (0,) of 'y'"),
    ("steps.1.operands.2.buffer", "nowhere", "step 'z' names 'nowhere', which is not there"),
    ("steps.1.operands.0.buffer", "b", "step 'z' names 'b', which is not there"),
    ("steps.1.operands.2.access", "read", "step 'z' writes nothing"),
    ("steps.1.posts", [{"kind": "system"}], "step 'z': unknown post 'system'"),
]


@pytest.mark.parametrize(("change", "value", "message"), HOSTILE)
def test_a_plan_that_cannot_be_is_refused(change: str, value: object, message: str, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "t.edge", target="rpi4", plan=changed(change, value))
    with pytest.raises(EdgeError) as caught:
        predict(path)
    assert str(caught.value) == f"{path}: {message} (build it again with this edge)"


# ---- against the world


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return import_module("prediction_table")


@pytest.mark.slow
def test_the_page_of_predictions_is_current(script: ModuleType) -> None:
    """`make docs` writes it; it changes with profiles, plans and the zoo."""
    assert "\n\n".join(script.page()) + "\n" == (ROOT / "docs" / "prediction.md").read_text()


@pytest.mark.slow
@pytest.mark.alone
def test_the_steps_of_this_machine_rank_as_predicted(tmp_path: Path) -> None:
    """Structure, not speed: this machine may be busy."""
    made = edge.build("zoo:mobilenet_v2_x0_5", target="cpu", out=tmp_path / "m.edge")
    runs = [measure.bench(made.path, runs=20, warmup=2, min_secs=0.1, per_layer=True) for _ in range(5)]
    measured = np.min([[layer.ms for layer in run.layers] for run in runs], axis=0)
    found = predict(made.path)
    modelled = np.array([layer.ms.value for layer in found.layers])
    ranks = [np.argsort(np.argsort(ms)) for ms in (modelled, measured)]
    assert np.corrcoef(*ranks)[0, 1] > 0.6
    assert 0.1 < modelled.sum() / measured.sum() < 10


def test_every_published_figure_has_a_board_of_ours(script: ModuleType) -> None:
    assert {row.board for row in script.PUBLISHED} <= set(targets.names())
    assert all(row.ms > 0 and row.threads in (1, 4) and len(row.source) > 3 for row in script.PUBLISHED)
