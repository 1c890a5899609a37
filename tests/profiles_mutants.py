"""Mutants of a profile of one's own: keys, values and lines of TOML.  They are read as `edge targets FILE.toml` does.  See fuzz.py."""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path

from mutants import TEXTS

from edge import targets
from edge.cli.targets import page
from edge.targets import profile_file
from edge.targets.profile import to_dict

ENDING = ".toml"
VALUES = ("0", "-1", "1e999", "nan", "inf", "9" * 25, "9" * 5000, "true", "''", '"\\u001b[31m"', '"\\u202e"', '"../cpu"', '"net"', "[]",
          "{}", "[1, 2]", "1979-05-27", "[[1]]",
          "{ value = 1 }", "[" * 300 + "]" * 300, "{a=" * 300 + "1" + "}" * 300)  # fmt: skip


@functools.cache
def seeds() -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted(profile_file.SHIPPED.glob("*/*.toml")))


def mutant(draw: random.Random) -> bytes:
    lines = draw.choice(seeds()).splitlines()
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(lines))
        how = draw.randrange(6)
        key, equals, _ = lines[at].partition("=")
        if how < 2 and equals:
            lines[at] = f"{key}= {draw.choice(VALUES)}"
        elif how == 2:
            lines.pop(at)
        elif how == 3:
            lines.insert(draw.randrange(len(lines) + 1), lines[at])
        elif how == 4:
            lines.insert(at, f"{json.dumps(draw.choice(TEXTS))} = {draw.choice(VALUES)}")
        else:
            where = draw.randrange(len(lines[at]) + 1)
            lines[at] = (
                lines[at][:where]
                + draw.choice(('"', "[", "]", "=", "\x1b", "\u202e", "#", "\0", "é", "{", "."))
                + lines[at][where + draw.randrange(3) :]
            )
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass") + draw.choice((b"", b"", b"", b"\xff", b"\n" * 70_000))


def read(path: Path) -> None:
    profile = targets.read(str(path))
    page(profile)
    json.dumps(to_dict(profile))
