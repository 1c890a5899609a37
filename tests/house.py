"""The tree as the guard tests see it: where the package `edge` lies, and which of its modules a test must know of."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: import name -> folder, as setup.cfg's package_dir has it
FOLDERS = {"edge": ROOT / "sdk", "edge.targets": ROOT / "targets", "edge.converters": ROOT / "converters"}


def modules() -> dict[str, Path]:
    """Every module's import name and file: {"edge.cli.targets": …/sdk/cli/targets.py, …}."""
    found = {}
    for prefix, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([prefix, *(part for part in parts if part != "__init__")])] = path
    return found


def packages() -> set[str]:
    return {name for name, path in modules().items() if path.name == "__init__.py"}


def members(package: str) -> set[str]:
    """Names of a package's direct submodules, private ones left out: what discovery in that package must have found."""
    prefix = f"{package}."
    tails = {name.removeprefix(prefix) for name in modules() if name.startswith(prefix)}
    return {tail for tail in tails if "." not in tail and not tail.startswith("_")}
