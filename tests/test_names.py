"""No public name is also a module's: importing the module would overwrite it, and only for those who import it first."""

from __future__ import annotations

import ast
import pydoc
import subprocess
import sys

import pytest

import edge
from house import members, modules, packages

IMPORT_ALL_THEN_CALL = """
import importlib, inspect, sys
names = sys.argv[1:]
for name in names:
    importlib.import_module(name)
import edge
for name in ("build", "load", "profile"):
    assert inspect.isfunction(getattr(edge, name)), f"edge.{name} is {getattr(edge, name)!r}"
"""


def defined(package: str) -> set[str]:
    """Functions and classes a package's own file defines or takes in by `from … import`."""
    tree = ast.parse(modules()[package].read_text())
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    sources = [
        node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != package
    ]  # `from edge.x import submodule` is no clash
    return own | {alias.asname or alias.name for node in sources for alias in node.names}


@pytest.mark.parametrize("package", sorted(packages()))
def test_no_function_shares_a_modules_name(package: str) -> None:
    assert defined(package) & members(package) == set()


def test_no_public_name_shares_a_modules_name() -> None:
    assert set(edge.PUBLIC) & members("edge") == set()


@pytest.mark.slow
def test_the_three_functions_survive_the_import_of_everything() -> None:
    subprocess.run([sys.executable, "-c", IMPORT_ALL_THEN_CALL, *modules()], check=True, timeout=120)


def test_import_edge_is_light() -> None:
    code = "import edge, sys; print(sorted({'numpy', 'onnx', 'onnx_ir', 'torch', 'click'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_all_names_what_is_public() -> None:
    assert sorted(edge.__all__) == sorted(edge.PUBLIC)
    assert {*edge.__all__, "__version__"} == set(dir(edge))


def test_help_explains_every_function_and_error() -> None:
    page = pydoc.plain(pydoc.render_doc(edge))
    assert [name for name in ("build", "load", "predict", "profile") if f"\n    {name}(" not in page] == []
    assert [name for name in ("CheckFailed", "DeviceFailed", "EdgeError", "ToolFailed") if f"\n    class {name}(" not in page] == []
    assert [name for name in edge.__all__ if not (getattr(edge, name).__doc__ or "").strip()] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'edge' has no attribute 'biuld'$"):
        getattr(edge, "biuld")  # noqa: B009
