"""A fresh .pt2 archive from one that may be hostile: only members of known names, each read once, the JSON among them written anew.

zipfile and torch do not find the same members in one file: torch looks whatever their case, and takes the directory that the end record points to.
So torch is never given the file itself.
"""

from __future__ import annotations

import functools
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from edge.converters.pt2_program import Wrong, payloads, program
from edge.errors import EdgeError, listed

MAX_BYTES = 2**32  # unpacked
MAX_RATIO = 1000
MAX_MEMBERS = 20_000
#: the records at the end of a zip without a comment
END, END64, LOCATOR = struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI")
AGAIN, FOREIGN = "copy or export it again", "export it again with torch.export.save"
ROOT = "model"  # the folder in the fresh archive: torch takes any
WEIGHTS, CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
MODEL, EXAMPLES = "models/model.json", "data/sample_inputs/model.pt"
FIXED = {"archive_format": b"pt2", "archive_version": b"0", "byteorder": b"little", ".data/version": b"6\n"}
#: members that are copied as they are: raw tensors
RAW = re.compile(r"data/(weights/weight|constants/tensor)_[0-9]{1,6}")
DROPPED = re.compile(r"\.data/serialization_id|extra/.+")
#: members of a file by torch.save, as the example inputs are kept
SAVED = re.compile(r"data\.pkl|data/[0-9]{1,6}|byteorder|version|\.format_version|\.storage_alignment|\.data/(serialization_id|version)")


def fresh(file: BinaryIO, where: str) -> io.BytesIO:
    """The archive that torch may read."""
    found = members(file, where)
    size = sum(member.file_size for member in found.values())
    strange = [
        name for name in found if not (name in (*FIXED, WEIGHTS, CONSTANTS, MODEL, EXAMPLES) or RAW.fullmatch(name) or DROPPED.fullmatch(name))
    ]
    if strange:
        raise EdgeError(where, f"holds {listed([repr(name) for name in strange], 3)}, which no exported program has", FOREIGN)
    missing = [name for name in (*FIXED, WEIGHTS, CONSTANTS, MODEL, EXAMPLES) if name not in found and name != "byteorder"]
    if missing:
        raise EdgeError(where, f"holds no '{missing[0]}'", FOREIGN)
    made = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w") as new:

        def put(name: str, data: bytes) -> None:
            new.writestr(zipfile.ZipInfo(f"{ROOT}/{name}"), data)

        for name, content in FIXED.items():
            if name in found and _read(old, found[name], where).strip() != content.strip():
                raise EdgeError(where, f"is of another version: its '{name}' is not '{content.decode().strip()}'", FOREIGN)
            put(name, content)
        raw = [name for name in found if RAW.fullmatch(name)]
        put(MODEL, _rewritten(old, found[MODEL], program, where))
        for config in (WEIGHTS, CONSTANTS):
            folder = config.rpartition("/")[0]
            there = {name.rpartition("/")[2]: found[name].file_size for name in raw if name.startswith(f"{folder}/")}
            put(config, _rewritten(old, found[config], functools.partial(payloads, there=there, size=size), where))
        for name in raw:
            put(name, _read(old, found[name], where))
        put(EXAMPLES, _saved(_read(old, found[EXAMPLES], where), where))
    made.seek(0)
    return made


def members(file: BinaryIO, where: str) -> dict[str, zipfile.ZipInfo]:
    """The members by their names below the one folder at the top; sizes and count within limits, and one directory only."""
    try:
        archive = zipfile.ZipFile(file)
        found = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error) as error:
        raise EdgeError(where, "is not a .pt2 archive, or a truncated one", AGAIN) from error
    total, length = sum(member.file_size for member in found), file.seek(0, io.SEEK_END)
    if len(found) > MAX_MEMBERS or total > MAX_BYTES or total > MAX_RATIO * max(1, length):
        raise EdgeError(where, f"unpacks {length} bytes into {total} in {len(found)} members", "that is not a model")
    if not _one_directory(file, length, len(found)):
        raise EdgeError(where, "its zip directory is not where it should be", AGAIN)
    named: dict[str, zipfile.ZipInfo] = {}
    roots = {member.filename.partition("/")[0] for member in found}
    for member in found:
        name = member.filename.partition("/")[2]
        if name in named:
            raise EdgeError(where, f"member '{member.filename}' is in it twice", AGAIN)
        named[name] = member
    if len(roots) != 1:
        raise EdgeError(where, f"its members do not lie in one folder but in {len(roots)}", FOREIGN)
    return named


def _one_directory(file: BinaryIO, length: int, count: int) -> bool:
    """Does the directory lie right before the end record, whichever record one believes?  torch writes the 64-bit one too."""
    file.seek(max(0, length - LOCATOR.size - END64.size - END.size))
    tail = file.read()
    sign, disk, first, here, listed_, size, at, comment = END.unpack(tail[-END.size :])
    if (sign, disk, first, here, listed_, comment) != (b"PK\5\6", 0, 0, count, count, 0):
        return False
    if at + size == length - END.size:
        return True
    start = length - len(tail)
    wide = (b"PK\6\6", END64.size - 12, 0, 0, count, count, size, at)
    return (
        len(tail) == LOCATOR.size + END64.size + END.size
        and at + size == start
        and END64.unpack(tail[: END64.size])[:2] + END64.unpack(tail[: END64.size])[4:] == wide
        and LOCATOR.unpack(tail[END64.size : -END.size]) == (b"PK\6\7", 0, start, 1)
    )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> bytes:
    """The bytes of one member: as many as the directory says."""
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError, struct.error) as error:
        raise EdgeError(where, f"member '{member.filename}' is damaged", AGAIN) from error


def _rewritten(archive: zipfile.ZipFile, member: zipfile.ZipInfo, way: Callable[[object], object], where: str) -> bytes:
    try:
        return json.dumps(way(json.loads(_read(archive, member, where))), allow_nan=False).encode()
    except Wrong as error:
        raise EdgeError(where, error.what, error.cure) from None
    except (ValueError, RecursionError) as error:
        raise EdgeError(where, f"member '{member.filename}' is damaged", AGAIN) from error


def _saved(data: bytes, where: str) -> bytes:
    """The example inputs' own zip, made anew in the same way; what is pickled in it is for torch.load(weights_only=True)."""
    inner = f"{where}: {EXAMPLES}"
    file = io.BytesIO(data)
    found = members(file, inner)
    strange = [name for name in found if not SAVED.fullmatch(name)]
    if strange or "data.pkl" not in found:
        raise EdgeError(inner, f"holds '{strange[0]}'" if strange else "holds no 'data.pkl'", FOREIGN)
    made = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w") as new:
        for name, member in found.items():
            new.writestr(zipfile.ZipInfo(f"{ROOT}/{name}"), _read(old, member, inner))
    return made.getvalue()
