"""A command opens an artifact once and hashes it once, however many steps it has: a file of 100 MB is not read three times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tiny

#: runs one command line and prints how often a file was opened as an artifact, and how many bytes were hashed
COUNTING = """
import hashlib, json, sys
from edge.artifact import reader
counts, whole = {"opened": 0, "hashed": 0}, reader.entries_of

class Counting:
    def __init__(self, data=b"", **words):
        self.real = real(**words)
        self.update(data)
    def update(self, data):
        counts["hashed"] += memoryview(data).nbytes
        self.real.update(data)
    def hexdigest(self):
        return self.real.hexdigest()
    def digest(self):
        return self.real.digest()

def entries_of(mapped, where):
    counts["opened"] += 1
    return whole(mapped, where)

real, hashlib.sha256, reader.entries_of = hashlib.sha256, Counting, entries_of
from edge.cli import main
code = main(sys.argv[1:])
print(json.dumps(counts | {"code": code}), file=sys.stderr)
"""

#: a command line -> how often the file is opened, and how often each of its bytes is hashed.  `run` loads the library through a descriptor of
#: its own; `flash` compares the entries and then names the version by the whole file
COMMANDS = {
    "inspect FILE": (1, 1),
    "verify FILE": (1, 1),
    "verify FILE --per-layer": (1, 1),
    "run FILE --input IN --output OUT": (2, 1),
    "profile FILE --runs 3 --warmup 0 --min-secs 0 --energy none": (1, 1),
    "profile FILE --runs 3 --warmup 0 --min-secs 0 --per-layer": (1, 1),
    "flash FILE --to local": (1, 2),
}


LARGE = 4 << 20  #: bytes, beside which other things that are hashed do not count


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS)
def test_an_artifact_is_opened_once_and_hashed_once(line: str, tmp_path: Path) -> None:
    import numpy as np

    file = tiny.write(
        tmp_path / "tiny.edge", files={"ballast": np.random.default_rng(0).bytes(LARGE), "lib/libmodel.so": tiny.library().read_bytes()}
    )
    np.savez(tmp_path / "in.npz", x=np.zeros(tiny.SHAPE, np.float32))
    names = {"FILE": str(file), "IN": str(tmp_path / "in.npz"), "OUT": str(tmp_path / "out.npz")}
    words = [names.get(word, word) for word in line.split()]
    environment = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", COUNTING, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    counts = json.loads(ran.stderr.splitlines()[-1])
    assert counts["code"] == 0, ran.stderr
    opened, hashed = COMMANDS[line]
    assert counts["opened"] == opened
    assert counts["hashed"] <= (hashed + 0.2) * file.stat().st_size
