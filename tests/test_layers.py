"""Imports go up docs/design.md's layers only; the folders are imported as `edge`; extras are imported where they are used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from house import ROOT, modules

TORCH_HOMES = ("models", "nn")  #: the layers that are about torch; others reach them, and torch, inside a function
EXTRAS = ("torch", "onnxruntime", "PIL", "serial", "ppk2_api", "joulescope")
WRONG_ROOTS = ("sdk", "targets", "converters")


class Import(NamedTuple):
    name: str  # dotted, "edge.graph.infer"
    line: int
    lazy: bool  # inside a function
    typing: bool  # under TYPE_CHECKING


def layers() -> list[str]:
    """The order as docs/design.md writes it: `errors` → `graph` → …"""
    section = (ROOT / "docs" / "design.md").read_text().split("## Layers")[1].split("\n## ")[0]
    chain = next(paragraph for paragraph in section.split("\n\n") if "→" in paragraph)
    return re.findall(r"`(\w+)`", chain)


def imports(source: str) -> Iterator[Import]:
    def walk(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, lazy, typing) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = "." * child.level + (child.module or "")
                yield from (Import(f"{base}.{alias.name}", child.lineno, lazy, typing) for alias in child.names)
            else:
                guard = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, lazy or function, typing or guard)

    yield from walk(ast.parse(source), False, False)


def violations(module: str, source: str, order: list[str]) -> list[str]:
    """What one module imports and may not."""
    own = [*module.split("."), ""][1]
    root = own in ("", "__main__")
    found = [] if root or own in order else [f"{module}: '{own}' has no place in docs/design.md's layers"]
    for name, line, lazy, typing in imports(source):
        at = f"{module}:{line}"
        first, *rest = name.split(".")
        if first == "":
            found.append(f"{at}: relative import (write from edge.…)")
        elif first in WRONG_ROOTS:
            found.append(f"{at}: {name} (write edge.…)")
        elif first in EXTRAS and not (lazy or typing or own in TORCH_HOMES):
            found.append(f"{at}: {first} is an extra (import it in the function that needs it)")
        elif first == "edge" and rest and not root:
            layer = rest[0]
            if layer.startswith("__"):
                continue  # edge.__version__ is a constant
            if layer not in order:
                found.append(f"{at}: {name} is not a layer (import it from where it is defined)")
            elif own in order and order.index(layer) > order.index(own) and not (lazy and layer in TORCH_HOMES):
                found.append(f"{at}: {own} imports {layer}, which lies below it")
    return found


@pytest.mark.parametrize("module", modules())
def test_imports_go_up_only(module: str) -> None:
    assert violations(module, modules()[module].read_text(), layers()) == []


def test_every_layer_of_the_page_exists() -> None:
    there = {name.split(".")[1] for name in modules() if "." in name}
    assert set(layers()) - there == set()


@pytest.mark.parametrize("folder", ["tests", "examples", "benchmarks"])
def test_outside_code_imports_edge_by_its_name(folder: str) -> None:
    found = [f"{path}:{i.line}" for path in (ROOT / folder).rglob("*.py") for i in imports(path.read_text()) if i.name.split(".")[0] in WRONG_ROOTS]
    assert found == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("from edge.errors import EdgeError", []),
        ("from edge import __version__", []),
        ("def f():\n    import torch", []),
        ("def f():\n    from edge.models import zoo", []),
        ("from edge.models import zoo", ["edge.graph.x:1: graph imports models, which lies below it"]),
        ("from edge import cli", ["edge.graph.x:1: graph imports cli, which lies below it"]),
        ("def f():\n    import edge.cli.build", ["edge.graph.x:2: graph imports cli, which lies below it"]),
        ("from edge import build", ["edge.graph.x:1: edge.build is not a layer (import it from where it is defined)"]),
        ("import sdk.graph", ["edge.graph.x:1: sdk.graph (write edge.…)"]),
        ("from targets import load", ["edge.graph.x:1: targets.load (write edge.…)"]),
        ("from . import y", ["edge.graph.x:1: relative import (write from edge.…)"]),
        ("try:\n    import torch\nexcept ImportError:\n    pass", ["edge.graph.x:2: torch is an extra (import it in the function that needs it)"]),
        ("if TYPE_CHECKING:\n    import torch", []),
    ],
)
def test_the_guard_sees(source: str, complaint: list[str]) -> None:
    assert violations("edge.graph.x", source, ["errors", "graph", "models", "cli"]) == complaint


def test_a_package_without_a_layer_is_reported() -> None:
    assert violations("edge.utils", "", ["errors"]) == ["edge.utils: 'utils' has no place in docs/design.md's layers"]
