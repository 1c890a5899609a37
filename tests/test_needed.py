"""One list of Debian's packages: it is whole, everything that names a package names one of it, and `make test` installs from it."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.debian import needed
from house import ROOT

pytest_plugins = ["pytester"]

Install = Callable[..., tuple[list[str], list[str]]]
#: named elsewhere, for a device, for Python's environment, or because no installation helps
ELSEWHERE = {"coreutils", "gzip", "raspi-utils", "nvidia-l4t-tools", "python3-venv", "make", "llvm", "systemd", "perl", "putty-tools", "it"}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """install(user=, apt=): (what tests/needed_tools.py prints, what apt-get was asked), on a machine without busybox and cpio."""
    (tmp_path / "list.toml").write_text(
        f"[use]\n[package.busybox]\nuse = ['tests']\nprograms = ['no-busybox']\n[package.cpio]\nuse = ['tests']\nfiles = ['{tmp_path}/no-cpio']\n"
        "[package.bash]\nuse = ['tests']\nprograms = ['sh']\n"
    )

    def run(user: int, apt: str = "") -> tuple[list[str], list[str]]:
        if apt:
            (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{apt}\n')
            (tmp_path / "apt-get").chmod(stat.S_IRWXU)
        script = (
            f"import os, sys; from pathlib import Path; sys.path.insert(0, {str(ROOT / 'tests')!r}); import needed_tools; "
            f"from edge.debian import needed; needed.LIST = Path({str(tmp_path / 'list.toml')!r}); os.geteuid = lambda: {user}; needed_tools.main()"
        )
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin" if apt else str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        asked = tmp_path / "asked"
        return done.stdout.splitlines(), asked.read_text().splitlines() if asked.exists() else []

    return run


def skipped(tmp_path: Path) -> str:
    return f"make test: what needs no-busybox, {tmp_path}/no-cpio is skipped (sudo apt-get install busybox cpio)"


def test_a_user_reads_the_line_to_type(install: Install, tmp_path: Path) -> None:
    assert install(1000, "exit 0") == ([skipped(tmp_path)], [])


def test_root_without_apt_reads_it_too(install: Install, tmp_path: Path) -> None:
    said, _ = install(0)
    assert said[0].startswith("make test: what needs no-busybox, ")


def test_root_with_apt_installs_what_is_named(install: Install, tmp_path: Path) -> None:
    """After that nothing is missing, so nothing more is said."""
    works = f"[ $1 = update ] || {{ touch {tmp_path}/no-cpio; cp /bin/true {tmp_path}/no-busybox; }}"
    assert install(0, works) == (
        ["make test: installing busybox cpio"],
        ["update -qq", "install -qq -y --no-install-recommends busybox cpio"],
    )


def test_a_package_that_cannot_be_had_keeps_back_no_other(install: Install, tmp_path: Path) -> None:
    one = "install -qq -y --no-install-recommends"
    said, asked = install(0, f"case $* in *busybox*) exit 100;; *cpio) touch {tmp_path}/no-cpio;; esac")
    assert said[1:] == ["make test: what needs no-busybox is skipped (sudo apt-get install busybox)"]
    assert asked == ["update -qq", f"{one} busybox cpio", f"{one} busybox", f"{one} cpio"]


def test_every_use_has_packages_and_every_package_something_to_look_for() -> None:
    assert {use for package in needed.packages() for use in package.uses} == {*needed.uses(), needed.TESTS}
    assert [package.name for package in needed.packages() if not package.programs + package.files] == []


def test_every_package_that_is_named_is_on_the_list() -> None:
    known = {package.name for package in needed.packages()} | ELSEWHERE
    places = [
        *(ROOT / "sdk").rglob("*.py"),
        *(ROOT / "targets").glob("*.py"),
        *(ROOT / "tests").glob("*.py"),
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
    ]
    named = {
        word for path in places for line in re.findall(r"apt-get install ([a-z0-9][a-z0-9 .+-]*)", path.read_text()) for word in line.split()[:1]
    }
    assert named - known == set()


def test_ci_and_the_readme_call_the_same_commands() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    allowed = "--skips-allowed tests/expected_skips.txt"
    assert lines[2:] == [f'make test ARGS="-m slow {allowed}"', f'make check ARGS="{allowed}"']


SUITE = """
import subprocess
import pytest
from edge.debian import tools
def test_a_tool(tmp_path): tools.run(["mke2fs"], tmp_path)
def test_a_program(): subprocess.run(["sfdisk"])
@pytest.fixture
def card(): subprocess.run(["sfdisk"])
def test_with_a_fixture(card): pass
def test_a_file(): open("none")
def test_another(): subprocess.run(["no-such-program"])
"""


@pytest.mark.slow
def test_a_missing_program_is_a_skip_with_its_cure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    conftest = (ROOT / "tests" / "conftest.py").read_text()
    pytester.makeconftest(conftest + "\nos.environ['PATH'] = needed.SYSTEM_FOLDERS = '/nowhere'\n")
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("-rs", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(
        [
            "SKIPPED *mke2fs: is not installed (sudo apt-get install e2fsprogs)",
            "SKIPPED *sfdisk is not installed (apt-get install fdisk)",
            "*2 failed, 3 skipped*",
        ]
    )
