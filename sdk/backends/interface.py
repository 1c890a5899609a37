"""What a backend is: it makes of a graph and a profile one payload, a program that speaks the runner's words and JSON.

To add one: 1. a module in this package with `BACKEND`, an object with what `Backend` lists; 2. a test of its own.  It is found by (kind, format):
`edge build --target T --format FORMAT` asks for the kind of T's profile.  `run`, `verify`, `profile` and `flash` need no word about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge.artifact.manifest import Payload
from edge.artifact.preprocess import Preprocess
from edge.artifact.reader import Artifact
from edge.converters import Source
from edge.targets.profile import Head
from edge.verify.expected import Answers
from edge.verify.selfcheck import Check
from edge.words.plan import Plan

if TYPE_CHECKING:
    import onnx_ir as ir

Say = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """graph: canonical, with the backend's own passes run.  recipe: of the pictures it is for.  stages: a folder for what is to be looked at.

    opset: of a bare ONNX file; 0 for the graph's own.
    """

    source: Source
    graph: ir.Model
    profile: Head
    precision: str = "fp32"
    recipe: Preprocess | None = None
    stages: Path | None = None
    opset: int = 0
    say: Say = field(default=lambda stage: None, repr=False)


@dataclass(frozen=True)
class Core:
    """What the file's own program brings: itself, the weights, the graph that reads them, the test vectors with their answers.

    sources: the C files by name, for --emit c and for a report.
    """

    program: bytes
    weights: bytes
    graph: bytes
    plan: Plan
    answers: Answers
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """files: entries of the zip beside those that every artifact has.

    program, graph: what stands in front of a zip that has no core, and its graph.onnx; b"" for the one that a converter reads.
    core: of the one payload that is the file's own program.
    """

    payload: Payload
    files: Mapping[str, bytes] = field(default_factory=dict)
    program: bytes = b""
    graph: bytes = b""
    core: Core | None = None


class Backend(Protocol):
    """kind: of the profiles that it builds for.  format: as --format spells it.  passes: of edge.passes, run after the canonical ones.

    suffix: of the bare file that it can write, ".onnx"; "" where the payload lives in an artifact only.
    leads: is its payload the file's own program?
    """

    kind: str
    format: str
    suffix: str
    leads: bool
    passes: tuple[str, ...]

    def build(self, task: Task) -> Built:
        """The payload inside an artifact, which also holds graph.onnx, weights.bin and expected.bin."""

    def check(self, file: Artifact, profile: Head) -> Check:
        """Runs the test vectors by this payload, the one that is chosen in a new file, as far as this machine can."""

    def bare(self, task: Task) -> bytes:
        """The file by itself, where there is a suffix."""

    def load(self, path: Path) -> tuple[bytes, Source]:
        """A bare file with all that it refers to, checked, and what it computes.  Where there is a suffix."""

    def wrapped(self, bare: bytes) -> Built:
        """A bare file as the one payload of an artifact whose graph.onnx is what its converter reads.  Where there is a suffix."""
