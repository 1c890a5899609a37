"""Rules of a table read from a file: each takes a dotted key and a value, and yields what is wrong in words.

Rules are put together from rules, so that one pass over a file finds every mistake in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from edge.errors import did_you_mean
from edge.targets.profile import KINDS as FIGURE_KINDS
from edge.targets.profile import MOST, UNITS

Rule = Callable[[str, object], Iterator[str]]

KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number", dict: "a table", list: "a list"}


def kind(value: object) -> str:
    return KINDS.get(type(value), type(value).__name__)


def text(key: str, value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{key}: must be text, not {kind(value)}"
    elif not value.strip():
        yield f"{key}: is empty"
    elif not value.isprintable():
        yield f"{key}: must be one line of characters that print"


def flag(key: str, value: object) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{key}: must be true or false, not {kind(value)}"


def word(pattern: str, what: str) -> Rule:
    """Text that ends up on a command line: nothing but what `pattern` admits."""

    def rule(key: str, value: object) -> Iterator[str]:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            yield f"{key}: must be {what}, not {repr(value) if isinstance(value, str) else kind(value)}"

    return rule


def choice(known: tuple[str, ...]) -> Rule:
    def rule(key: str, value: object) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{key}: must be text, not {kind(value)}"
        elif value not in known:
            yield f"{key}: unknown {value!r} ({did_you_mean(value, known) or 'known: ' + ', '.join(known)})"

    return rule


def either(one: Rule, many: Rule) -> Rule:
    """A value, or a table of them."""
    return lambda key, value: (many if isinstance(value, dict) else one)(key, value)


def list_of(rule: Rule) -> Rule:
    def check(key: str, value: object) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{key}: must be a list, not {kind(value)}"
            return
        if not value:
            yield f"{key}: is empty"
        for item in value:
            yield from rule(key, item)

    return check


def table(rules: Mapping[str, Rule], needs: tuple[str, ...] = ()) -> Rule:
    """A table with these keys and no others; `needs` must all be there."""

    def check(key: str, value: object) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{key}: must be a table, not {kind(value)}"
            return
        prefix = f"{key}." if key else ""
        for name, item in value.items():
            if name in rules:
                yield from rules[name](prefix + name, item)
            else:
                hint = did_you_mean(name, rules)
                yield f"unknown key '{prefix}{name}' ({hint or 'known: ' + ', '.join(rules)})"
        yield from (f"{prefix}{name}: is missing" for name in needs if name not in value)

    return check


def table_of(rule: Rule) -> Rule:
    """A table whose keys are names the file chooses."""

    def check(key: str, value: object) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{key}: must be a table, not {kind(value)}"
            return
        if not value:
            yield f"{key}: is empty"
        for name, item in value.items():
            if re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
                yield from rule(f"{key}.{name}", item)
            else:
                yield f"{key}: the name {name!r} must be lower-case letters, digits and underscores"

    return check


def number(key: str, value: object) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield f"{key}: must be a number, not {kind(value)}"
    elif not (math.isfinite(value) and 0 < value < 2**53):
        yield f"{key}: must be above 0 and below 2^53, not {value:g}"


def figure(quantity: str, *more: str) -> Rule:
    """{ value, unit, source } with an optional low..high band that holds the value, and an optional kind.  more: keys that it must have as well."""
    units, most = tuple(UNITS[quantity]), MOST.get(quantity, math.inf)

    def unit(key: str, value: object) -> Iterator[str]:
        if value not in units:
            hint = did_you_mean(value, units) if isinstance(value, str) else ""
            yield f"{key}: must be {' or '.join(units)}, not {value!r}" + (f" ({hint})" if hint else "")

    rules: dict[str, Rule] = {"value": number, "unit": unit, "source": text, "low": number, "high": number, "kind": choice(FIGURE_KINDS)}
    keys = table(rules, ("value", "unit", "source", *more))

    def check(key: str, value: object) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{key}: must be {{ value = …, unit = '{units[0]}', source = '…' }}, not {kind(value)}"
            return
        found = list(keys(key, value))
        yield from found
        if ("low" in value) != ("high" in value):
            yield f"{key}: low and high come together"
        elif not found and not all(a <= b for a, b in pairwise([value.get("low", 0), value["value"], value.get("high", math.inf)])):
            yield f"{key}: value must lie between low and high"
        elif not found and max(value["value"], value.get("high", 0)) > most:
            yield f"{key}: is a share, {most:g} at most"

    return check
