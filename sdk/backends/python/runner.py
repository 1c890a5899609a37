"""The runner's words and JSON (targets/runtime/runner_options.c) for a payload that Python runs."""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge.artifact.vectors import vector
from edge.errors import EdgeError, one_line

Array = NDArray[np.generic]
GOOD, CHECK_FAILED, USAGE, DEVICE = 0, 1, 2, 3
HELP = """python3 FILE.edge --info | --verify | --bench | --input [NAME=]FILE… | --vector N
       with [--output [NAME=]FILE…] [--threads N] [--json], of --bench [--runs N] [--warmup N] [--min-secs S]"""


class Refused(Exception):
    """One line for stderr, and the exit code of a device that cannot."""


class Wrong(Exception):
    """One line for stderr, and the exit code of a wrong word or input."""


@dataclass(frozen=True)
class Engine:
    """What runs the model.  name: with its version.  run: inputs by name to outputs in the model's order."""

    name: str
    run: Callable[[Mapping[str, Array]], Sequence[Array]]


@dataclass(frozen=True)
class Session:
    """An opened file with its engine.  facts: its manifest.  states: by input, the output that becomes it, and what it is after a reset."""

    archive: zipfile.ZipFile
    facts: Mapping[str, Any]
    engine: Engine
    threads: int
    init_ns: int
    states: Mapping[str, tuple[str, Array]] = field(default_factory=dict)

    def run(self, inputs: Mapping[str, Array], calls: int = 1) -> list[Array]:
        """The outputs of the last of so many calls from a reset."""
        outputs = [t["name"] for t in self.facts["outputs"]]
        names = asked(outputs, [output for output, _ in self.states.values()])
        kept = {name: zero for name, (_, zero) in self.states.items()}
        for _ in range(calls):
            made = dict(zip(names, self.engine.run({**inputs, **kept}), strict=True))
            kept = {name: made[output] for name, (output, _) in self.states.items()}
        return [made[name] for name in outputs]

    def vector(self, number: int) -> dict[str, Array]:
        """The inputs of a test vector, the same bits as the native program's."""
        seed, ranges = self.facts["vectors"]["seed"], self.facts["vectors"]["ranges"]
        spans = [tuple(ranges[i]) if i < len(ranges) else (-1.0, 1.0) for i in range(len(self.facts["inputs"]))]
        tensors = enumerate(self.facts["inputs"])
        return {t["name"]: vector(seed, number, i, tuple(t["shape"]), t["dtype"], (spans[i][0], spans[i][1])) for i, t in tensors}


def asked(outputs: Sequence[str], states: Sequence[str]) -> list[str]:
    """What an engine is asked for: the model's outputs, and what becomes state."""
    return list(dict.fromkeys([*outputs, *states]))


def states_of(facts: Mapping[str, Any]) -> dict[str, tuple[str, Array]]:
    """Of each input that is kept from call to call its output, and zeros."""
    plan = facts.get("plan") or {}
    found = {}
    for state in plan.get("states", ()):
        buffer = plan["buffers"][state["input"]]
        found[state["input"]] = (state["output"], np.zeros(buffer["shape"], buffer["dtype"]))
    return found


class Words(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Wrong(f"{message} (--help lists the options)")


def parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = Words(usage=HELP, add_help=True, allow_abbrev=False)
    parser.add_argument("--payload", default="onnx")
    for flag in ("--info", "--verify", "--bench", "--json"):
        parser.add_argument(flag, action="store_true")
    for name, kind, usual in (("runs", int, 100), ("warmup", int, 10), ("threads", int, 1), ("min-secs", float, 3.0), ("idle-secs", float, 0.0)):
        parser.add_argument(f"--{name}", type=kind, default=usual)
    parser.add_argument("--vector", type=int)
    parser.add_argument("--input", action="append", default=[])
    parser.add_argument("--output", action="append", default=[])
    options = parser.parse_args(list(words))
    if not (options.info or options.verify or options.bench or options.input or options.vector is not None):
        raise Wrong("nothing to do (--help lists the options)")
    return options


def main(path: str, words: Sequence[str]) -> int:
    """Does what the words ask; one line on stderr and the runner's exit codes where it cannot."""
    try:
        options = parsed(words)
        session = opened(path, options.payload, options.threads)
        return act(session, options)
    except (Wrong, EdgeError) as error:
        complain(str(error))
        return USAGE
    except Refused as error:
        complain(str(error))
        return DEVICE
    except ImportError as error:
        complain(f"{sys.executable} has no {error.name}, which this payload needs (install it there: pip install {error.name})")
        return DEVICE


def complain(line: str) -> None:
    print(f"edge: {one_line(line)}", file=sys.stderr)


def opened(path: str, payload: str, threads: int) -> Session:
    begun = time.monotonic_ns()
    archive = zipfile.ZipFile(path)
    facts = json.loads(archive.read("manifest.json"))
    engine = importlib.import_module(f"edge.backends.python.engine_{payload}")
    count = threads or len(os.sched_getaffinity(0))
    states = states_of(facts)
    names = asked([t["name"] for t in facts["outputs"]], [output for output, _ in states.values()])
    made = engine.open_engine(archive, names, count)
    return Session(archive, facts, made, count, time.monotonic_ns() - begun, states)


def act(session: Session, options: argparse.Namespace) -> int:
    if options.info:
        keys = ("name", "target", "precision", "inputs", "outputs")
        print(json.dumps({key: session.facts[key] for key in keys} | {"level": session.engine.name}, indent=None if options.json else 1))
        return GOOD
    if options.verify:
        return verify(session, options)
    if options.bench:
        from edge.backends.python.bench import bench

        return bench(session, options)
    return run_files(session, options)


def run_files(session: Session, options: argparse.Namespace) -> int:
    """Inputs from files or a test vector, outputs to files."""
    calls = session.facts["vectors"].get("calls", 1) if options.vector is not None else 1
    inputs = session.vector(options.vector) if options.vector is not None else {}
    for tensor, file in named(options.input, session.facts["inputs"], "input"):
        data = np.load(file, allow_pickle=False) if file.endswith(".npy") else np.fromfile(file, tensor["dtype"])
        if data.dtype != tensor["dtype"] or data.size != math.prod(tensor["shape"]):
            raise Wrong(f"{file}: {data.size} values of {data.dtype}, input '{tensor['name']}' takes {tensor['dtype']}{tensor['shape']}")
        inputs[tensor["name"]] = data.reshape(tensor["shape"])
    if missing := [t["name"] for t in session.facts["inputs"] if t["name"] not in inputs]:
        raise Wrong(f"no value for input '{missing[0]}' (--input {missing[0]}=FILE)")
    outputs = dict(zip([t["name"] for t in session.facts["outputs"]], session.run(inputs, calls), strict=True))
    for tensor, file in named(options.output, session.facts["outputs"], "output"):
        array = np.ascontiguousarray(outputs[tensor["name"]])
        with Path(file).open("wb") as out:
            np.save(out, array) if file.endswith(".npy") else out.write(array.tobytes())
    return GOOD


def named(words: Sequence[str], tensors: Sequence[Mapping[str, Any]], what: str) -> list[tuple[Mapping[str, Any], str]]:
    """Each [NAME=]FILE with its tensor.  A name may hold '=', so the longest one that the model has wins."""
    found = []
    for word in words:
        fits = [t for t in tensors if word.startswith(t["name"] + "=")]
        if fits:
            tensor = max(fits, key=lambda t: len(t["name"]))
            found.append((tensor, word[len(tensor["name"]) + 1 :]))
        elif len(tensors) == 1:
            found.append((tensors[0], word))
        else:
            raise Wrong(f"{word}: which {what} is it for? (--{what} NAME=FILE; --info lists the names)")
    return found


def verify(session: Session, options: argparse.Namespace) -> int:
    """Runs the test vectors and compares with expected.bin, as runner_verify.c does."""
    vectors, outputs = session.facts["vectors"], session.facts["outputs"]
    expected, limits = session.archive.read("expected.bin"), vectors["limits"]
    chosen = range(vectors["count"]) if options.vector is None else [options.vector]
    if not vectors["count"] or chosen[-1] >= vectors["count"]:
        raise Wrong(f"--vector {options.vector}: the file has {vectors['count']} test vectors, from 0 on")
    sizes = [math.prod(t["shape"]) * np.dtype(t["dtype"]).itemsize for t in outputs]
    rows = []
    for number in chosen:
        at = number * sum(sizes)
        results = session.run(session.vector(number), vectors.get("calls", 1))
        for index, (tensor, got, size) in enumerate(zip(outputs, results, sizes, strict=True)):
            wanted = np.frombuffer(expected, tensor["dtype"], math.prod(tensor["shape"]), at)
            row = number * len(outputs) + index
            limit = limits[row] if row < len(limits) else vectors["rtol"]
            rows.append({"vector": number, "output": tensor["name"], **compared(got, wanted, limit)})
            at += size
    good = all(row["good"] for row in rows)
    if options.json:
        print(json.dumps({"level": session.engine.name, "rtol": vectors["rtol"], "vectors": rows, "good": good}))
    else:
        for row in rows:
            print(f"vector {row['vector']}  {one_line(row['output'])}  error {row['error']}  {'good' if row['good'] else 'WRONG'}")
    return GOOD if good else CHECK_FAILED


def compared(got: Array, wanted: Array, limit: float) -> dict[str, Any]:
    """max|d| and max|d| / max|wanted|.  Two NaN are equal, one is infinitely far off."""
    if got.dtype != wanted.dtype or got.size != wanted.size:
        return {"error": None, "difference": None, "limit": limit, "good": False}
    a, b = got.reshape(-1).astype(np.float64), wanted.astype(np.float64)
    with np.errstate(invalid="ignore"):
        d = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    difference = float(np.where(np.isnan(d), np.inf, d).max(initial=0.0))
    largest = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
    error = difference / largest if largest else difference
    known = math.isfinite(error)
    return {
        "error": error if known else None,
        "difference": difference if known else None,
        "limit": limit,
        "good": difference <= limit * largest,
    }
