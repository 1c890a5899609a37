"""Plain tables for a terminal, and the units in them."""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import one_line

MAX_WIDTH = 48  #: of a text cell; names from a model may be long


def table(header: Sequence[str], rows: Sequence[Sequence[str]], most: int = MAX_WIDTH) -> str:
    """Columns as wide as their widest cell, up to `most`; a header that begins with '>' aligns right.  Cells are on one line, escapes removed."""
    right = [name.startswith(">") for name in header]
    cells = [[shorten(cell, most) for cell in row] for row in ([name.lstrip(">") for name in header], *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def shorten(text: str, most: int) -> str:
    """The end of a long name says more than its beginning."""
    text = one_line(text)
    return text if len(text) <= most else "…" + text[-most + 1 :]


def size(count: float) -> str:
    """Bytes for people: 1.50 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def millions(count: float) -> str:
    return f"{count / 1e6:.3f}"
