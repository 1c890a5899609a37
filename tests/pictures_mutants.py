"""Mutants of pictures: bytes, sizes in headers, formats under another name.  They are read as `edge run --image` does.  See fuzz.py."""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from pathlib import Path

from PIL import Image

from edge.artifact.preprocess import PRESETS, Preprocess, read_image

ENDING = ".png"
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "ICO", "TGA", "PCX", "SGI")
MODES = ("RGB", "L", "P", "RGBA", "1", "CMYK", "I;16", "F", "I", "LA", "YCbCr")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(harm) (w) file closefile\nshowpage\n%%EOF\n"
RECIPES = (PRESETS["imagenet"], Preprocess(), Preprocess(resize=8, crop=8, mean=(0.5,), std=(0.5,), color="gray"))


@functools.cache
def seeds() -> tuple[bytes, ...]:
    made = [EPS, b"P6 99999 99999 255\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
    for mode in MODES:
        picture = Image.new(mode, (9, 7))
        for kind in FORMATS:
            file = io.BytesIO()
            try:
                picture.save(file, kind)
            except (OSError, ValueError, KeyError, struct.error):  # a mode that the format does not have
                continue
            made.append(file.getvalue())
    return tuple(made)


def png(draw: random.Random) -> bytes:
    """A PNG of any claimed size with little in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    sides = [draw.choice((0, 1, 2, 7, 60_000, 2**31 - 1, 2**32 - 1, 10_001)) for _ in range(2)]
    head = struct.pack(">2I5B", *sides, draw.choice((1, 2, 8, 16, 7)), draw.choice((0, 2, 3, 4, 6, 9)), 0, 0, draw.choice((0, 0, 1)))
    rows = zlib.compress(bytes(min(sides[1], 70_000) * 2))
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(draw.choice((1, 10_000_000)))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + text + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def mutant(draw: random.Random) -> bytes:
    if draw.random() < 0.2:
        return png(draw)
    raw = bytearray(draw.choice(seeds()))
    for _ in range(draw.choice((0, 1, 2, 4, 20))):
        at = draw.randrange(min(len(raw), draw.choice((64, 1000, len(raw)))))
        raw[at] = draw.choice((draw.randrange(256), 0, 255, 128))
    return bytes(raw[: draw.choice((len(raw), len(raw), len(raw), draw.randrange(len(raw)))) or 1])


def read(path: Path) -> None:
    read_image(path, random.Random(path.read_bytes()[:200]).choice(RECIPES))
