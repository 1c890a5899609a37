"""The example in examples/embed, built from an unzipped artifact by the command its README gives."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiny
from edge import targets
from edge.targets import toolchain
from house import ROOT

EXAMPLE = ROOT / "examples" / "embed"
SYSROOT = Path("/usr/aarch64-linux-gnu")


def commands() -> list[list[str]]:
    """The indented lines of the README, as argv."""
    lines = re.findall(r"^    (\S.*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed (apt-get install gcc)")
def test_the_readme_works_as_written(tmp_path: Path) -> None:
    tiny.write(tmp_path / "model.edge")
    shutil.copy(EXAMPLE / "classify.c", tmp_path)
    unzip, cc, run = commands()
    assert unzip[0] == "unzip"
    with zipfile.ZipFile(tmp_path / "model.edge") as archive:  # the same as the first line, where unzip may be missing
        archive.extractall(tmp_path, unzip[3:])
    subprocess.run([*cc, "-Wall", "-Wextra", "-Werror"], cwd=tmp_path, check=True)
    program, edge_file = run[:2]
    check_answers([program, edge_file], tmp_path)
    short = subprocess.run([program, edge_file], cwd=tmp_path, input=b"", capture_output=True, check=False)
    assert (short.returncode, short.stderr) == (1, b"x: needs 4096 bytes of float32 on stdin\n")
    missing = subprocess.run([program, "none.edge"], cwd=tmp_path, input=b"", capture_output=True, check=False)
    assert (missing.returncode, missing.stderr) == (1, b"none.edge: cannot be read (is it there, and readable?)\n")


def check_answers(argv: list[str], folder: Path) -> None:
    """The program prints the five largest outputs, as numpy finds them."""
    x = tiny.inputs(0)
    done = subprocess.run(argv, cwd=folder, input=x.tobytes(), capture_output=True, check=True)
    z = tiny.reference(x)["z"].ravel()
    best = np.argsort(-z, kind="stable")[:5]
    assert [line.split() for line in done.stdout.decode().splitlines()] == [[str(i), f"{z[i]:.6g}"] for i in best]


@pytest.mark.slow
def test_the_example_built_for_arm_runs_on_every_pi(tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    """The library of an arm64 artifact in a program that a cross compiler made, against glibc: what a Raspberry Pi's own programs are."""
    qemu = tool("qemu-aarch64", "apt-get install qemu-user")
    if not SYSROOT.is_dir():
        pytest.skip("no C library for arm64 (apt-get install libc6-arm64-cross)")
    profile = targets.load("arm64")
    files = {f"steps_{level.name}.c": "typedef int nothing;\n" for level in profile.levels} | {"program.c": tiny.PROGRAM.read_text()}
    made = toolchain.compile_program(profile, files, tmp_path / "work")
    tiny.write(tmp_path / "model.edge", executable=made.program, files={})
    (tmp_path / "libmodel.so").write_bytes(made.library)
    cc = [sys.executable, "-m", "ziglang", "cc", "-target", profile.library, "-O2", f"-I{ROOT}/targets/runtime"]
    subprocess.run([*cc, str(EXAMPLE / "classify.c"), "-L.", "-lmodel", "-Wl,-rpath,.", "-o", "classify"], cwd=tmp_path, check=True)
    for cpu in ("cortex-a53", "cortex-a72", "cortex-a76"):
        check_answers([qemu, "-cpu", cpu, "-L", str(SYSROOT), "./classify", "model.edge"], tmp_path)
