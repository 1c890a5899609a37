"""A whole trained network through the runner and its thread pool, compiled with sanitizers: the emitted C, built by hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import edge
from compiled import SANITIZE
from house import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("fashion")
    edge.build(f"{ROOT}/examples/fashion/networks.py:mobilenet", target="cpu", emit_c=True, out=folder / "net.edge")
    return folder / "net-c"


@pytest.mark.parametrize("flags", [SANITIZE, ["-fsanitize=thread"]], ids=["address and undefined", "thread"])
def test_sanitizers_are_quiet(sources: Path, tmp_path: Path, flags: list[str]) -> None:
    units = sorted(path.name for path in sources.glob("*.c"))
    strict = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-math-errno", *flags]
    subprocess.run(["gcc", *strict, "-I.", *units, "-lm", "-lpthread", "-o", str(tmp_path / "runner")], cwd=sources, check=True)
    for words in (["--verify"], ["--bench", "--runs", "5", "--warmup", "1", "--min-secs", "0", "--per-layer"]):
        argv = [str(tmp_path / "runner"), "--file", str(sources.parent / "net.edge"), "--threads", "3", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
