"""Profiles that are tables of figures and little else: a frozen dataclass made from a checked file by its fields, and its figures back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from edge.targets.profile import Figure, Head

H = TypeVar("H", bound=Head)


def made(cls: type[H], name: str, content: Mapping[str, Any], sha256: str) -> H:
    """The dataclass with every field that the file has: figures, tables of figures, lists as tuples, texts."""
    known = {f.name for f in fields(cls)} - {"name", "sha256"}
    return cls(name=name, sha256=sha256, **{key: value_of(value) for key, value in content.items() if key in known})


def value_of(value: Any) -> Any:
    if isinstance(value, dict):
        return Figure(**value) if "value" in value else {key: value_of(item) for key, item in value.items()}
    return tuple(value) if isinstance(value, list) else value


def figures(profile: Head) -> Iterator[tuple[str, Figure]]:
    """Every figure with its dotted key, in the order of the fields."""
    for f in fields(profile):
        value = getattr(profile, f.name)
        if isinstance(value, Figure):
            yield f.name, value
        elif isinstance(value, dict):
            yield from ((f"{f.name}.{key}", figure) for key, figure in value.items())
