"""`.pt2` files of torch.export -> graph.  The file may be hostile: torch reads an archive that pt2_archive makes anew, and unpickles tensors only."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import pickle
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.converters.from_torch import from_program
from edge.converters.inputs import Shapes
from edge.converters.pt2_archive import AGAIN, MAX_BYTES, fresh
from edge.converters.pt2_program import MAX_ELEMENTS
from edge.converters.source import Source
from edge.converters.torch_quiet import USER_ERRORS, quiet
from edge.errors import EdgeError, spelled, unreadable

if TYPE_CHECKING:
    import torch

MAX_VALUE = 2**28  # elements
#: what torch's unpickler raises beside UnpicklingError, where a file ends too early or claims too much
UNPICKLING = (BufferError, EOFError, MemoryError, struct.error)


def read(spec: str, shapes: Shapes, weights: Path | None, example_inputs: object) -> Source:
    """The Source of a .pt2 file."""
    path = Path(spec)
    if weights is not None:
        raise EdgeError(str(weights), "a .pt2 file carries its own weights", f"leave {spelled('--weights', 'weights=')} out")
    if shapes:
        raise EdgeError(
            path.name, "its shapes were fixed when it was exported", f"leave {spelled('--input-shape', 'input_shapes=')} out, or export it again"
        )
    if not path.is_file():
        raise EdgeError(spec, "is not a file" if path.exists() else "no such file")
    try:
        with path.open("rb") as file:
            return from_file(file, path.name, path.stem)
    except OSError as error:
        raise unreadable(path, error, AGAIN) from error


def from_file(file: io.BufferedReader, origin: str, name: str) -> Source:
    """The Source of an opened .pt2 file."""
    import torch
    from torch._export.verifier import SpecViolationError

    if (size := file.seek(0, 2)) > MAX_BYTES:
        raise EdgeError(origin, f"has {size} bytes, at most {MAX_BYTES} are accepted")
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    archive = fresh(file, origin)
    cure = "export it again with this torch"
    try:
        with quiet(), only_tensors():
            loaded = torch.export.load(archive)
            module = loaded.module(check_guards=False)
            program = loaded.run_decompositions({})  # traces it again: the sizes that the file names may be untrue
    except pickle.UnpicklingError as error:
        raise EdgeError(origin, "holds code, not tensors", "only plain tensors are loaded") from error
    except (*USER_ERRORS, *UNPICKLING, SpecViolationError) as error:
        raise EdgeError(origin, f"is not a program that torch {torch.__version__} can load", cure) from error
    require_sizes(program, origin)
    source = from_program(program, module, examples(loaded, origin), name=name, origin=origin, root=None)
    return replace(source, sha256=digest)


def examples(program: torch.export.ExportedProgram, origin: str) -> tuple[torch.Tensor, ...]:
    """The example inputs: plain tensors of the sizes that the program names, and no larger than what the file holds of them."""
    import torch

    found = program.example_inputs
    args, named = found if isinstance(found, tuple) and len(found) == 2 else ((), {})
    if not isinstance(args, tuple) or not args or named or not all(type(arg) is torch.Tensor for arg in args):
        raise EdgeError(origin, "holds no example inputs of plain tensors", "export it with positional tensors")
    for arg in args:
        dense = arg.layout == torch.strided and arg.device.type == "cpu" and arg.dtype not in (torch.bfloat16, torch.complex32)
        if not dense or arg.numel() > MAX_ELEMENTS or arg.numel() * arg.element_size() > arg.untyped_storage().nbytes() + 2**20:
            raise EdgeError(origin, "holds no example inputs of plain tensors", "export it with positional tensors")
    return tuple(args)


def require_sizes(program: torch.export.ExportedProgram, origin: str) -> None:
    """Refuse a program that would take more memory for one value than any network needs: its layers are run once, to compare."""
    for node in program.graph.nodes:
        found = node.meta.get("val")
        size = found.numel() if hasattr(found, "numel") else 0
        if isinstance(size, int) and size > MAX_VALUE:
            raise EdgeError(origin, f"node '{node.name}' has {size} elements, at most {MAX_VALUE} are accepted", "export it with a smaller input")


@contextlib.contextmanager
def only_tensors() -> Iterator[None]:
    """Inside, torch.load refuses everything but tensors, even where torch itself asks for more."""
    import torch

    original = torch.load

    @functools.wraps(original)
    def restricted(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **(kwargs | {"weights_only": True}))

    torch.load = restricted
    try:
        yield
    finally:
        torch.load = original
