"""A new file as blocks of old ones: whatever is edited, the recipe gives the file again, and sends no block that is there."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edge.devices import blocks
from edge.devices.blocks import BLOCK_BYTES, SENT, Piece, Recipe, block_sum, read_sums, recipe_for

A, B, C, D = (random.Random(i).randbytes(BLOCK_BYTES) for i in range(4))


def cut(data: bytes) -> list[bytes]:
    return [data[at : at + blocks.BLOCK_BYTES] for at in range(0, len(data), blocks.BLOCK_BYTES)]


def sums(data: bytes) -> list[str]:
    """As a board lists them."""
    return [block_sum(block) for block in cut(data)]


def put_together(recipe: Recipe, olds: Sequence[bytes]) -> bytes:
    """As a board does it: dd of blocks of each source."""
    sources = [cut(recipe.sent), *map(cut, olds)]
    return b"".join(block for piece in recipe.pieces for block in sources[piece.source][piece.start : piece.start + piece.count])


@pytest.mark.parametrize(
    ("new", "olds", "text", "sent"),
    [
        (A + B + C, [A + B + C], "1 0 3\n", b""),
        (D + D + A + B, [A + B], "0 0 1\n0 0 1\n1 0 2\n", D),
        (D + A + B + b"tail", [A + B + b"tail"], "0 0 1\n1 0 3\n", D),
        (A + B + b"new tail", [A + B + b"tail"], "1 0 2\n0 0 1\n", b"new tail"),
        (A + D + B + C, [A + B, C], "1 0 1\n0 0 1\n1 1 1\n2 0 1\n", D),
        (A + B + C, [B, A + B + C], "2 0 3\n", b""),
        (A + B, [], "0 0 2\n", A + B),
        (b"", [A], "", b""),
    ],
    ids=["the same", "grown in front", "a short end", "another end", "of two files", "a run is one line", "nothing there", "empty"],
)
def test_a_recipe_for(new: bytes, olds: list[bytes], text: str, sent: bytes) -> None:
    recipe = recipe_for(new, [sums(old) for old in olds])
    assert (recipe.text, recipe.sent, put_together(recipe, olds)) == (text, sent, new)


#: an edit is (where, bytes taken out, bytes put in), in places of a file of a few blocks of eight bytes
EDITS = some.lists(some.tuples(some.integers(0, 80), some.integers(0, 20), some.binary(max_size=20)), max_size=4)


@given(old=some.lists(some.binary(max_size=80), max_size=3), start=some.binary(max_size=80), edits=EDITS)
def test_edits_of_old_files_come_out_right(old: list[bytes], start: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    new = start
    for at, taken, put in edits:
        new = new[:at] + put + new[at + taken :]
    olds = [start, *old]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 8)
        recipe = recipe_for(new, [sums(file) for file in olds])
        there = {text for file in olds for text in sums(file)}
        missing = {text: block for text, block in zip(sums(new), cut(new), strict=True) if text not in there}
        assert put_together(recipe, olds) == new
        assert recipe.sent == b"".join(missing.values())  # each block that is nowhere, once
        assert all(one.after != other for one, other in zip(recipe.pieces, recipe.pieces[1:], strict=False))  # runs are one line


def test_a_list_of_a_board_is_read() -> None:
    assert read_sums(b"file\n0123456789\nabcdef0123\nfile\nfile\n0000000000\n") == [["0123456789", "abcdef0123"], [], ["0000000000"]]


@pytest.mark.parametrize(
    "text", [b"", b"0123456789\n", b"file\n0123\n", b"file\n0123456789", b"file\nABCDEFABCD\n", b"file\r\n", b"\xff\n", b"dd: not found\n"]
)
def test_what_is_no_list_is_no_help(text: bytes) -> None:
    assert read_sums(text) == []


def test_pieces() -> None:
    assert Piece(SENT, 2, 3).after == Piece(SENT, 5)
