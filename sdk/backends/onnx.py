"""ONNX, run by ONNX Runtime: in an artifact graph.onnx with weights.bin, so that weights exist once; by itself one file of standard operators."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from edge import converters
from edge.artifact.manifest import Payload
from edge.artifact.reader import Artifact
from edge.backends import python
from edge.backends.interface import Built, Task
from edge.converters import Source
from edge.errors import EdgeError, spelled
from edge.graph.writing import to_bytes
from edge.targets.profile import Head
from edge.verify.selfcheck import Check, check_payload

if TYPE_CHECKING:
    import onnx

ENGINE = Path(python.__file__).with_name("engine_onnx.py")
RUNTIME = "onnxruntime"
OLDEST = 7  #: opset that ONNX Runtime reads


def in_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The model in another version of the standard operators, by ONNX's own converter; EdgeError for what that cannot do."""
    from onnx import defs, version_converter

    where, newest = f"{spelled('--opset', 'opset=')} {opset}", defs.onnx_opset_version()
    if not OLDEST <= opset <= newest:
        raise EdgeError(where, "is not an opset that can be written", f"{OLDEST} to {newest}")
    try:
        converted: onnx.ModelProto = version_converter.convert_version(model, opset)
    except (version_converter.ConvertError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].rpartition("failed: ")[2][:160]
        raise EdgeError(
            where, f"ONNX's converter does not reach it: {reason}", f"leave it out: the graph is written in opset {model.opset_import[0].version}"
        ) from None
    return converted


@dataclass(frozen=True)
class Onnx:
    kind: str = "cpu"
    format: str = "onnx"
    suffix: str = ".onnx"
    leads: bool = False
    passes: tuple[str, ...] = ()

    def build(self, task: Task) -> Built:
        return self.wrapped(b"")

    def bare(self, task: Task) -> bytes:
        """Our own operators are replaced by their function bodies, and ONNX's checker has seen the result."""
        import onnx
        from onnx import inliner

        model = inliner.inline_local_functions(onnx.ModelProto.FromString(to_bytes(task.graph)))
        standard = [entry for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
        del model.opset_import[:]
        model.opset_import.extend(standard)
        if task.opset:
            model = in_opset(model, task.opset)
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def load(self, path: Path) -> tuple[bytes, Source]:
        from edge.graph import load
        from edge.graph.states import without_states

        model = load(path)
        without_states(model)
        for value in model.graph.inputs:
            if value.shape is not None and not value.is_initializer() and not all(isinstance(dim, int) for dim in value.shape):
                example = "x".join(str(dim) if isinstance(dim, int) else "1" for dim in value.shape)
                cure = f"fix it: edge build {path} --target cpu --format {self.format} --input-shape {value.name}:{example} -o fixed{self.suffix}"
                raise EdgeError(str(path), f"the shape of its input '{value.name}' is open", cure)
        source = converters.read(path)
        without_states(source.model)
        return to_bytes(model), source

    def wrapped(self, bare: bytes) -> Built:
        files = python.files(self.format, ENGINE.read_bytes())
        entries = ("graph.onnx", "weights.bin", *sorted(files))
        payload = Payload(self.format, self.kind, entries, front=python.FRONT, words=("--payload", self.format))
        return Built(payload, files, program=python.PROGRAM, graph=bare)

    def check(self, file: Artifact, profile: Head) -> Check:
        if not util.find_spec(RUNTIME):
            return Check(None, f"payload {self.format} not checked on this machine: {RUNTIME} is not installed (pip install {RUNTIME})")
        return check_payload(file)


BACKEND = Onnx()
