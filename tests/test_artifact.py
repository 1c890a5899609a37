"""The `.edge` file: written the same every time, whole or not at all, and read back."""

from __future__ import annotations

import stat
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import numpy_helper, parser
from onnx_ir import serde

import tiny
from edge import artifact
from edge.artifact.graph_file import dump
from edge.artifact.plan_json import plan_from_json, plan_to_json, to_bytes
from edge.errors import EdgeError
from edge.words.dtype import Dtype
from edge.words.layout import Layout
from edge.words.plan import Buffer, Constant, Level, Place, Plan, State
from edge.words.post import ADD, Post
from edge.words.schedule import Schedule
from edge.words.step import Access, Operand, Step


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("artifact") / "tiny.edge", files={"labels.txt": b"cat\ndog\n"}, labels="labels.txt")


def test_what_was_written_is_read(edge_file: Path) -> None:
    opened = artifact.open(edge_file)
    assert list(opened.entries) == ["weights.bin", "expected.bin", "manifest.json", "graph.onnx", "labels.txt"]
    assert opened.manifest.name == "tiny"
    assert opened.manifest.weights_bytes == 4096
    assert opened.manifest.outputs[1] == artifact.Tensor("s", (4,), "float32")
    assert opened.labels == ["cat", "dog"]
    assert opened.plan == tiny.plan()
    assert opened.read("expected.bin") == tiny.expected()
    np.testing.assert_array_equal(opened.weights.view(np.float32).reshape(tiny.SHAPE), tiny.weights())
    np.testing.assert_array_equal(opened.plan.constants["w"].data, tiny.weights())


def test_weights_are_mappable_and_the_file_runs(edge_file: Path) -> None:
    entry = artifact.open(edge_file).entries["weights.bin"]
    assert (entry.data_at % 65536, entry.packed) == (0, entry.size)
    assert stat.S_IMODE(edge_file.stat().st_mode) == 0o755
    assert subprocess.run([edge_file, "--verify"], check=False).returncode == 0


def test_zipfile_and_unzip_take_it(edge_file: Path) -> None:
    with zipfile.ZipFile(edge_file) as archive:
        assert archive.testzip() is None
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read("weights.bin") == tiny.weights().tobytes()


def test_same_content_same_bytes(edge_file: Path, tmp_path: Path) -> None:
    again = tiny.write(tmp_path / "other-name.edge", files={"labels.txt": b"cat\ndog\n"}, labels="labels.txt")
    assert again.read_bytes() == edge_file.read_bytes()


def test_an_artifact_without_a_program_is_a_zip(tmp_path: Path) -> None:
    opened = artifact.open(tiny.write(tmp_path / "chip.edge", executable=b""))
    assert opened.entries["weights.bin"].data_at == 65536


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(EdgeError, match=r"^.*/taken: cannot be written: Is a directory \(choose another place\)$"):
        tiny.write(tmp_path / "taken")
    with pytest.raises(EdgeError, match=r"^.*/none/m.edge: cannot be written: No such file or directory \(choose another place\)$"):
        tiny.write(tmp_path / "none" / "m.edge")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def payload(**changed: object) -> dict[str, object]:
    return {"format": "native", "kind": "cpu"} | changed


def wrong_manifests() -> list[tuple[dict[str, object], str]]:
    cure = "the file is damaged or not made by edge: copy or build it again"
    return [
        ({"nmae": "x"}, f"manifest.json: unknown key 'nmae' (did you mean 'name'?) ({cure})"),
        ({"weights_bytes": "many"}, f"manifest.json.weights_bytes: str instead of int ({cure})"),
        ({"weights_bytes": True}, f"manifest.json.weights_bytes: bool instead of int ({cure})"),
        ({"macs": "many"}, f"manifest.json.payloads[0].compiled.macs: str instead of int ({cure})"),
        ({"macs": -1, "arena_bytes": -2}, f"payload 'native': arena_bytes: -2; payload 'native': macs: -1 ({cure})"),
        ({"payloads": []}, f"no payloads ({cure})"),
        ({"payloads": [payload(), payload()]}, f"two payloads of one format ({cure})"),
        ({"payloads": [payload(front=["rm"])]}, f"payload 'native': format, kind, front or words are none that edge writes ({cure})"),
        ({"payloads": [payload(format="../x")]}, f"payload '../x': format, kind, front or words are none that edge writes ({cure})"),
        ({"payloads": [payload(words=["-x y"])]}, f"payload 'native': format, kind, front or words are none that edge writes ({cure})"),
        ({"payloads": [payload(can=["fly"])]}, f"payload 'native': unknown ability 'fly' ({cure})"),
        ({"inputs": [{"name": "x", "shape": [0], "dtype": "float99"}]}, f"tensor x: dtype float99; tensor x: shape (0,) ({cure})"),
        ({"inputs": [{"name": "x", "shape": [32], "dtype": "bit"}]}, f"tensor x: dtype bit ({cure})"),
        ({"inputs": [{"name": "x", "shape": [1 << 40], "dtype": "int8"}]}, f"tensor x: shape (1099511627776,) ({cure})"),
        ({"outputs": []}, f"no outputs ({cure})"),
        ({"model": {"origin": "m", "sha256": "../x"}}, f"model.sha256: '../x' is not a sha256 ({cure})"),
        ({"schema": 1}, "manifest schema 1, this edge reads 2 (use the edge that built it, or build it again)"),
    ]


@pytest.mark.parametrize(("changed", "message"), wrong_manifests())
def test_a_wrong_manifest_is_refused(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    with pytest.raises(EdgeError) as caught:
        tiny.write(tmp_path / "m.edge", executable=b"", files={}, **changed)
    assert str(caught.value) == f"m.edge: {message}"


@pytest.mark.parametrize("name", ["../x", "/x", "a\\b", "a//b", ".hidden", "weights.bin", "a/../b", "x\n"])
def test_a_file_name_that_could_escape_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EdgeError) as caught:
        tiny.write(tmp_path / "m.edge", executable=b"", files={name: b""})
    rule = "letters, digits, '_', '-', '.', and '/' between them"
    assert str(caught.value) == f"{name.strip()}: is not a name for a file in an artifact ({rule})"


def test_a_plan_survives_json() -> None:
    """Every kind of value a plan can hold, without the packed data."""
    operands = (
        Operand("x[0]", "x", view=(0, 3)),
        Operand("x[1]", "x", view=(3, 1)),
        Operand("w", "w", Access.WEIGHT),
        Operand("y", "y", Access.WRITE),
    )
    posts = (Post("clip", (float("-inf"), 6.0)), Post(ADD, operands=("residual",)))
    step = Step("y", "Conv", "conv_f32", operands, (("k", (3, 3)), ("n", 2), ("fill", 0.5)), posts)
    levels = {"v4": Level((Schedule((("mr", 4),), 3),), ("v4",))}
    constant = Constant("w", np.arange(6, dtype=np.int8).reshape(2, 3), "w", (5,), (1,), (2, 3), (0, 1), 64)
    buffers = {"x": Buffer("x", (1, 4, 2, 2), Dtype.F32, Layout(16)), "y": Buffer("y", (1, 2), Dtype.S8, place=Place.OUTPUT)}
    plan = Plan("p", (step,), buffers, {"w": constant}, ("x",), ("y",), 128, (State("y", "x"),), levels=levels)
    assert plan_from_json(plan_to_json(plan), "p") == plan
    assert plan_from_json(plan_to_json(plan), "p").steps[0].numbers == step.numbers
    weights = np.frombuffer(bytes(64) + bytes(range(6)), np.uint8)
    np.testing.assert_array_equal(plan_from_json(plan_to_json(plan), "p", weights).constants["w"].data, constant.data)
    assert to_bytes(plan).startswith(b"{")
    with pytest.raises(EdgeError, match=r"^p: constant 'w' lies past the end of weights.bin \(build it again with this edge\)$"):
        plan_from_json(plan_to_json(plan), "p", weights[:-1])


def packings() -> list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """(weight's shape, pads, split, perm)."""
    return [
        ((20, 3, 3, 3), (12, 0, 0, 0), (2, 16, 3, 3, 3), (0, 2, 3, 4, 1)),
        ((20, 3, 3, 3), (12, 1, 0, 0), (2, 16, 2, 2, 3, 3), (0, 2, 4, 5, 3, 1)),
        ((20, 3, 3, 3), (), (), ()),
        ((20, 3, 3, 3), (0, 0, 0, 0), (20, 27), (1, 0)),
    ]


@pytest.mark.parametrize(("shape", "pads", "split", "perm"), packings())
def test_the_graph_in_the_artifact_reads_packed_weights(
    tmp_path: Path, shape: tuple[int, ...], pads: tuple[int, ...], split: tuple[int, ...], perm: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=shape).astype(np.float32), rng.normal(size=20).astype(np.float32)
    proto = parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> g (float[1, 3, 8, 8] x) => (float[1, 20, 8, 8] y) { y = Conv <pads = [1, 1, 1, 1]> (x, w, b) }'
    )
    proto.graph.initializer.extend([numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")])
    packed = np.pad(w, [(0, n) for n in pads]) if pads else w
    packed = np.ascontiguousarray(packed.reshape(split or shape).transpose(perm or range(len(split or shape))))
    constants = {
        "w": Constant("w", packed, "w", shape, pads, split, perm, 64),
        "b": Constant("b", b * 2, "", (20,)),  # computed from b: no way back, so b stays in the graph
    }
    data = dump(serde.deserialize_model(proto), Plan("g", (), {}, constants, (), (), 0))
    (tmp_path / "graph.onnx").write_bytes(data)
    (tmp_path / "weights.bin").write_bytes(bytes(64) + packed.tobytes())
    x = rng.normal(size=(1, 3, 8, 8)).astype(np.float32)
    got = onnxruntime.InferenceSession(tmp_path / "graph.onnx").run(None, {"x": x})[0]
    want = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_array_equal(got, want)
    assert len(data) < w.nbytes


def test_a_constant_that_does_not_lead_back_leaves_the_weight_in_the_graph() -> None:
    plan = tiny.plan()
    wrong = Constant("w", tiny.weights() + 1, "w", tiny.SHAPE)
    data = dump(tiny.graph(), Plan("tiny", plan.steps, plan.buffers, {"w": wrong}, ("x",), ("z", "s"), 4096))
    assert tiny.weights().tobytes() in data
    assert tiny.weights().tobytes() not in dump(tiny.graph(), plan)
