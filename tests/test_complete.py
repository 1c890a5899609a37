"""What is found by discovery is complete: nothing lies in a folder without its place in a table or a test, and the other way round."""

from __future__ import annotations

import pytest

from edge import targets
from edge.cli import LATER, VERBS
from edge.cli import later as later_verbs
from house import ROOT, members

NOT_VERBS = {"parser", "progress", "later", "reference"}


def test_every_verb_has_a_file_and_every_file_a_verb() -> None:
    assert members("edge.cli") - NOT_VERBS == set(VERBS)


def test_every_later_verb_parses() -> None:
    assert set(later_verbs.ARGUMENTS) == set(LATER)


@pytest.mark.parametrize("name", targets.names())
def test_every_profile_loads(name: str) -> None:
    assert targets.load(name).name == name


def test_names_are_the_folders() -> None:
    assert targets.names() == sorted(path.stem for path in (ROOT / "targets" / "profiles").iterdir())
