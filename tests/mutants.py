"""What every mutator of files uses: odd values, and a change somewhere in a tree of JSON or TOML."""

from __future__ import annotations

import copy
import io
import random
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 7, 255, 2**15, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400, 10**4000,
    0.5, -0.0, 1e308, float("inf"), float("nan"), True, False,
)  # fmt: skip
TEXTS = ("", "x", "y", "\0", "\n", "\x1b[31m", "\x9b31m", "\u202e", "\ud800", "../x", "/etc/passwd", "é" * 3, "n" * 5000, "<b>", "*/", "%s%n", "-rf")
Place = tuple[Any, Any]  #: a dict or list, and the key or index in it


def packed(parts: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip with these members, some of one name perhaps."""
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(file, "w", method) as archive:
        for name, content in parts:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def places(tree: Any) -> Iterator[Place]:
    """Every place in a tree that a value may be put to."""
    stack = [tree]
    while stack:
        item = stack.pop()
        entries = list(item.items()) if isinstance(item, dict) else list(enumerate(item)) if isinstance(item, list) else []
        for key, value in entries:
            yield item, key
            stack.append(value)


def changed(
    tree: Any, draw: random.Random, special: Mapping[str, Sequence[Any]], texts: Sequence[str] = TEXTS, numbers: Sequence[Any] = NUMBERS
) -> None:
    """One change in place.  special: values for a key of that name, taken half of the time that it is met."""
    found = list(places(tree))
    if not found:
        return
    holder, key = draw.choice(found)
    if draw.random() < 0.3:  # a key by its name, or else long lists would get all the changes
        names = sorted({k for _, k in found if isinstance(k, str)})
        name = draw.choice(names) if names else None
        holder, key = draw.choice([(h, k) for h, k in found if k == name] or found)
    if key in special and draw.random() < 0.5:
        holder[key] = draw.choice(special[key])
        return
    how = draw.randrange(9)
    if how == 0:
        holder.pop(key)
    elif how == 1 and isinstance(holder, dict):
        holder[draw.choice(texts)] = holder.pop(key)
    elif how == 2 and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[key]) for _ in range(draw.choice((1, 1, 100))))
    elif how in (3, 4):
        holder[key] = draw.choice(numbers)
    elif how == 5:
        holder[key] = draw.choice(texts)
    elif how == 6:
        holder[key] = draw.choice((None, [], {}, [[]], [None], {"x": 1}))
    elif how == 7:
        other, where = draw.choice(found)
        if where in (other if isinstance(other, dict) else range(len(other))):
            holder[key] = copy.deepcopy(other[where])
    else:
        same = [h[k] for h, k in found if type(k) is str and k == key and (k in h)]
        holder[key] = copy.deepcopy(draw.choice(same)) if same else draw.choice(numbers)
