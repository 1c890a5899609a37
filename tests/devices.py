"""`make devices`: a small trained network goes to a board and back over ssh and over a serial line, and onto a card that boots.

    python tests/devices.py                    # everything, measured as long as a user would
    python tests/devices.py --short            # as CI runs it: a board's time is QEMU's, so a short measurement proves as much
    python tests/devices.py --only '* serial'  # some of it; may be repeated.  `build` is always done

The boards are QEMU's; the commands are those for real ones.  One line a stage, with its seconds; the first that goes wrong ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from edge import artifact, cli
from edge.devices import opened, virtual
from edge.devices.boards import state
from edge.errors import CheckFailed, EdgeError, ToolFailed, did_you_mean

FASHION = Path(__file__).resolve().parent.parent / "examples" / "fashion"
NETWORK_BYTES = 200_000  #: of weights: what a slow line carries while one waits
TOLERANCE = 1e-5  #: of the largest output
BOARD = "rpi3"
WAYS = {"ssh": f"virtual://{BOARD}", "serial": f"virtual://{BOARD}?via=serial"}
RUN_IT = "cd edge/mobilenet && readlink current && current/model.edge --verify >/dev/null && sha256sum <current/model.edge"


@dataclass(frozen=True)
class Proof:
    """folder: for what is made.  windows, mlperf: options of `edge profile`, without a protocol and with MLPerf's."""

    folder: Path
    windows: tuple[str, ...] = ()
    mlperf: tuple[str, ...] = ()

    @property
    def older(self) -> Path:
        return self.folder / "older" / "mobilenet.edge"

    @property
    def newer(self) -> Path:
        return self.folder / "newer" / "mobilenet.edge"

    @property
    def card(self) -> Path:
        return self.folder / "card.img"


def edge(*words: object) -> str:
    """What the command prints; CheckFailed with its complaint when it does not end well."""
    said, complaint = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complaint):
        code = cli.main([str(word) for word in words])
    if code:
        raise CheckFailed(f"edge {words[0]}", f"ended with {code}: {complaint.getvalue().strip()} {said.getvalue().strip()}")
    return said.getvalue()


def require(holds: bool, what: str) -> None:
    if not holds:
        raise CheckFailed("make devices", what)


def build(proof: Proof) -> str:
    """Two versions: one for every 64-bit Arm, one for this board alone."""
    for path, target in ((proof.older, "arm64"), (proof.newer, BOARD)):
        path.parent.mkdir()
        edge("build", f"{FASHION / 'networks.py'}:mobilenet", "--target", target, "-o", path)
    made = artifact.open(proof.older)
    weights = made.manifest.weights_bytes
    require(weights <= NETWORK_BYTES, f"the network has {weights} bytes of weights, more than {NETWORK_BYTES}")
    return f"mobilenet: {weights / 1e3:.0f} kB of weights, {made.size / 1e3:.0f} kB whole"


def boot(proof: Proof) -> str:
    virtual.stop(BOARD)
    with opened(WAYS["ssh"]) as device:
        return f"{device.facts().model}, Linux {device.facts().kernel}"


def doctor(uri: str, proof: Proof) -> str:
    lines = edge("doctor", uri).splitlines()
    require(any("rpi3 (level" in line for line in lines), f"edge doctor {uri} names no target rpi3")
    return f"{len(lines)} findings, nothing missing"


def flash(uri: str, proof: Proof) -> str:
    """The older version comes the fast way, so that there is something to go back to."""
    edge("flash", proof.older, "--to", WAYS["ssh"])
    said = edge("flash", proof.newer, "--to", uri)
    require("; before: " in said, f"edge flash kept no version before: {said}")
    return said.partition(": ")[2].strip()


def profile(uri: str, proof: Proof) -> str:
    """Milliseconds come back, and QEMU's are marked as no figures of a board."""
    found = json.loads(edge("profile", proof.newer, "--on", uri, "--json", *proof.windows))
    reasons = found["hygiene"]["reasons"]
    require(found["device"] == uri and reasons[0] == "emulated: its time is not a device's time", f"reasons: {reasons}")
    energy = found["energy_mj"]["kind"] or "no figure"
    return f"p50 {found['latency_ms']['p50']:.2f} ms of {found['latency_ms']['count']} runs, energy: {energy}; marked as emulated"


def compare(uri: str, proof: Proof) -> str:
    """A picture's outputs there against torch's here."""
    import torch

    sys.path.insert(0, str(FASHION))
    from networks import mobilenet

    module, _ = mobilenet()
    picture = np.load(FASHION / "pictures.npz")["pictures"][:1].reshape(1, 1, 28, 28).astype(np.float32) / 255
    given, got = proof.folder / "in.npz", proof.folder / "out.npz"
    manifest = artifact.open(proof.newer).manifest
    np.savez(given, **{manifest.inputs[0].name: picture})
    edge("run", proof.newer, "--input", given, "--output", got, "--on", uri)
    with torch.no_grad():
        want = module(torch.from_numpy(picture)).numpy()
    error = float(np.abs(np.load(got)[manifest.outputs[0].name] - want).max() / np.abs(want).max())
    require(error <= TOLERANCE, f"error {error:.1e} against torch on this machine")
    return f"error {error:.1e} against torch on this machine"


def pull_the_plug(uri: str, proof: Proof) -> str:
    state.stop(BOARD, signal.SIGKILL)
    return f"{installed(uri, proof.newer)} runs after a power cut"


def rollback(uri: str, proof: Proof) -> str:
    edge("rollback", uri)
    return f"{installed(uri, proof.older)} runs again"


def installed(uri: str, wanted: Path) -> str:
    """The version that the board runs, which must be this file."""
    with opened(uri) as device:
        ran = device.run(["sh", "-c", RUN_IT])
    words = ran.stdout.decode().split()
    require(ran.code == 0 and words[1:2] == [hashlib.sha256(wanted.read_bytes()).hexdigest()], f"{uri} does not run {wanted}: {ran}")
    return words[0].rpartition("/")[2]


def mlperf(uri: str, proof: Proof) -> str:
    """MLPerf Tiny's session: five runs, and answers that must be the artifact's own."""
    found = json.loads(edge("profile", proof.newer, "--protocol", "mlperf", "--on", uri, "--json", *proof.mlperf))
    require(len(found["runs"]) == 5, f"{len(found['runs'])} runs")
    rules = "by the rules" if not found["rules_broken"] else "; ".join(found["rules_broken"])
    return f"{found['throughput']:.1f} inferences a second by QEMU's clock; {rules}"


def card(proof: Proof) -> str:
    said = edge("flash", proof.newer, "--image", proof.card, "--base", "debian", "--host-name", "cam1")
    return said.splitlines()[0].partition(": ")[2]


def card_boots(proof: Proof) -> str:
    from edge.images import debian_files
    from raspi3b import started

    qemu = shutil.which("qemu-system-aarch64")
    if qemu is None:
        raise ToolFailed("qemu-system-aarch64", "is not installed", "sudo apt-get install qemu-system-arm")
    with started(qemu, proof.card, proof.folder) as board:
        said = board.until(debian_files.FINISHED)
    answers = [line.split()[-1] for line in said.splitlines() if line.startswith("vector ")]
    require(bool(answers) and set(answers) == {"good"}, f"the model on the card says {answers}")
    return f"Raspberry Pi 3 Model B: {len(answers)} vectors good"


Stage = Callable[[Proof], str]
ON_A_BOARD: dict[str, Callable[[str, Proof], str]] = {
    "doctor": doctor,
    "flash": flash,
    "profile": profile,
    "compare": compare,
    "power cut": pull_the_plug,
    "rollback": rollback,
}
#: in this order
STAGES: dict[str, Stage] = {
    "build": build,
    "boot": boot,
    **{f"{name} {way}": partial(stage, uri) for way, uri in WAYS.items() for name, stage in ON_A_BOARD.items()},
    "mlperf serial": partial(mlperf, WAYS["serial"]),
    "card": card,
    "card boots": card_boots,
}
SHORT = ("--runs", "5", "--warmup", "1", "--min-secs", "0.1"), ("--mlperf-secs", "0.1")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="prove the way to a board and back on boards that QEMU plays")
    parser.add_argument("--short", action="store_true", help="measure for a moment only")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="stages by name, with shell wildcards (all)")
    arguments = parser.parse_args(argv)
    try:
        names = chosen(arguments.only or ["*"])
    except EdgeError as error:
        print(f"devices: {error}", file=sys.stderr)
        return error.exit_code
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edge-devices-") as name:
        proof = Proof(Path(name), *(SHORT if arguments.short else ()))
        with patch.dict(os.environ, {"XDG_STATE_HOME": f"{name}/state"}):  # boards of this proof alone
            try:
                good = all(done(stage, proof) for stage in names)
            finally:
                virtual.stop()
    print(f"{len(names)} stages, {time.monotonic() - began:.0f} s: {'all good' if good else 'the last one went wrong'}")
    return 0 if good else CheckFailed.exit_code


def chosen(patterns: Sequence[str]) -> list[str]:
    """The stages that any pattern fits, in their order; a pattern that fits none is a mistake."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in STAGES):
            raise EdgeError(f"--only {pattern}", "fits no stage", did_you_mean(pattern, STAGES) or f"stages: {', '.join(STAGES)}")
    return [name for name in STAGES if name == "build" or any(fnmatchcase(name, pattern) for pattern in patterns)]


def done(name: str, proof: Proof) -> bool:
    """One stage, one line."""
    began = time.monotonic()
    try:
        verdict, found = "good", STAGES[name](proof)
    except EdgeError as error:
        verdict, found = "WRONG", str(error)
    print(f"{verdict:<6}{name:<17}{time.monotonic() - began:6.1f} s  {found}", flush=True)
    return verdict == "good"


if __name__ == "__main__":
    raise SystemExit(main())
