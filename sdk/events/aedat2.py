"""AEDAT 2.0 of a DVS128: lines that begin with #, then a 32-bit address and a 32-bit time an event, the highest byte first.

An address: bit 0 is 1 where it became brighter, bits 1-7 x, bits 8-14 y from the lower edge, bit 15 an event of the plug
[docs.inivation.com, file formats, AEDAT 1.0 (DVS128) and AEDAT 2.0].  Other cameras have addresses of their own.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edge.errors import EdgeError
from edge.events.recording import Recording, recording

SIZE = 128  #: pixels along a side of a DVS128
EVENT = 8  #: bytes
PLUG = 1 << 15  #: of an event that is not a pixel's
FIRST = re.compile(rb"#!AER-DAT([0-9.]{1,8})\r?\n")
LINES = re.compile(rb"(?:#[^\n]*\n)*")
CHIP = re.compile(rb"# AEChip: *([!-~]{1,80})")
DVS128 = "of AEDAT 2.0 the recordings of a DVS128 are read: write an .npz with t, x, y and p"


def from_aedat2(path: Path) -> Recording:
    """The events of pixels, rows counted from the top.  EdgeError for another version, another camera, or a part of an event."""
    data = path.read_bytes()
    first = FIRST.match(data)
    if not first or first[1] != b"2.0":
        what = f"is AEDAT {first[1].decode()}" if first else "does not begin with #!AER-DAT2.0"
        raise EdgeError(path.name, what, DVS128)
    lines = LINES.match(data)
    begin = lines.end() if lines else 0
    chip = CHIP.search(data, 0, begin)
    if chip and not chip[1].upper().endswith(b"DVS128"):
        raise EdgeError(path.name, f"is a recording of a {chip[1].decode().rpartition('.')[2]}", DVS128)
    if (len(data) - begin) % EVENT:
        raise EdgeError(path.name, f"has {len(data) - begin} bytes of events: the last is cut off", f"{EVENT} bytes an event")
    address, t = np.frombuffer(data, ">u4", offset=begin).reshape(-1, 2).T.astype(np.int64)
    strange = np.flatnonzero(address >> 16)
    if strange.size:
        at = int(strange[0])
        raise EdgeError(path.name, f"the address of event {at} is {address[at]:#x}, which a DVS128 does not have", DVS128)
    pixel = (address & PLUG) == 0
    address, t = address[pixel], t[pixel]
    return recording(path.name, t, address >> 1 & 127, SIZE - 1 - (address >> 8 & 127), address & 1)
