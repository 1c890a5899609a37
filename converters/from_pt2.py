"""`.pt2` files of torch.export -> graph.  torch.export.load falls back to unrestricted pickle and
evaluates symbolic sizes as Python: both are shut off here."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import pickle
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.converters.from_torch import from_program
from edge.converters.inputs import Shapes
from edge.converters.source import Source
from edge.converters.torch_quiet import quiet
from edge.errors import EdgeError, spelled

MAX_BYTES = 2**32  # unpacked
MAX_RATIO = 1000
MAX_MEMBERS = 20_000
PLAIN = ("weight_", "tensor_")  # names of members that hold tensors; torch unpickles others ("opaque_obj_") without restriction
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def read(spec: str, shapes: Shapes, weights: Path | None, example_inputs: object) -> Source:
    """The Source of a .pt2 file."""
    import dataclasses
    import hashlib

    import torch

    path = Path(spec)
    if weights is not None:
        raise EdgeError(str(weights), "a .pt2 file carries its own weights", f"leave {spelled('--weights', 'weights=')} out")
    if shapes:
        raise EdgeError(
            path.name, "its shapes were fixed when it was exported", f"leave {spelled('--input-shape', 'input_shapes=')} out, or export it again"
        )
    if not path.is_file():
        raise EdgeError(spec, "is no file" if path.exists() else "no such file")
    if path.stat().st_size > MAX_BYTES:
        raise EdgeError(path.name, f"has {path.stat().st_size} bytes, at most {MAX_BYTES} are accepted")
    data = path.read_bytes()
    vet(data, path.name)
    try:
        with quiet(), only_tensors():
            program = torch.export.load(io.BytesIO(data))
    except pickle.UnpicklingError as error:
        raise EdgeError(path.name, "holds code, not tensors", "only plain tensors are loaded") from error
    except (RuntimeError, ValueError, KeyError, AssertionError, TypeError, AttributeError) as error:
        raise EdgeError(path.name, f"is no program that torch {torch.__version__} can load", "export it again with this torch") from error
    args, _ = program.example_inputs or ((), {})
    if not args or not all(isinstance(arg, torch.Tensor) for arg in args):
        raise EdgeError(path.name, "holds no example inputs of plain tensors", "export it with positional tensors")
    source = from_program(program, program.module(), tuple(args), name=path.stem, origin=path.name, root=None)
    return dataclasses.replace(source, sha256=hashlib.sha256(data).hexdigest())


def vet(data: bytes, where: str) -> None:
    """Refuse what is no zip, a bomb, damaged, or has symbolic sizes (which torch would evaluate as Python)."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise EdgeError(where, "is no .pt2 archive, or a truncated one", "copy or export it again") from error
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or total > MAX_BYTES or total > MAX_RATIO * max(1, len(data)):
        raise EdgeError(where, f"unpacks {len(data)} bytes into {total} in {len(members)} members", "that is no model")
    for member in members:
        try:
            content = archive.read(member)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise EdgeError(where, f"member '{member.filename}' is damaged", "copy or export it again") from error
        if member.filename.endswith(".json"):
            _vet_json(content, where, member.filename)


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


def _vet_json(content: bytes, where: str, name: str) -> None:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EdgeError(where, f"member '{name}' is damaged", "copy or export it again") from error
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            expression = item.get("expr_str")
            if isinstance(expression, str) and not NUMBER.fullmatch(expression):
                raise EdgeError(where, f"has the symbolic size '{expression}'", "export it with static shapes")
            stored = item.get("path_name")
            if isinstance(stored, str) and not stored.startswith(PLAIN):
                raise EdgeError(where, f"member '{stored}' holds code, not tensors", "only plain tensors are loaded")
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
