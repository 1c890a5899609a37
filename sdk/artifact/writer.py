"""Makes an `.edge` file: same content, same bytes, in whatever folder; either the whole file appears or none."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edge import __version__ as edge_version
from edge.artifact.archive import DEFLATED, MAX_FILE_BYTES, RESERVED, SAFE_NAME, STORED, Entry, end_record
from edge.artifact.manifest import Program, manifest_bytes, manifest_from
from edge.artifact.typed_json import encode
from edge.artifact.whole_file import Buffer, write_whole
from edge.errors import EdgeError

ALIGN = 1 << 16  #: of weights.bin in the file: the largest page of any Linux we know


def write(
    path: Path | str,
    *,
    executable: bytes,
    manifest: Mapping[str, object],
    weights: Buffer = b"",
    expected: Buffer = b"",
    graph: bytes = b"",
    files: Mapping[str, bytes] | None = None,
    named: Path | None = None,
) -> Path:
    """Writes ELF + zip.  manifest: the fields of `Manifest`; schema, edge, weights_bytes, files and the program of
    the first payload are filled in here.

    weights.bin and expected.bin are stored, weights.bin first and with its data 64 KiB-aligned in the file; the rest is deflated.
    named: the file that messages name, where `path` is only on the way to it.
    """
    path, files = Path(path), dict(files or {})
    for name in files:
        if not SAFE_NAME.fullmatch(name) or name in RESERVED:
            raise EdgeError(name, "is not a name for a file in an artifact", "letters, digits, '_', '-', '.', and '/' between them")
    head = padded(executable)
    parts: dict[str, Buffer] = {"weights.bin": weights, "expected.bin": expected, "graph.onnx": graph}
    parts |= {name: files[name] for name in sorted(files)}
    known = manifest_from({k: encode(v) for k, v in manifest.items()}, path.name)
    known = replace(
        known,
        edge=known.edge or edge_version,
        weights_bytes=memoryview(weights).nbytes,
        files={name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
        payloads=(replace(known.payloads[0], program=Program(len(head), hashlib.sha256(head).hexdigest())), *known.payloads[1:]),
    )
    order = ["weights.bin", "expected.bin", "manifest.json", "graph.onnx", *sorted(files)]
    parts["manifest.json"] = manifest_bytes(known)
    write_whole(path, [head, *zip_parts(len(head), {name: parts[name] for name in order}, path.name)], mode=0o755, named=named)
    return path


def padded(executable: bytes) -> bytes:
    """The program and the zeros after which the data of the first entry is aligned."""
    header = len(Entry("weights.bin", STORED, 0, 0, 0, 0).local())
    return executable + bytes(-(len(executable) + header) % ALIGN)


def zip_parts(start: int, parts: Mapping[str, Buffer], where: str) -> list[Buffer]:
    """The zip as a list of buffers, so that weights are not copied."""
    entries: list[Entry] = []
    out: list[Buffer] = []
    at = start
    for name, data in parts.items():
        method = STORED if name in ("weights.bin", "expected.bin") else DEFLATED
        packed = data if method == STORED else deflate(data)
        sizes = memoryview(packed).nbytes, memoryview(data).nbytes
        entry = Entry(name, method, zlib.crc32(data), *sizes, at)
        if entry.end > MAX_FILE_BYTES:
            raise EdgeError(where, f"'{name}' would end past 4 GiB", "use a smaller model or fewer bits a weight")
        out += [entry.local(), packed]
        entries.append(entry)
        at = entry.end
    directory = b"".join(entry.central() for entry in entries)
    return [*out, directory, end_record(len(entries), len(directory), at)]


def deflate(data: Buffer) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
