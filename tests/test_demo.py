"""`make demo`: its own path on one small network, from the build to the tables."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from house import ROOT

NAME = "fashion/mobilenet"


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "examples/demo.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.slow
def test_the_demo_builds_checks_and_measures_one_network(tool: Callable[[str, str], str]) -> None:
    tool("qemu-aarch64", "apt-get install qemu-user")
    done = demo("--only", NAME)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert re.fullmatch(rf"{NAME}: [\d.]+ ms a picture, 9\d\.\d% of 1,000 right, as by torch; built in \d+ s", lines[0])
    assert re.fullmatch(rf"{NAME} for the Raspberry Pi 4: [\d.]+ \([\d.]+-[\d.]+\) ms, modelled", lines[1])
    rows = [line.split() for line in lines if line.startswith(f"{NAME} ")][1:]
    assert [row[0] for row in rows] == [NAME] * 3, "the table of this machine, of the Pi under QEMU, of three Pis"
    assert "Traceback" not in done.stderr


def test_a_network_that_the_demo_does_not_have_is_refused() -> None:
    done = demo("--only", "resnet*")
    assert (done.returncode, done.stdout) == (2, "")
    known = "fashion/mobilenet, fashion/pplcnet, fashion/fasternet, mobilenet_v1, mobilenet_v2, mobilenet_v3_large, pp_lcnet_x1_0, fasternet_t0"
    assert done.stderr == f"demo: --only resnet*: no network has such a name (there are {known})\n"
