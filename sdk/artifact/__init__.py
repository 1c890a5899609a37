"""The `.edge` file: an ELF for the device followed by a zip.  `write` makes one, `open` checks and reads one; neither runs it."""

from edge.artifact.manifest import Compiled, Manifest, ModelOrigin, Payload, Tensor, Toolchain, VectorsRecord
from edge.artifact.reader import Artifact
from edge.artifact.reader import open_artifact as open
from edge.artifact.writer import write

__all__ = ["Artifact", "Compiled", "Manifest", "ModelOrigin", "Payload", "Tensor", "Toolchain", "VectorsRecord", "open", "write"]
