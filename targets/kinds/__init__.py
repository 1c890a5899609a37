"""The kinds of hardware that a profile can describe: one module a kind, found by its name.

To add one: 1. a module here with what `Kind` lists; 2. a folder targets/profiles/KIND with the profiles.  Nothing else names a kind:
`edge targets` shows what a module says, and a build finds a backend by (kind, format).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

from edge.listing import module_names
from edge.targets.profile import Figure, Head

DEFAULT = "cpu"  #: of a file that names none


class Kind(Protocol):
    """What a module of this package offers.  ARTICLE: "a GPU".  INSTEAD: what the target in a profile's `instead` does, after its name."""

    ARTICLE: str
    INSTEAD: str

    def mistakes(self, content: object) -> list[str]:
        """Everything wrong with one file, taken alone."""

    def missing(self, merged: Mapping[str, Any]) -> list[str]:
        """What is still missing once a file and all it extends are put together."""

    def profile(self, name: str, content: Mapping[str, Any], sha256: str) -> Head:
        """Frozen data out of a checked table."""

    def figures(self, profile: Any) -> Iterator[tuple[str, Figure]]:
        """Every figure with its dotted key."""

    def summary(self, profile: Any) -> str:
        """One line for the list of targets."""

    def facts(self, profile: Any) -> list[str]:
        """The lines above the figures, for the page of one target."""


def names() -> list[str]:
    """The kinds that there are, CPUs first."""
    return sorted(module_names(__path__), key=lambda name: (name != DEFAULT, name))


def kind(name: str) -> Kind:
    """The module of that kind."""
    return cast("Kind", importlib.import_module(f"{__name__}.{name}"))
