"""`edge ops` tells what can be built: it is held against ONNX's own node cases, as docs/node_cases.md counts them."""

from __future__ import annotations

import json
import re

import pytest

from edge.cli import main
from edge.plan.operators import FOLDED, OTHERS, How, operators
from edge.report.operators import markdown
from house import ROOT

#: operators whose node cases are of forms that are refused (float16, strings), while others are built
REFUSED_CASES = {"CastLike"}


def counted() -> dict[str, int]:
    """Operator -> how many of its node cases are built."""
    rows = re.findall(r"^\| (\w+) \| (\d+) \|", (ROOT / "docs" / "node_cases.md").read_text(), re.M)
    return {name: int(built) for name, built in rows if name != "all"}


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "ops.md").read_text() == markdown(operators()), "run `make docs`"


def test_what_is_said_to_be_built_is_built() -> None:
    cases = counted()
    said = {one.name for one in operators() if one.how is not How.NO}
    assert {name for name, built in cases.items() if not built and name in said} <= REFUSED_CASES
    assert [name for name, built in cases.items() if built and name not in said] == []


def test_every_refused_operator_has_a_cure() -> None:
    assert [one.name for one in operators() if one.how is How.NO and not one.note] == []


def test_the_tables_name_operators_that_need_a_row() -> None:
    shown = {one.name: one for one in operators()}
    assert [name for name in FOLDED if shown[name].how is not How.FOLDED] == []
    assert [name for name in OTHERS if shown[name].how is not How.OTHERS] == []


def test_one_operator(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "conv"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "operator  Conv",
        "path      a kernel written for it, in float32",
        "else      loops made for it, in any element type and rank; slower than a kernel",
    ]


def test_json_has_every_operator(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(found) == len(operators())
    assert found["Conv"]["how"] == "kernel" and "conv_f32" in found["Conv"]["kernels"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ops Convv", "edge: ops Convv: is no operator of ONNX (did you mean 'Conv'?)"),
        ("ops --json --markdown", "edge: ops: takes one of --markdown and --json"),
        (
            "ops --target videocore-vii",
            "edge: target 'videocore-vii': is a GPU: building for it is not supported yet (--target rpi5 runs on its CPU)",
        ),
    ],
)
def test_mistakes(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    assert capsys.readouterr().err.strip() == says
