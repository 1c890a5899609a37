"""manifest.json: what an artifact is, how it was built, and the hashes of everything in it.  The dataclasses are the schema."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

from edge.artifact.shapes import brief, elements
from edge.artifact.typed_json import Json, decode, encode
from edge.errors import EdgeError
from edge.words.dtype import Dtype

SCHEMA = 2
MAX_BYTES = 32 << 20
DTYPES = tuple(str(dtype) for dtype in Dtype if dtype != Dtype.B1)
MAX_RANK, MAX_TENSOR_BYTES = 8, 1 << 34
FOREIGN = "the file is damaged or not made by edge: copy or build it again"


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class ModelOrigin:
    """origin: "net.py:mobilenet", never a full path.  sha256: of the model file or of the exported graph."""

    origin: str
    sha256: str


@dataclass(frozen=True)
class Toolchain:
    name: str
    version: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class VectorsRecord:
    """Inputs of the embedded test vectors come from `generator` (runtime/vectors.h); outputs are in expected.bin.  rtol: of the largest value.

    ranges: (low, high) of each input for the vector of odd values.  limits: in place of rtol, for each vector each output, where the model's own
    float32 answer is a quarter of that off its float64 answer; none where float32 is exact enough.
    calls: a model with state is called so often from a reset, with the same inputs, and its last outputs are compared.
    """

    seed: int
    count: int
    rtol: float
    generator: str = "splitmix64"
    ranges: tuple[tuple[float, float], ...] = ()
    limits: tuple[float, ...] = ()
    calls: int = 1

    def span(self, index: int) -> tuple[float, float]:
        """The range of input `index`."""
        return self.ranges[index] if index < len(self.ranges) else (-1.0, 1.0)

    def limit(self, row: int) -> float:
        """What output `row` may be off; rows go through the outputs of vector 0, then of vector 1, …"""
        return self.limits[row] if row < len(self.limits) else self.rtol


@dataclass(frozen=True)
class Checked:
    """How the build has checked the file.  by: "this CPU", or QEMU with its version and CPU.  levels: that were run, with `vectors` test vectors."""

    by: str
    levels: tuple[str, ...]
    vectors: int


@dataclass(frozen=True)
class Program:
    """The ELF in front of the zip, with the zeros that align weights.bin."""

    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Compiled:
    """What code that `edge` compiled has beside what every payload has.  levels: best first.  macs: multiply-adds of one inference."""

    levels: tuple[str, ...]
    toolchain: Toolchain
    arena_bytes: int
    macs: int


@dataclass(frozen=True)
class Payload:
    """One form of the model in the file, and how it is run: every one is a program that speaks the runner's words and JSON.

    format: as --format spells it.  kind: of the hardware that it is for, "cpu".  entries: of the zip that it reads.
    front: words in front of the file's path, an interpreter; none where the file is the program itself.  words: behind the path, before all others.
    can: what it can beside --info --verify --bench --input --output --vector --threads --json, by CAN.
    program: what lies in front of the zip, the first payload's.
    """

    format: str
    kind: str
    entries: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    can: tuple[str, ...] = ()
    program: Program = field(default_factory=Program)
    compiled: Compiled | None = None


INTERPRETERS = ((), ("python3",))  #: what may stand in front of a file's path: a manifest may come from anywhere
#: abilities of a payload's program: to time each layer and keep what it computes, force an ISA level, read a meter's files,
#: speak MLPerf Tiny's protocol
CAN = ("layers", "level", "sample", "mlperf")


@dataclass(frozen=True)
class Manifest:
    """payloads: the first is the file's own program.  inputs, outputs: of the model, the same for all payloads.

    profile: sha256 of the hardware profile.  plan: see plan_json; empty where nothing was compiled.
    preprocess: see preprocess.  labels: a file in the zip.

    files: sha256 of every entry but this one.  options: what was asked of `edge build`.  signatures: room for later.
    checked: None when the build has not run it; unchecked: which levels it has not run, and why.
    """

    name: str
    target: str
    precision: str
    model: ModelOrigin
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    payloads: tuple[Payload, ...]
    vectors: VectorsRecord
    plan: dict[str, object] = field(default_factory=dict)
    edge: str = ""
    profile: str = ""
    options: dict[str, object] = field(default_factory=dict)
    preprocess: dict[str, object] | None = None
    labels: str | None = None
    checked: tuple[Checked, ...] | None = None
    unchecked: str = ""
    schema: int = SCHEMA
    weights_bytes: int = 0
    files: dict[str, str] = field(default_factory=dict)
    signatures: tuple[str, ...] = ()

    @property
    def program(self) -> Program:
        """What lies in front of the zip."""
        return self.payloads[0].program

    @property
    def compiled(self) -> Compiled:
        """What the first compiled payload says; nothing of each where none is compiled."""
        return next((p.compiled for p in self.payloads if p.compiled), NOT_COMPILED)

    @property
    def levels(self) -> tuple[str, ...]:
        return self.compiled.levels

    @property
    def arena_bytes(self) -> int:
        return self.compiled.arena_bytes

    @property
    def macs(self) -> int:
        return self.compiled.macs

    @property
    def never_run(self) -> bool:
        """Does the build say that it has not run the file's own program at all?"""
        own = self.levels or (self.payloads[0].format,)
        return bool(self.unchecked) and not any(set(row.levels) & set(own) for row in self.checked or ())


NOT_COMPILED = Compiled((), Toolchain("", ""), 0, 0)


def manifest_from(value: object, where: str) -> Manifest:
    """Checks a JSON value against the schema; all mistakes at once in one EdgeError."""
    version = value.get("schema", SCHEMA) if isinstance(value, dict) else None
    if type(version) is int and version != SCHEMA:
        raise EdgeError(where, f"manifest schema {version}, this edge reads {SCHEMA}", "use the edge that built it, or build it again")
    wrong: list[str] = []
    manifest = decode(Manifest, value, "manifest.json", wrong)
    if manifest:
        wrong += mistakes(manifest)
    if wrong or manifest is None:
        more = f"; and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        raise EdgeError(where, "; ".join(wrong[:8]) + more, FOREIGN)
    return manifest


def mistakes(m: Manifest) -> list[str]:
    """What types alone do not say."""
    wrong = []
    for t in m.inputs + m.outputs:
        if "\0" in t.name or not t.name:
            wrong.append(f"tensor '{t.name[:80]}': a name with a NUL in it, or none")
        if t.dtype not in DTYPES:
            wrong.append(f"tensor {t.name[:80]}: dtype {t.dtype[:80]}")
        if elements(t.shape, MAX_TENSOR_BYTES, rank=MAX_RANK) is None:
            wrong.append(f"tensor {t.name[:80]}: shape {brief(t.shape)}")
    for kind, tensors in (("input", m.inputs), ("output", m.outputs)):
        if len({t.name for t in tensors}) != len(tensors):
            wrong.append(f"two {kind}s of one name")
    programs = [(f"payloads.{p.format}.program.sha256", p.program.sha256) for p in m.payloads]
    for name, digest in [("model.sha256", m.model.sha256), ("profile", m.profile), *programs, *m.files.items()]:
        if digest and not re.fullmatch("[0-9a-f]{64}", digest):
            wrong.append(f"{name}: '{digest[:80]}' is not a sha256")
    if m.weights_bytes < 0:
        wrong.append(f"weights_bytes: {m.weights_bytes}")
    wrong += [f"vectors.{key}: {value}" for key, value in (("rtol", m.vectors.rtol), ("count", m.vectors.count)) if not 0 <= value < math.inf]
    for p in m.payloads:
        named = all(re.fullmatch(r"[a-z][a-z0-9-]{0,31}", word) for word in (p.format, p.kind))
        worded = all(re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", word) for word in p.words)
        if not named or not worded or p.front not in INTERPRETERS:
            wrong.append(f"payload '{p.format:.32}': format, kind, front or words are none that edge writes")
        wrong += [f"payload '{p.format:.32}': unknown ability '{word:.32}'" for word in p.can if word not in CAN]
        c = p.compiled or NOT_COMPILED
        wrong += [f"payload '{p.format:.32}': {k}: {v}" for k, v in (("arena_bytes", c.arena_bytes), ("macs", c.macs)) if v < 0]
    if len({p.format for p in m.payloads}) != len(m.payloads) or not m.payloads:
        wrong.append("two payloads of one format" if m.payloads else "no payloads")
    if not m.outputs:
        wrong.append("no outputs")
    return wrong


def manifest_bytes(manifest: Manifest) -> bytes:
    return (json.dumps(encode(manifest), indent=1, allow_nan=False, sort_keys=True) + "\n").encode()


def parse_manifest(data: bytes, where: str) -> Manifest:
    """From the bytes of manifest.json, which may be anything."""
    try:
        value: Json = json.loads(data, parse_constant=refuse_constant, parse_int=short)
    except (ValueError, RecursionError) as error:
        raise EdgeError(where, f"manifest.json is not JSON: {str(error)[:80]}", FOREIGN) from None
    return manifest_from(value, where)


def short(digits: str) -> int:
    """A whole number of 64 bits: longer ones take time to read, to multiply and to print."""
    if len(digits) > 20:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
