"""A payload that Python runs, on a device behind a real sshd: the device's own python3 and what it has decide."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

import sshd
from edge import cli
from edge.artifact import manifest
from edge.backends import python
from edge.devices import ssh

pytestmark = pytest.mark.slow

Out = pytest.CaptureFixture[str]
QUICK = ["--runs", "20", "--warmup", "2", "--min-secs", "0"]
HAS = ("all", "no numpy", "no python")


@pytest.fixture(params=HAS)
def board(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """What the device has, and its URI.  Its python3 finds our packages, or a numpy that is not one, or is not there."""
    if sshd.daemon_path() is None or shutil.which("ssh") is None:
        pytest.skip(f"sshd is not installed ({sshd.CURE})")
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "numpy.py").write_text("raise ImportError('blocked', name='numpy')")
    packages = tmp_path / "blocked" if request.param == "no numpy" else Path(np.__file__).parents[1]
    if request.param == "no python":
        monkeypatch.setattr(manifest, "INTERPRETERS", (("python0",),))
        monkeypatch.setattr(python, "FRONT", ("python0",))
    monkeypatch.setenv(ssh.CONFIG, str(tmp_path / "config"))
    with sshd.running(tmp_path, environment=f"PYTHONPATH={packages}") as uri:
        yield request.param, uri


@pytest.fixture
def net(tmp_path: Path) -> Path:
    onnx.save(
        onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 20]> net (float[2, 8] x) => (float[2, 8] y) { y = Relu (x) }'),
        tmp_path / "net.onnx",
    )
    return tmp_path / "net.onnx"


def test_a_bare_file_over_ssh(board: tuple[str, str], net: Path, tmp_path: Path, capsys: Out) -> None:
    has, uri = board
    refusals = {
        "no numpy": "has no numpy, which this payload needs (install it there: pip install numpy)",
        "no python": f"edge: {uri}: has no python0, which runs this payload of net.onnx (install python0 there, or build it as native)",
    }
    if has in refusals:
        assert cli.main(["profile", str(net), "--on", uri, *QUICK]) == 3
        assert capsys.readouterr().err.splitlines()[-1].endswith(refusals[has])
        return
    assert cli.main(["profile", str(net), "--on", uri, *QUICK, "--json"]) == 0
    profile = json.loads(capsys.readouterr().out)
    assert (profile["device"], profile["payload"]) == (uri, "onnx")
    assert cli.main(["verify", str(net), "--on", uri]) == 0
    np.savez(tmp_path / "in.npz", x=np.full((2, 8), -3, np.float32))
    assert cli.main(["run", str(net), "--on", uri, "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]) == 0
    assert (np.load(tmp_path / "out.npz")["y"] == 0).all()
