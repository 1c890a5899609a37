"""TOML files that an image holds already, changed line by line: comments, order and everything that was not asked about stay.

The result is read again and must be the old content with the change and nothing else; a file for which that does not hold is refused.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise

from edge.errors import EdgeError

Value = str | bool | int | list[str]
Tables = Mapping[str, Mapping[str, Value]]
HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_.\"' -]+?)\s*\]{1,2}\s*(#.*)?")
BY_HAND = "write the settings into it by hand, or take it out of the image"
MAX_BYTES = 64 << 10


def read(where: str, name: str, data: bytes) -> dict[str, object]:
    """What the file says; EdgeError for what is not TOML."""
    if len(data) > MAX_BYTES:
        raise EdgeError(where, f"its {name} has {len(data)} bytes, more than edge adds settings to", BY_HAND)
    try:
        return tomllib.loads(text_of(data))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise EdgeError(where, f"its {name} cannot be read as TOML: {error}", BY_HAND) from None


def text_of(data: bytes) -> str:
    return data.decode("utf-8-sig").replace("\r\n", "\n")


def changed(where: str, name: str, data: bytes, tables: Tables) -> bytes:
    """The file with these values set.  tables: "" is what stands before the first table."""
    before = read(where, name, data)
    lines = text_of(data).rstrip("\n").split("\n") if data.strip() else []
    for table, values in tables.items():
        for key, value in values.items():
            lines = with_value(lines, table, key, value)
    text = "\n".join(lines) + "\n"
    try:
        good = tomllib.loads(text) == merged(before, tables)
    except (tomllib.TOMLDecodeError, RecursionError):
        good = False
    if not good:
        raise EdgeError(where, f"its {name} is written in a way that edge cannot add settings to", BY_HAND)
    return text.encode()


def toml_of(value: Value) -> str:
    """Of printable strings a JSON string, list or number is a TOML one."""
    return json.dumps(value, ensure_ascii=False)


def merged(before: Mapping[str, object], tables: Tables) -> dict[str, object]:
    after = dict(before)
    for table, values in tables.items():
        if not table:
            after |= values
            continue
        there = after.get(table, {})
        after[table] = {**there, **values} if isinstance(there, dict) else there
    return after


def with_value(lines: Sequence[str], table: str, key: str, value: Value) -> list[str]:
    """The lines with the value in the place of the key's old one, or at the end of its table, or in a new table."""
    text = f"{key} = {toml_of(value)}"
    start, end = section(lines, table)
    if start < 0:
        return [*lines, *([""] if lines else []), f"[{table}]", text]
    named = re.compile(rf"""\s*({key}|"{key}"|'{key}')\s*=""")
    for i in range(start, end):
        if named.match(lines[i]):
            last = next(j for j in (*range(i, end), end - 1) if j == end - 1 or whole("\n".join(lines[i : j + 1])))
            return [*lines[:i], *(longer(lines[i : last + 1], key, value) or [text + comment(lines[i])]), *lines[last + 1 :]]
    last = max((i + 1 for i in range(start, end) if lines[i].strip()), default=start)
    return [*lines[:last], text, *lines[last:]]


def longer(lines: Sequence[str], key: str, value: Value) -> list[str]:
    """A list over several lines, whose comments stay, with what is new before its last line; nothing where that is not it."""
    old = tomllib.loads("\n".join(lines)).get(key) if len(lines) > 1 and whole("\n".join(lines)) else None
    if not isinstance(old, list) or not isinstance(value, list) or value[: len(old)] != old:
        return []
    made = [*lines[:-1], *(f"  {toml_of(one)}," for one in value[len(old) :]), lines[-1]]
    return made if whole("\n".join(made)) and tomllib.loads("\n".join(made))[key] == value else []


def section(lines: Sequence[str], table: str) -> tuple[int, int]:
    """Where the lines of a table begin and end; (-1, -1) when it is not there."""
    heads = [(i, match[1]) for i, line in enumerate(lines) if (match := HEADER.fullmatch(line))]
    starts = [(-1, ""), *heads, (len(lines), "")]
    return next(((at + 1, following) for (at, name), (following, _) in pairwise(starts) if name == table), (-1, -1))


def whole(text: str) -> bool:
    try:
        return bool(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return False


def comment(line: str) -> str:
    """What follows the value on its line, with the blanks before it."""
    for match in re.finditer(r"\s*#", line):
        if whole(line[: match.start()]):
            return line[match.start() :]
    return ""
