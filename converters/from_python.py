"""`file.py:callable`: run a user's file and export the module that its callable returns."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge.converters.from_torch import from_module
from edge.converters.inputs import Shapes
from edge.converters.source import Source
from edge.converters.torch_quiet import user_error
from edge.errors import EdgeError, did_you_mean

if TYPE_CHECKING:
    from torch import nn


def read(spec: str, shapes: Shapes, weights: Path | None, example_inputs: object) -> Source:
    """The Source of `file.py:callable`; the callable returns a Module or (Module, example_inputs)."""
    file, _, name = spec.rpartition(":")
    path = Path(file)
    origin = f"{path.name}:{name}"
    if not path.is_file():
        raise EdgeError(file, "is no file" if path.exists() else "no such file")
    root = path.resolve().parent
    with importing(path, origin) as module, contextlib.redirect_stdout(sys.stderr):
        found = _call(module, name, origin, root)
        first, examples = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        net = _module(first, origin)
        if weights is not None:
            from edge.models import load_weights

            load_weights(net, weights)
        given = example_inputs if example_inputs is not None else (None if shapes else examples)
        return from_module(net, given, shapes, name=name, origin=origin, root=root)


@contextlib.contextmanager
def importing(path: Path, origin: str) -> Iterator[ModuleType]:
    """The file as a module under its own name; its folder is on sys.path, and what it imports from there is known, only inside."""
    root = path.resolve().parent
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = dict(sys.modules)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(root))
    try:
        with user_error(origin, root, "cannot be imported"), contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name not in before and _is_users(name, root)]:
            del sys.modules[name]
        sys.modules.pop(path.stem, None)
        if path.stem in before:
            sys.modules[path.stem] = before[path.stem]


def _is_users(name: str, root: Path) -> bool:
    """Was the module `name` loaded from the user's folder?  Python, its packages and `edge` itself may lie below that folder too."""
    file = getattr(sys.modules[name], "__file__", None)
    if not file or name.partition(".")[0] in {"edge", *sys.stdlib_module_names}:
        return False
    return Path(file).resolve().is_relative_to(root) and "site-packages" not in Path(file).parts


def _call(module: ModuleType, name: str, origin: str, root: Path) -> object:
    from torch import nn

    target = getattr(module, name, None)
    if target is None:
        choices = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise EdgeError(origin, f"the file defines no '{name}'", did_you_mean(name, choices))
    if isinstance(target, nn.Module):
        return target
    if not callable(target):
        raise EdgeError(origin, f"'{name}' is a {type(target).__name__}, not a callable")
    with user_error(origin, root, "failed when called"):
        return target()


def _module(found: object, origin: str) -> nn.Module:
    from torch import nn

    if not isinstance(found, nn.Module):
        raise EdgeError(origin, f"gave a {type(found).__name__}", "it must return an nn.Module or (Module, example_inputs)")
    return found
