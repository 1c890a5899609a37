"""What the tree has, the wheel has: a package or data file forgotten in setup.cfg works from the tree and is missing once installed."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import click
import pytest

from house import FOLDERS, ROOT, packages

BUILT_FROM = ("sdk", "targets", "converters", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
NOT_SHIPPED = ("__pycache__", ".py", ".pyc")


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def data_files() -> set[str]:
    """Everything beside the modules, as the wheel must name it: edge/targets/profiles/cpu.toml."""
    return {
        f"{prefix.replace('.', '/')}/{path.relative_to(folder).as_posix()}"
        for prefix, folder in FOLDERS.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in NOT_SHIPPED and "__pycache__" not in path.parts
    }


def declared_data() -> set[str]:
    """The files that setup.cfg's globs find."""
    found = set()
    for package, globs in setup_cfg()["options.package_data"].items():
        top = max((prefix for prefix in FOLDERS if package == prefix or package.startswith(prefix + ".")), key=len)
        folder = FOLDERS[top].joinpath(*package.removeprefix(top).strip(".").split("."))
        found |= {f"{package.replace('.', '/')}/{p.relative_to(folder).as_posix()}" for glob in globs.split() for p in folder.glob(glob)}
    return found


def test_setup_cfg_names_the_trees_packages() -> None:
    assert sorted(setup_cfg()["options"]["packages"].split()) == sorted(packages())


def test_setup_cfg_names_the_trees_data_files() -> None:
    assert declared_data() == data_files()


def test_the_version_has_one_place() -> None:
    assert setup_cfg()["metadata"]["version"] == "attr: edge.__version__"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the tree stays as it is."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)], check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    code = {f"{prefix.replace('.', '/')}/{p.relative_to(f).as_posix()}" for prefix, f in FOLDERS.items() for p in f.rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == code | data_files()


@pytest.mark.slow
def test_the_installed_wheel_runs_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    """An empty environment, without even numpy: help, version and targets need click alone."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "click").symlink_to(Path(click.__file__).parent)
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True)

    def edge(*words: str) -> str:
        return subprocess.run(
            [python.parent / "edge", *words], check=True, capture_output=True, text=True, cwd="/", env={"PYTHONPATH": str(tmp_path / "alone")}
        ).stdout

    assert edge("--help").startswith("usage: edge COMMAND")
    assert edge("--version") == f"edge {wheel.name.split('-')[1]}\n"
    assert "x86-64" in edge("targets")
