"""Names in a plan: steps, buffers and constants have names of their own, whatever the model calls its values."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from test_plan import marked, odd_cases

from compiled import LEVELS, Case, planned
from edge import passes, plan
from edge.artifact.graph_file import dump
from edge.converters.from_onnx import lift
from edge.graph import infer, reading
from edge.ops.builder import Builder
from edge.plan.naming import single_names
from edge.report.repeated import repeated, repeated_text
from edge.words.step import Step
from graphs import Weights, small

V4 = LEVELS["v4"].core


@pytest.mark.parametrize("fast", [True, False], ids=["kernels", "loops"])
@pytest.mark.parametrize("case", odd_cases(), ids=lambda case: case.name)
def test_no_two_steps_have_one_name(case: Case, fast: bool) -> None:
    made = planned(case, V4, fast=fast)
    names = [step.name for step in made.steps]
    assert sorted(names) == sorted(set(names))


def step(name: str, covers: tuple[str, ...] = ()) -> Step:
    return Step(name, "op", "kernel", (), covers=covers)


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ([step("a", ("a",)), step("b", ("b",))], ["a", "b"]),
        ([step("y", ("y",)), step("y", ("y",))], ["y@1", "y"]),
        ([step("y", ("y",)), step("y")], ["y", "y@1"]),
        ([step("x@planar"), step("x@planar")], ["x@planar@1", "x@planar"]),
        ([step("y"), step("y@1"), step("y")], ["y@2", "y@1", "y"]),
        ([step("y"), step("y")], ["y@1", "y"]),
    ],
)
def test_the_step_that_makes_a_value_whole_keeps_its_name(steps: list[Step], names: list[str]) -> None:
    assert [each.name for each in single_names(steps)] == names


def test_a_number_is_no_name_of_the_graph() -> None:
    assert [each.name for each in single_names([step("y"), step("y")], {"y@1"})] == ["y@2", "y"]


def test_one_packing_of_another_content_is_another_constant() -> None:
    """A constant's name decides its bytes, however alike the requests for two constants look."""
    build = Builder(4)
    first, second = np.arange(16, dtype=np.float32).reshape(4, 4), np.ones((4, 4), np.float32)
    assert build.matrix(first, "w") == build.matrix(first, "w") == "w@matrix"
    assert build.matrix(second, "w") == "w@matrix@"
    assert build.matrix(first.astype(np.float64), "w") == "w@matrix@@"  # type: ignore[arg-type]
    assert [constant.data.dtype.name for constant in build.constants.values()] == ["float32", "float32", "float64"]
    assert build.constants["w@matrix"].data.sum() == first.sum() and build.constants["w@matrix@"].data.sum() == 16


REPEATED = [
    ("once", "(float[1,8,5,5] x) => (float[1,8,5,5] y) { y = Conv (x, w) }", {"w": (8, 8, 1, 1)}, {}, ""),
    (
        "one weight in two packings",
        "(float[1,8,5,5] x, float[1,24,5,5] z) => (float[1,48,3,3] y, float[1,48,3,3] u) { y = Conv <group=2> (x, w) u = Conv <group=6> (z, w) }",
        {"w": (48, 4, 3, 3)},
        {"w@grouped2": 13824, "w@grouped6": 13824},
        "27.6 kB repeat weights that the file holds elsewhere: w@grouped2 (13.8 kB), w@grouped6 (13.8 kB)",
    ),
    (
        "one weight multiplied and added",
        "(float[1,8,5,5] x, float[8,8,1,1] k) => (float[1,8,5,5] y, float[8,8,1,1] z) { y = Conv (x, w) z = Add (k, w) }",
        {"w": (8, 8, 1, 1)},
        {"w": 256},
        "256 B repeat weights that the file holds elsewhere: w (256 B)",
    ),
]


@pytest.mark.parametrize(("text", "weights", "bytes_", "line"), [case[1:] for case in REPEATED], ids=[case[0] for case in REPEATED])
def test_weights_that_are_kept_twice_are_reported(text: str, weights: Weights, bytes_: dict[str, int], line: str) -> None:
    made = plan.make(passes.optimize(small(text, weights)), {"v4": V4})
    assert (repeated(made), repeated_text(made)) == (bytes_, line)


HOSTILE = (
    '(float[1,5,6,7] x) => (float[1,20,6,7] y) { "w@packed" = Conv (x, w) "w@1" = Relu ("w@packed") "w@2" = Exp ("w@1") '
    '"w@ends" = Add ("w@2", "w@1") y = Conv ("w@ends", v) }'
)


def test_graph_onnx_of_a_model_with_such_names_is_read_again() -> None:
    model = passes.optimize(lift(infer(reading.deserialize(marked(HOSTILE, {"w": (20, 5, 1, 1), "v": (20, 20, 1, 1)}), "m", None)), "m"))
    made = plan.make(model, {"v4": V4})
    proto = onnx.ModelProto.FromString(dump(model, made))
    names = [*(i.name for i in proto.graph.input), *(i.name for i in proto.graph.initializer), *(o for n in proto.graph.node for o in n.output)]
    assert sorted(names) == sorted(set(names))
    known = {*(i.name for i in proto.graph.input), *(i.name for i in proto.graph.initializer)}
    for node in proto.graph.node:
        assert known.issuperset(filter(None, node.input)), node
        known.update(node.output)
