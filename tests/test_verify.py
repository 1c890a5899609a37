"""The chain model → graph → artifact, and who is guilty."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tiny
from edge import verify
from edge.artifact.graph_file import dump
from edge.cli import main
from edge.converters import Source
from edge.errors import CheckFailed, EdgeError
from edge.verify.trace import layers_of
from edge.words.dtype import Dtype
from edge.words.layout import Layout
from edge.words.plan import Buffer

Array = NDArray[np.generic]
FP32 = verify.tolerance_for("fp32")


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("verify") / "tiny.edge")


def source(shift: Mapping[str, float] | None = None, names: Sequence[str] = ("y", "z", "s")) -> Source:
    """The tiny model as somebody's original, each value moved by `shift`."""

    def values(inputs: Mapping[str, Array]) -> dict[str, Array]:
        x = inputs["x"].astype(np.float32, copy=False)
        found: dict[str, Array] = {"y": 2 * x, **tiny.reference(x)}
        return {n: a + np.float32((shift or {}).get(n, 0)) for n, a in found.items() if n in names}

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {n: a for n, a in values(inputs).items() if n in ("z", "s")}

    def layers(inputs: Mapping[str, Array], wanted: Sequence[str] | None) -> dict[str, Array]:
        return {n: a for n, a in values(inputs).items() if wanted is None or n in wanted}

    return Source(tiny.graph(), "tiny", "net.py:tiny", "0" * 64, run, layers)


def comparisons() -> list[tuple[str, list[float], list[float], float, bool]]:
    """(what, got, reference, error, good at 1e-5)."""
    nan, inf = math.nan, math.inf
    return [
        ("equal", [1, 2], [1, 2], 0, True),
        ("relative to the largest", [1.0, 100.0005], [1.0, 100.0], 5e-6, True),
        ("too far", [1.0, 101.0], [1.0, 100.0], 0.01, False),
        ("all zeros", [0, 0], [0, 0], 0, True),
        ("zeros expected", [0, 1e-9], [0, 0], 1e-9, False),
        ("NaN on one side", [nan, 1], [1, 1], inf, False),
        ("NaN expected", [1, 1], [nan, 1], inf, False),
        ("NaN on both", [nan, 1], [nan, 1], 0, True),
        ("same infinity", [inf, 1], [inf, 1], 0, True),
        ("other infinity", [inf, 1], [-inf, 1], inf, False),
        ("nothing", [], [], 0, True),
    ]


@pytest.mark.parametrize(("got", "reference", "error", "good"), [c[1:] for c in comparisons()], ids=[c[0] for c in comparisons()])
def test_error_is_relative_to_the_largest_reference(got: list[float], reference: list[float], error: float, good: bool) -> None:
    c = verify.compared("link", "name", np.array(got), np.array(reference), FP32)
    assert c.good is good
    assert c.error == pytest.approx(error, rel=1e-3)


def test_another_shape_is_infinitely_wrong() -> None:
    c = verify.compared("link", "name", np.zeros((2, 3)), np.zeros((3, 2)), FP32)
    assert (c.error, c.good) == (math.inf, False)


def test_lossy_precisions_are_judged_by_direction() -> None:
    int8 = verify.tolerance_for("int8")
    reference = np.linspace(-1, 1, 100)
    assert verify.compared("", "", reference + 0.02, reference, int8).good
    assert not verify.compared("", "", -reference, reference, int8).good
    assert not verify.compared("", "", reference + 0.02, reference, verify.tolerance_for("int8", rtol=1e-3)).good
    assert verify.compared("", "", reference + 0.02, reference, verify.tolerance_for("fp32", atol=0.05)).good


def test_a_good_artifact_is_good_layer_by_layer(edge_file: Path) -> None:
    outcome = verify.verify(edge_file, source(), per_layer=True)
    assert outcome.good
    assert outcome.guilty is None
    assert [(c.link, c.name, c.source) for c in outcome.layers] == [
        (link, name, f"net.py:{line}") for name, line in (("y", 3), ("z", 4), ("s", 5)) for link in ("model → graph", "graph → artifact")
    ]
    assert {c.link for c in outcome.whole} == {"test vectors → artifact", "graph → artifact", "model → artifact", "model → graph"}
    verify.require_good(outcome)


def test_the_first_guilty_layer_is_named_with_its_source_line(edge_file: Path) -> None:
    outcome = verify.verify(edge_file, source({"z": 1.0, "s": 256.0}), per_layer=True)
    with pytest.raises(CheckFailed) as caught:
        verify.require_good(outcome)
    assert caught.value.exit_code == 1
    want = r"^tiny.edge: layer 'z' \(net.py:4\) is the first to differ: model → graph, error 0.00\d+, cosine 0.9999\d\d$"
    assert caught.match(want)


def test_a_wrong_graph_is_guilty_between_graph_and_artifact(tmp_path: Path) -> None:
    plan, graph = tiny.plan(), tiny.graph()
    node = next(n for n in graph.graph if n.op_type == "Mul")
    node.replace_input_with(1, node.inputs[0])  # y = x * x
    path = tiny.write(tmp_path / "wrong.edge", graph=dump(graph, plan))
    outcome = verify.verify(path, source(), per_layer=True)
    assert outcome.guilty is not None
    assert (outcome.guilty.name, outcome.guilty.link) == ("y", "model → graph")
    without = verify.verify(path, per_layer=True)
    assert without.guilty is not None
    assert (without.guilty.name, without.guilty.link) == ("y", "graph → artifact")


def test_wrong_weights_are_found_by_the_test_vectors(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "wrong.edge", weights=(tiny.weights() * 1.001).astype(np.float32).tobytes())
    outcome = verify.verify(path)
    assert [c.good for c in outcome.whole if c.link == "test vectors → artifact"] == [False] * 4
    assert outcome.guilty is not None
    assert outcome.guilty.name == "z, vector 0"


def nudged(output: str, by: float) -> bytes:
    """expected.bin with one number of that output moved, in both vectors."""
    answers = [tiny.reference(tiny.inputs(v)) for v in range(tiny.VECTORS)]
    for answer in answers:
        answer[output].flat[1] += np.float32(by)
    return b"".join(array.tobytes() for answer in answers for array in answer.values())


#: z is at most 130, s 30,000: a thousandth is 8e-6 of the one and 3e-8 of the other
JUDGED = [
    ("a small output beside a large one", "z", 0.001, (), ["z, vector 0", "z, vector 1"]),
    ("a large output by its own numbers", "s", 0.001, (), []),
    ("a limit of one output", "z", 0.001, (1e-4, 1e-6, 1e-6, 1e-6), ["z, vector 1"]),
    ("a limit of the other output", "z", 0.001, (1e-6, 0.5, 1e-6, 0.5), ["z, vector 0", "z, vector 1"]),
]


@pytest.mark.parametrize(("output", "by", "limits", "wrong"), [case[1:] for case in JUDGED], ids=[case[0] for case in JUDGED])
def test_every_output_is_judged_by_its_own_numbers_and_limit(
    output: str, by: float, limits: tuple[float, ...], wrong: list[str], tmp_path: Path
) -> None:
    path = tiny.write(tmp_path / "t.edge", expected=nudged(output, by) + np.array(limits, "<f8").tobytes())
    outcome = verify.verify(path)
    assert [c.name for c in outcome.whole if c.link == "test vectors → artifact" and not c.good] == wrong


def test_a_model_with_other_inputs_is_refused(edge_file: Path) -> None:
    other = source()
    other.model.graph.inputs[0].name = "image"
    with pytest.raises(EdgeError) as caught:
        verify.verify(edge_file, other)
    cure = "give the model it was built from, with the same --input-shape"
    assert str(caught.value) == f"net.py:tiny: takes {{'image': (4, 256)}}, the artifact takes {{'x': (4, 256)}} ({cure})"


def test_blocked_layers_are_read_as_planar_ones() -> None:
    buffer = Buffer("b", (2, 5, 3, 2), Dtype.F32, Layout(4))
    want = np.arange(60, dtype=np.float32).reshape(buffer.shape)
    held = np.pad(want, [(0, 0), (0, 3), (0, 0), (0, 0)], constant_values=np.nan).reshape(2, 2, 4, 3, 2).transpose(0, 1, 3, 4, 2)
    assert buffer.size == held.nbytes
    np.testing.assert_array_equal(buffer.layout.unpack(np.ascontiguousarray(held).ravel(), buffer.shape), want)


def test_a_trace_of_another_length_is_refused() -> None:
    with pytest.raises(EdgeError) as caught:
        layers_of(tiny.plan(), bytes(12), "m.edge")
    assert str(caught.value) == "m.edge: its trace is 12 bytes long, not what its plan says (build it again with this edge)"


def test_the_command_prints_a_table_and_its_verdict(edge_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(edge_file), "--per-layer"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("tiny.edge  level ")
    assert lines[-1].startswith("good, largest error of an output ")
    assert len([line for line in lines if "graph → artifact" in line]) == 5


def test_the_command_fails_with_exit_code_1_and_json_alone(edge_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(edge_file), "--rtol", "1e-12", "--json"]) == 1
    out, err = capsys.readouterr()
    value = json.loads(out)
    assert (value["good"], value["guilty"]["name"], value["whole"][0]["cosine"]) == (False, "s, vector 0", None)
    assert err.startswith("edge: tiny.edge: output 's, vector 0' is the first to differ: test vectors → artifact, error ")


@pytest.mark.parametrize(
    ("cosine", "figures"),
    [(math.nan, "error 0.25"), (0.5, "error 0.25, cosine 0.500000")],
)
def test_a_cosine_that_nobody_computed_is_not_shown(cosine: float, figures: str) -> None:
    row = verify.Comparison("test vectors → artifact", "s, vector 0", 0.25, cosine, True, False)
    with pytest.raises(CheckFailed) as caught:
        verify.require_good(verify.Outcome("tiny.edge", "v3", verify.Tolerance(1e-5), (row,)))
    said = "tiny.edge: output 's, vector 0' is the first to differ: test vectors → artifact"
    assert str(caught.value) == f"{said}, {figures} (--per-layer shows every layer)"


def test_the_command_takes_a_model_file(edge_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edge.graph import save

    save(tiny.graph(), tmp_path / "tiny.onnx")
    assert main(["verify", str(edge_file), "--against", str(tmp_path / "tiny.onnx"), "--per-layer", "--json"]) == 0
    links = [layer["link"] for layer in json.loads(capsys.readouterr().out)["layers"]]
    assert links == ["model → graph", "graph → artifact"] * 3
