"""What the documents tell a newcomer to type is understood, and what they point at is there."""

from __future__ import annotations

import re
import shlex
from importlib import util
from pathlib import Path

import pytest

from edge.cli.commands import VERBS
from edge.cli.group import command_of
from edge.cli.words import check
from house import ROOT

PAGES = ("README.md", "CONTRIBUTING.md", "docs/design.md", "docs/devices.md", "docs/meters.md", "docs/mlperf.md", "docs/pictures.md", "CHANGELOG.md")


def lines(page: str) -> list[str]:
    """The indented command lines of a page, comments taken off."""
    return [line.split("  #")[0].strip() for line in (ROOT / page).read_text().splitlines() if line.startswith("    ")]


def commands() -> list[str]:
    return [line for page in PAGES for line in lines(page) if line.startswith("edge ")]


def test_the_tour_has_every_command_of_today() -> None:
    assert set(VERBS) - {line.split()[1] for line in lines("README.md") if line.startswith("edge ")} == set()


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_pages_parses(line: str) -> None:
    verb, *words = shlex.split(line)[1:]
    assert util.find_spec(f"edge.cli.{verb}"), f"{verb} has no file"
    command = command_of(verb)
    check(verb, command, words)
    command.make_context(verb, words)


@pytest.mark.parametrize("page", PAGES)
def test_a_make_target_of_the_pages_is_there(page: str) -> None:
    there = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^    |`)make ([a-z]+)", (ROOT / page).read_text(), re.MULTILINE)) - set(there) == set()


@pytest.mark.parametrize("page", PAGES)
def test_a_link_of_the_pages_leads_somewhere(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()) if "://" not in link]
    assert [link for link in links if not ((ROOT / page).parent / Path(link)).exists()] == []


def test_nothing_names_the_machine_it_was_written_on() -> None:
    """A path under a home or work folder works for one person only."""
    homes = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w")
    places = [path for name in ("sdk", "targets", "converters", "examples", "benchmarks", "docs", ".ci") for path in (ROOT / name).rglob("*")]
    sources = [path for path in places if path.suffix in (".py", ".c", ".h", ".md", ".toml", ".json", "") and path.is_file()]
    assert [str(path.relative_to(ROOT)) for path in sources if homes.search(path.read_text(errors="replace"))] == []
