"""The example in examples/embed, built from an unzipped artifact by the command its README gives."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tiny
from house import ROOT

EXAMPLE = ROOT / "examples" / "embed"


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
    x = tiny.inputs(0)
    program, edge_file = run[:2]
    done = subprocess.run([program, edge_file], cwd=tmp_path, input=x.tobytes(), capture_output=True, check=True)
    z = tiny.reference(x)["z"].ravel()
    best = np.argsort(-z, kind="stable")[:5]
    assert [line.split() for line in done.stdout.decode().splitlines()] == [[str(i), f"{z[i]:.6g}"] for i in best]
    short = subprocess.run([program, edge_file], cwd=tmp_path, input=b"", capture_output=True, check=False)
    assert (short.returncode, short.stderr) == (1, b"x: needs 4096 bytes of float32 on stdin\n")
    missing = subprocess.run([program, "none.edge"], cwd=tmp_path, input=b"", capture_output=True, check=False)
    assert (missing.returncode, missing.stderr) == (1, b"none.edge: cannot be read (is it there, and readable?)\n")
