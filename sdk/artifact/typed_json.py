"""Frozen dataclasses to JSON and back, checked against their type hints: the dataclass is the schema.

Known types: str, int, float, bool, None, object (anything), string enums, dataclasses, tuple[X, ...], dict[str, X] and unions of these.  A float that
JSON cannot hold is {"float": "inf"}.  All mistakes come at once, as `where: what`.
"""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from edge.errors import did_you_mean

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")
ENOUGH = 1000  #: mistakes, after which a list or dict is not looked at further
HELPED = 8  #: unknown keys for which a known one is looked for
LARGEST = 1 << 1000  #: whole number that a float may be given as


def encode(value: object, exact: bool = True) -> Json:
    """A dataclass as an object, a tuple as a list; numbers and strings as they are.  exact=False: null for inf and NaN, for other programs."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name), exact) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): encode(v, exact) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [encode(v, exact) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)} if exact else None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def decode(kind: type[T], value: object, where: str, wrong: list[str]) -> T | None:
    """An object of `kind`; None with at least one line more in `wrong` when value does not fit."""
    before = len(wrong)
    made: T = build(kind, value, where, wrong)
    return made if len(wrong) == before else None


def build(kind: Any, value: Any, where: str, wrong: list[str]) -> Any:
    """One value of a type hint (types are data here, hence Any); says what is wrong and goes on."""
    origin = get_origin(kind)
    if kind is object:
        return value
    if is_dataclass(kind):
        return build_dataclass(kind, value, where, wrong)
    if origin in (Union, types.UnionType):
        return build_union(get_args(kind), value, where, wrong)
    if origin is tuple and isinstance(value, list):
        kinds = get_args(kind)
        if kinds[-1] is not Ellipsis and len(kinds) != len(value):
            wrong.append(f"{where}: {len(value)} items, not {len(kinds)}")
            return None
        if kinds[-1] is Ellipsis and kinds[0] in (int, bool) and all(type(v) is kinds[0] for v in value):
            return tuple(value)  # the long lists are of these
        each = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else kinds
        made = []
        for i, (k, v) in enumerate(zip(each, value, strict=True)):
            if len(wrong) >= ENOUGH:
                return None
            made.append(build(k, v, f"{where}[{i}]", wrong))
        return tuple(made)
    if origin is dict and isinstance(value, dict):
        found = {}
        for k, v in value.items():
            if len(wrong) >= ENOUGH:
                return None
            found[build(str, k, f"{where}.{k}", wrong)] = build(get_args(kind)[1], v, f"{where}.{k}", wrong)
        return found
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if isinstance(value, str) and value in list(kind):
            return kind(value)
        wrong.append(f"{where}: {value!r:.40} is not one of {', '.join(kind)}")
        return None
    if kind is float and isinstance(value, dict) and value.get("float") in ("inf", "-inf", "nan"):
        return float(value["float"])
    if kind is float and type(value) is int and abs(value) <= LARGEST:
        return float(value)
    if kind is str and isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        wrong.append(f"{where}: a text with half a character in it")
        return None
    if type(value) is not (type(None) if kind is None else kind):
        wrong.append(f"{where}: {type(value).__name__} instead of {getattr(kind, '__name__', kind)}")
    return value


def build_dataclass(kind: Any, value: Any, where: str, wrong: list[str]) -> Any:
    if not isinstance(value, dict):
        wrong.append(f"{where}: {type(value).__name__} instead of an object")
        return None
    hints, before = get_type_hints(kind), len(wrong)
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind)}
    for number, key in enumerate(sorted(value.keys() - known.keys())):
        cure = did_you_mean(key, known) if number < HELPED else ""
        wrong.append(f"{where}: unknown key '{key}'" + (f" ({cure})" if cure else ""))
    for name, f in known.items():
        if name not in value and f.default is MISSING and f.default_factory is MISSING:
            wrong.append(f"{where}: no '{name}'")
    made = {k: build(hints[k], v, f"{where}.{k}", wrong) for k, v in value.items() if k in known}
    return kind(**made) if len(wrong) == before else None


def build_union(kinds: tuple[Any, ...], value: Any, where: str, wrong: list[str]) -> Any:
    """The first kind that fits; of several that do not, the mistakes of the nearest."""
    attempts: list[list[str]] = []
    for kind in sorted(kinds, key=lambda k: k is float):  # an int stays an int where both are allowed
        mistakes: list[str] = []
        made = build(kind, value, where, mistakes)
        if not mistakes:
            return made
        attempts.append(mistakes)
    nearest: list[str] = max(attempts, key=depth)
    wrong += nearest
    return None


def depth(mistakes: list[str]) -> int:
    """How far into the value the first mistake lies: a kind that fitted further is nearer to what was meant."""
    where = mistakes[0].split(": ")[0]
    return where.count(".") + where.count("[")
