"""Innermost loops in the machine code of a 64-bit Arm object file, and the vector registers that they keep on the stack.

Only what the question needs is decoded: branches, FMLA, loads and stores of vector registers [Arm ARM (DDI 0487), chapter C4].
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

SYMTAB, FUNC = 2, 2  #: section type, symbol type [System V ABI, chapter 4]
SP, FRAME = 31, 29
#: mask, value, lowest bit and width of the offset in words
BRANCHES = (
    (0xFC000000, 0x14000000, 0, 26),  # b
    (0xFF000010, 0x54000000, 5, 19),  # b.cond
    (0x7E000000, 0x34000000, 5, 19),  # cbz, cbnz
    (0x7E000000, 0x36000000, 5, 14),  # tbz, tbnz
)
FMLA = ((0xBF60FC00, 0x0E20CC00), (0xBFC0B400, 0x0F801000))  #: .4s and .2s, of vectors and by element; fmls too
VECTOR_MEMORY, LITERAL = (0x0E000000, 0x0C000000), (0x3F000000, 0x1C000000)
FRAME_IS_SET = (0xFF8003FF, 0x910003FD)  #: add x29, sp, #n (mov x29, sp)


@dataclass(frozen=True)
class Loop:
    """first, last: word numbers in the function; words: the instructions between; spills: loads and stores of vector registers on the stack."""

    function: str
    first: int
    last: int
    spills: int
    words: tuple[int, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        length = self.last - self.first + 1
        return f"{self.function}: {self.spills} of the {length} instructions of the loop at +{4 * self.first:#x} keep vectors on the stack"


def is_one(word: int, *patterns: tuple[int, int]) -> bool:
    return any(word & mask == value for mask, value in patterns)


def functions(data: bytes) -> dict[str, list[int]]:
    """The instructions of every function, local ones too, of a 64-bit little-endian ELF object."""
    sections_at, count = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, sections_at + 64 * i) for i in range(count)]
    found = {}
    for _, kind, _, _, at, size, link, *_ in sections:
        for entry in range(at, at + size, 24) if kind == SYMTAB else ():
            name_at, info, _, section, value, length = struct.unpack_from("<IBBHQQ", data, entry)
            if info & 15 == FUNC and length:
                name = data[sections[link][4] + name_at :].split(b"\0", 1)[0].decode()
                found[name] = list(struct.unpack_from(f"<{length // 4}I", data, sections[section][4] + value))
    return found


def backward_branches(words: list[int]) -> Iterator[tuple[int, int]]:
    """(target, branch) of those that stay in the function."""
    for at, word in enumerate(words):
        for mask, value, low, width in BRANCHES:
            if word & mask == value:
                offset = word >> low & ((1 << width) - 1)
                target = at + offset - ((1 << width) if offset >> (width - 1) else 0)
                if 0 <= target <= at:
                    yield target, at


def on_stack(word: int, bases: tuple[int, ...]) -> bool:
    return is_one(word & 0x0E000000, VECTOR_MEMORY) and not is_one(word, LITERAL) and word >> 5 & 31 in bases


def innermost_loops(name: str, words: list[int]) -> list[Loop]:
    """Backward branches without another one in between, around at least one FMLA."""
    spans = list(backward_branches(words))
    bases = (SP, FRAME) if any(is_one(word, FRAME_IS_SET) for word in words) else (SP,)
    inner = [(a, b) for a, b in spans if not any((c, d) != (a, b) and a <= c and d <= b for c, d in spans)]
    bodies = [(a, b, words[a : b + 1]) for a, b in inner]
    return [Loop(name, a, b, sum(on_stack(w, bases) for w in body), tuple(body)) for a, b, body in bodies if any(is_one(w, *FMLA) for w in body)]
