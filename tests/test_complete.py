"""What is found by discovery is complete: nothing lies in a folder without its place in a table or a test, and the other way round."""

from __future__ import annotations

import ast

import pytest

from edge import targets
from edge.cli.commands import GROUPS, VERBS
from edge.cli.group import command_of
from edge.graph.domain import BODIES
from edge.ops import lowerings
from edge.ops.generic import meanings
from edge.passes import PASSES
from edge.targets import kinds
from house import ROOT, members, modules

NOT_VERBS = {
    "run_events",
    "commands",
    "completion",
    "group",
    "help_page",
    "not_yet",
    "options",
    "output",
    "payloads",
    "progress",
    "profile_mlperf",
    "reference",
    "shells",
    "signals",
    "verb",
    "words",
}


def test_every_verb_has_a_file_and_every_file_a_verb() -> None:
    assert members("edge.cli") - NOT_VERBS == set(VERBS)


def test_every_verb_has_a_command_and_a_group() -> None:
    assert [verb for verb in VERBS if type(command_of(verb)).__name__ != "Verb"] == []
    assert {entry.group for entry in VERBS.values()} == set(GROUPS)


@pytest.mark.parametrize("name", targets.names("cpu"))
def test_every_profile_loads(name: str) -> None:
    assert targets.load(name).name == name


def test_names_are_the_folders() -> None:
    folders = {path.name: sorted(file.stem for file in path.iterdir()) for path in (ROOT / "targets" / "profiles").iterdir()}
    assert {kind: targets.names(kind) for kind in kinds.names()} == folders
    assert sorted(targets.names()) == sorted(name for names in folders.values() for name in names)
    assert {name: targets.read(name).kind for name in targets.names()} == {name: kind for kind, names in folders.items() for name in names}


def has_function(module: str, name: str) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.parse(modules()[module].read_text()).body)


def test_every_pass_has_its_place_in_the_order() -> None:
    assert {name for name in members("edge.passes") if has_function(f"edge.passes.{name}", "run")} == set(PASSES)


def test_every_op_of_ours_has_a_lowering_or_a_meaning_in_loops() -> None:
    """BODIES is the one list of them: an op that is added there and forgotten elsewhere would be refused as unknown.

    Neurons are spelled out where they are read (`converters/from_onnx.py`).
    """
    assert set(BODIES) - lowerings().keys() - meanings().keys() == set()
