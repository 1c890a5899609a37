"""Reads an `.edge` file without running it.  The file may be hostile: form, sizes and manifest are checked before anything is used."""

from __future__ import annotations

import hashlib
import mmap
import os
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.artifact.archive import DAMAGED, MAX_FILE_BYTES, STORED, Bytes, Entry, entries_of, unpack
from edge.artifact.manifest import MAX_BYTES, Manifest, Payload, parse_manifest
from edge.artifact.plan_json import plan_from_json
from edge.artifact.writer import ALIGN
from edge.errors import EdgeError
from edge.words.plan import Plan

PAYLOAD = "EDGE_PAYLOAD"  #: the format of the payload to run, where a file has several
PROGRAMS = (b"\x7fELF", b"#!/u")  #: how a program in front of a zip begins
MODELS = (".onnx", ".pt2", ".py")  #: what `edge build` takes, and people hand to `edge inspect`


@dataclass(frozen=True)
class Artifact:
    """An opened file.  size: in bytes.  format: of the payload to run, "" for the first.  The file stays mapped while this object lives."""

    path: Path
    manifest: Manifest
    entries: dict[str, Entry]
    size: int
    mapped: mmap.mmap = field(repr=False)
    format: str = ""

    def read(self, name: str) -> bytes:
        """The bytes of one entry; its hash is the business of `check_hashes`."""
        if name not in self.entries:
            raise EdgeError(str(self.path), f"holds no '{name}'", DAMAGED)
        return unpack(self.mapped, self.entries[name], str(self.path))

    def choose(self, format: str) -> Artifact:
        """The same file, whose payload of that format runs."""
        return replace(self, format=format)

    @cached_property
    def payload(self) -> Payload:
        """The payload that runs: the first, or the one that EDGE_PAYLOAD names."""
        known = {payload.format: payload for payload in self.manifest.payloads}
        name = self.format or os.environ.get(PAYLOAD) or self.manifest.payloads[0].format
        if name not in known:
            raise EdgeError(str(self.path), f"holds no payload '{name}'", f"{PAYLOAD} may be {' or '.join(known)}")
        return known[name]

    @property
    def weights(self) -> NDArray[np.uint8]:
        """weights.bin where it lies in the file."""
        entry = self.entries["weights.bin"]
        return np.frombuffer(self.mapped, np.uint8, entry.size, entry.data_at)

    @cached_property
    def plan(self) -> Plan:
        """The plan with constants that are views of weights.bin; one without steps where nothing was compiled."""
        if not self.manifest.plan:
            m = self.manifest
            return Plan(m.name, (), {}, {}, tuple(t.name for t in m.inputs), tuple(t.name for t in m.outputs), 0)
        return plan_from_json(self.manifest.plan, str(self.path), self.weights)

    @property
    def labels(self) -> list[str] | None:
        """One a line, for the classes of the first output."""
        return self.read(self.manifest.labels).decode("utf-8", "replace").splitlines() if self.manifest.labels else None


def open_artifact(path: Path | str, check: bool = True, file: BinaryIO | None = None) -> Artifact:
    """Opens and checks; EdgeError with one line otherwise.  check=False leaves out the hashes (for a start that must be quick).

    file: the opened file, for who needs more of it than what this reads; it stays open.
    """
    path, where = Path(path), str(path)
    try:
        with path.open("rb") if file is None else nullcontext(file) as opened:
            size = opened.seek(0, 2)
            if not 0 < size <= MAX_FILE_BYTES:
                raise EdgeError(where, f"is {size} bytes long, no size for an .edge file", DAMAGED)
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        cure = f"build it first: edge build {where} --target cpu" if where.startswith("zoo:") or ".py:" in where else "give the path of an .edge file"
        raise EdgeError(where, error.strerror or "cannot be read", cure) from None
    if path.suffix.lower() in MODELS and mapped[:4] not in PROGRAMS:
        raise EdgeError(where, "is a model, not an .edge file", f"build it first: edge build {where} --target cpu")
    entries = entries_of(mapped, where)
    if entries["manifest.json"].size > MAX_BYTES:
        raise EdgeError(where, "manifest.json is too big", DAMAGED)
    manifest = parse_manifest(unpack(mapped, entries["manifest.json"], where), where)
    check_against(manifest, entries, where)
    artifact = Artifact(path, manifest, entries, size, mapped)
    if check:
        check_hashes(artifact)
    return artifact


def check_against(manifest: Manifest, entries: dict[str, Entry], where: str) -> None:
    """The manifest and the zip speak of the same files."""
    listed, there = set(manifest.files), set(entries) - {"manifest.json"}
    for name in sorted(listed ^ there):
        what = "is in its manifest but not in the file" if name in listed else "is in the file but not in its manifest"
        raise EdgeError(where, f"'{name}' {what}", DAMAGED)
    weights = entries["weights.bin"]
    if weights.size != manifest.weights_bytes or weights.method != STORED or weights.data_at % ALIGN:
        raise EdgeError(where, "weights.bin is not as its manifest says", DAMAGED)
    if min(entry.header_at for entry in entries.values()) != manifest.program.bytes:
        raise EdgeError(where, "its program is not as long as its manifest says", DAMAGED)
    for payload in manifest.payloads:
        if missing := [name for name in payload.entries if name not in entries]:
            raise EdgeError(where, f"holds no '{missing[0]:.80}'", DAMAGED)
    if manifest.labels is not None and manifest.labels not in entries:
        raise EdgeError(where, f"holds no '{manifest.labels}'", DAMAGED)


def check_hashes(artifact: Artifact) -> None:
    """Every entry and the program against the manifest.  Hashes find damage, not malice."""
    where, m = str(artifact.path), artifact.manifest
    found = {"the program": sha256(artifact.mapped, 0, m.program.bytes)}
    wanted = {"the program": m.program.sha256}
    for name, digest in m.files.items():
        wanted[f"'{name}'"] = digest
        found[f"'{name}'"] = hashlib.sha256(artifact.read(name)).hexdigest()
    wrong = [name for name in wanted if found[name] != wanted[name]]
    if wrong:
        raise EdgeError(where, f"wrong hash of {', '.join(wrong)}", DAMAGED)


def sha256(file: Bytes, start: int, size: int) -> str:
    return hashlib.sha256(file[start : start + size]).hexdigest()
