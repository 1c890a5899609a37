"""Finds the modules of a package by listing its folder: kernels, ops, backends, meters, kinds of hardware."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType


def module_names(path: Iterable[str]) -> list[str]:
    """Return the names of a package's modules in order, not those of packages in it.  path: its __path__."""
    return sorted(module.name for module in pkgutil.iter_modules(path) if not module.ispkg)


def modules_with(path: Iterable[str], package: str, attribute: str) -> dict[str, ModuleType]:
    """Import every module of a package; return those that define `attribute`, by name.

    path, package: its __path__ and __name__.
    """
    modules = {name: importlib.import_module(f"{package}.{name}") for name in module_names(path)}
    return {name: module for name, module in modules.items() if hasattr(module, attribute)}
