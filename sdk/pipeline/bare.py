"""Bare files of other formats where an artifact is asked for: `edge run m.onnx` runs it as the one payload of an artifact that is made for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge import artifact
from edge.artifact.description import description
from edge.errors import EdgeError
from edge.words.dtype import Dtype
from edge.words.plan import Buffer, Place, Plan

if TYPE_CHECKING:
    import onnx_ir as ir

    from edge.backends import Backend
    from edge.converters import Source
    from edge.verify.expected import Answers

ARTIFACT = ".edge"


@contextmanager
def runnable(path: Path, answers: bool = False) -> Iterator[Path]:
    """The path of an artifact that runs the file: itself, or a temporary one around a bare file.  answers: with expected outputs, for verify."""
    maker = None if path.suffix == ARTIFACT or not path.is_file() or is_program(path) else backend_of(path)
    if maker is None:
        yield path
        return
    from edge.verify.expected import expected_outputs

    bare, source = maker.load(path)
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        known = expected_outputs(source, interface(source.model), small=False) if answers else None
        to = write_wrapped(Path(folder) / path.name, maker, bare, source, known)
        try:
            yield to
        except EdgeError as error:
            if error.where != str(to):
                raise
            raise type(error)(str(path), error.what, error.cure) from None


def is_program(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def backend_of(path: Path) -> Backend | None:
    from edge import backends

    return backends.of_suffix(path.suffix)


def write_wrapped(to: Path, maker: Backend, bare: bytes, source: Source, answers: Answers | None) -> Path:
    """An artifact around a bare file: the source is the model that it was made from.  answers: None for no test vectors."""
    from edge.codegen import Vectors
    from edge.graph.writing import to_bytes
    from edge.targets.profile import Head

    built, known = maker.wrapped(bare), answers.vectors if answers else Vectors(count=0)
    head = Head(name="any", description="whatever runs the file", kind=maker.kind)
    manifest = description(source, head, interface(source.model), known, "fp32") | {"payloads": (built.payload,)}
    if answers:
        manifest["vectors"] = answers.record
    graph = built.graph or to_bytes(source.model)
    return artifact.write(to, executable=built.program, manifest=manifest, expected=answers.data if answers else b"", graph=graph, files=built.files)


def interface(model: ir.Model) -> Plan:
    """A plan without steps: what goes in and what comes out, without what is kept from call to call."""
    from edge.graph.states import interface as names_of

    given, made = names_of(model)
    inputs = {v.name or "": v for v in model.graph.inputs if v.name in given and not v.is_initializer()}
    outputs = {v.name or "": v for v in model.graph.outputs if v.name in made}
    places = {**dict.fromkeys(outputs, Place.OUTPUT), **dict.fromkeys(inputs, Place.INPUT)}
    buffers = {name: buffer(name, value, places[name]) for name, value in (outputs | inputs).items()}
    return Plan(model.graph.name or "model", (), buffers, {}, tuple(inputs), tuple(outputs), 0, delivered=tuple(outputs))


def buffer(name: str, value: ir.Value, place: Place) -> Buffer:
    shape = tuple(value.shape) if value.shape is not None else None
    if shape is None or value.dtype is None or not all(isinstance(dim, int) for dim in shape):
        raise EdgeError(name, "has an open shape", "fix it by edge build MODEL --input-shape, or give the exporter an example input")
    return Buffer(name, tuple(dim for dim in shape if isinstance(dim, int)), Dtype(value.dtype.numpy().name), place=place)
