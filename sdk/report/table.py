"""Plain tables for a terminal, and the units in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TypeVar

from edge.errors import one_line

MAX_WIDTH = 48  #: of a text cell; names from a model may be long
LEAST = 12  #: characters that are left of a cell that is cut
GAP = "  "
SCREEN = 80  #: columns
ORDER = "order"
T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """What of a table is shown.  top: so many rows.  sort: ORDER, or a key of the table, the largest first.  width: columns, 0 for any."""

    top: int | None = None
    sort: str = ORDER
    width: int = SCREEN


WHOLE = Shown()


@dataclass(frozen=True)
class Column:
    """right: numbers.  extra: left out where there is no room, the last one first.  wide: shown by --wide alone.

    cut: its texts are cut before the table gets too wide.
    """

    title: str
    right: bool = False
    extra: bool = False
    wide: bool = False
    cut: bool = False


def table(header: Sequence[str], rows: Sequence[Sequence[str]], most: int = MAX_WIDTH) -> str:
    """Columns as wide as their widest cell, up to `most`; a header that begins with '>' aligns right.  Cells are on one line, escapes removed."""
    columns = [Column(name.lstrip(">"), right=name.startswith(">")) for name in header]
    return laid_out(columns, rows, [most] * len(columns))


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int = SCREEN) -> str:
    """The same in `width` columns: extra columns go where there is no room, or nothing in them; then long texts are cut.

    width 0: nothing is left out or cut.
    """
    if not width:
        return laid_out(columns, rows, [1 << 20] * len(columns))
    kept = [i for i, column in enumerate(columns) if not column.wide and (not column.extra or any(row[i] for row in rows))]
    natural = [min(MAX_WIDTH, max(len(one_line(row[i])) for row in ([c.title for c in columns], *rows))) for i in range(len(columns))]
    needed = [min(n, 2 * LEAST) if c.cut else n for c, n in zip(columns, natural, strict=True)]
    for i in [i for i in reversed(kept) if columns[i].extra]:
        if sum(needed[i] for i in kept) + len(GAP) * (len(kept) - 1) > width:
            kept.remove(i)
    room = [natural[i] for i in kept]
    cuts = [at for at, i in enumerate(kept) if columns[i].cut]
    while cuts and sum(room) + len(GAP) * (len(kept) - 1) > width and max(room[at] for at in cuts) > LEAST:
        room[max(cuts, key=lambda at: room[at])] -= 1
    return laid_out([columns[i] for i in kept], [[row[i] for i in kept] for row in rows], room)


def ranked(
    columns: Sequence[Column], items: Sequence[T], cells: Callable[[T], Sequence[str]], keys: Mapping[str, Callable[[T], float]], shown: Shown
) -> str:
    """A table of the items that are asked for, in the order that is asked for; below it, how many are not shown."""
    order = sorted(items, key=keys[shown.sort], reverse=True) if shown.sort in keys else list(items)
    chosen = order[: shown.top]
    text = fitted(columns, [cells(item) for item in chosen], shown.width)
    left = len(items) - len(chosen)
    return f"{text}\n({left} more {'is' if left == 1 else 'are'} not shown)" if left else text


def laid_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], most: Sequence[int]) -> str:
    cells = [[shorten(cell, m) for cell, m in zip(row, most, strict=True)] for row in ([c.title for c in columns], *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = [GAP.join(c.rjust(w) if k.right else c.ljust(w) for c, w, k in zip(row, widths, columns, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], GAP.join("-" * w for w in widths), *lines[1:]])


def shorten(text: str, most: int) -> str:
    """The end of a long name says more than its beginning."""
    text = one_line(text)
    return text if len(text) <= most else "…" + text[-most + 1 :]


def facts(pairs: Sequence[tuple[str, str]], width: int = SCREEN) -> str:
    """`key  text`, long texts on several lines.  width 0: never."""
    wide = max(len(key) for key, _ in pairs) + len(GAP)
    lines = []
    for key, text in pairs:
        first, *rest = (wrap(one_line(text), max(20, width - wide), break_on_hyphens=False) if width else [one_line(text)]) or [""]
        lines += [f"{key:<{wide}}{first}".rstrip(), *(" " * wide + line for line in rest)]
    return "\n".join(lines)


def size(count: float) -> str:
    """Bytes for people, three digits: 1.50 MB."""
    return scaled(count, ("B", "kB", "MB", "GB"))


def amount(count: float) -> str:
    """Operations for people, three digits: 27.1 M."""
    return scaled(count, ("", "k", "M", "G", "T")).rstrip()


def scaled(count: float, units: Sequence[str]) -> str:
    if count < 999.5:
        return f"{count:.0f} {units[0]}"
    for unit in units[1:]:
        count /= 1000
        if count < 999.5 or unit == units[-1]:
            break
    digits = 2 if count < 9.995 else 1 if count < 99.95 else 0
    return f"{count:.{digits}f} {unit}"


def millions(count: float) -> str:
    return f"{count / 1e6:.3f}"
