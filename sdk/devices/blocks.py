"""A new file told as blocks of old ones: which of its blocks must be sent, and how it is put together where the old files are.

Weights lie 64 KiB-aligned in an artifact, so equal weights are equal blocks, however much the program in front of them grew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

BLOCK_BYTES = 1 << 16
SUM_CHARS = 10  #: of a block's sha256: enough to find it, as the whole file is checked afterwards
SENT = 0  #: the source that is what was sent; the old files follow
BlockSums = Sequence[str]


@dataclass(frozen=True)
class Piece:
    """`count` blocks of a source, from block `start` on.  source: SENT, or the number of an old file, from 1."""

    source: int
    start: int
    count: int = 1

    @property
    def after(self) -> Piece:
        """The block that follows it in its source."""
        return Piece(self.source, self.start + self.count)


@dataclass(frozen=True)
class Recipe:
    """pieces: the new file, in its order.  sent: what SENT has to be."""

    pieces: tuple[Piece, ...]
    sent: bytes

    @property
    def text(self) -> str:
        """A line a piece: source, start, count."""
        return "".join(f"{piece.source} {piece.start} {piece.count}\n" for piece in self.pieces)


def block_sum(block: bytes) -> str:
    return hashlib.sha256(block).hexdigest()[:SUM_CHARS]


def recipe_for(data: bytes, olds: Sequence[BlockSums]) -> Recipe:
    """The recipe for `data` from old files with these sums.  A block that goes on where the one before it ended is preferred: it costs no line."""
    known = {text: Piece(source, index) for source, sums in enumerate(olds, SENT + 1) for index, text in enumerate(sums)}
    pieces: list[Piece] = []
    sent: list[bytes] = []
    for at in range(0, len(data), BLOCK_BYTES):
        block = data[at : at + BLOCK_BYTES]
        text, after = block_sum(block), pieces[-1].after if pieces else None
        if after and sum_of(after, olds) == text:
            found = after
        elif text in known:
            found = known[text]
        else:
            found = known[text] = Piece(SENT, len(sent))
            sent.append(block)
        if found == after:
            pieces[-1] = replace(pieces[-1], count=pieces[-1].count + 1)
        else:
            pieces.append(found)
    return Recipe(tuple(pieces), b"".join(sent))


def sum_of(piece: Piece, olds: Sequence[BlockSums]) -> str:
    """Of a piece of one block; '' where an old file has none, and for what is sent."""
    sums = olds[piece.source - 1] if piece.source != SENT else ()
    return sums[piece.start] if piece.start < len(sums) else ""


def read_sums(text: bytes) -> list[list[str]]:
    """A list as a board makes it: a line `file`, then a line a block, for each of its files.  Empty for anything else."""
    if not re.fullmatch(rb"(file\n([0-9a-f]{%d}\n)*)*" % SUM_CHARS, text):
        return []
    return [part.split() for part in text.decode("ascii").split("file\n")[1:]]
