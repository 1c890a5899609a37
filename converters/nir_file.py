"""A .nir file -> its nodes and edges, nested graphs taken apart.  The file may be hostile: see nir_child.py, which alone opens it."""

from __future__ import annotations

import importlib.util
import json
import math
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, listed, unreadable

Array = NDArray[np.generic]
PATIENCE = 90  #: seconds for the process that reads
GRAPH, MOST_NODES = "NIRGraph", 10_000


@dataclass(frozen=True)
class Node:
    """One primitive.  kind: its name in NIR.  values: its parameters, arrays and text."""

    kind: str
    values: Mapping[str, Array | str] = field(repr=False)


@dataclass
class Net:
    """nodes by their path, "block/lif" in a nested graph; edges (from, to)."""

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]
    version: str = ""


def read(path: Path) -> Net:
    """The network in a .nir file of any version."""
    if importlib.util.find_spec("h5py") is None:
        raise EdgeError(str(path), "reading it needs h5py", "pip install -e '.[nir]'")
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe waits for its other end
            raise EdgeError(str(path), "is no file")
        path.open("rb").close()
    except OSError as error:
        raise unreadable(path, error, "name a .nir file") from None
    tree = _tree(path)
    net = Net({}, [])
    _flatten(tree, "", net, path.name)
    _checked(net, path.name)
    return net


def _tree(path: Path) -> dict[str, object]:
    argv = [sys.executable, "-m", "edge.converters.nir_child", str(path)]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise EdgeError(path.name, f"is not read after {PATIENCE} s", "the file is damaged: export it again") from None
    if done.returncode:
        try:
            wrong = json.loads(done.stderr.splitlines()[-1])
        except (ValueError, IndexError):
            wrong = f"is damaged: reading it ended with code {done.returncode}"
        raise EdgeError(path.name, str(wrong), "export it again with nir.write")
    head, _, data = done.stdout.partition(b"\n")
    found = _filled(json.loads(head), _Bytes(data))
    assert isinstance(found, dict)
    return found


class _Bytes:
    """What follows the line of JSON, taken piece by piece."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:
        """The next array, as numbers of this machine that can be written to."""
        count = math.prod(shape)
        found = np.frombuffer(self.data, dtype, count, self.place).reshape(shape)
        self.place += count * dtype.itemsize
        return found.astype(dtype.newbyteorder("="))


def _filled(value: object, data: _Bytes) -> object:
    """The tree with its arrays; they come in the order in which the tree names them."""
    if isinstance(value, list) and value and value[0] is None:
        _, dtype, shape = value
        return data.take(np.dtype(dtype), tuple(shape))
    if isinstance(value, dict):
        return {key: _filled(each, data) for key, each in value.items()}
    return value


def _flatten(tree: object, path: str, net: Net, where: str) -> None:
    """Add the nodes and edges of a graph; a nested one by its own Input and Output, which become plain passages."""
    at = path.rstrip("/") or "node"
    if not isinstance(tree, dict) or not isinstance(tree.get("type"), str) or tree["type"] != GRAPH:
        raise EdgeError(where, f"'{at}' is no {GRAPH}", "export it again with nir.write")
    nodes, edges = tree.get("nodes"), tree.get("edges", [])
    if not isinstance(nodes, dict) or not isinstance(edges, list):
        raise EdgeError(where, f"'{at}' has no nodes or no edges", "export it again with nir.write")
    ends: dict[str, tuple[list[str], list[str]]] = {}
    for name, node in nodes.items():
        kind = node.get("type") if isinstance(node, dict) else None
        if not isinstance(kind, str):
            raise EdgeError(where, f"node '{path}{name}' has no type", "export it again with nir.write")
        if kind == GRAPH:
            _flatten(node, f"{path}{name}/", net, where)
            inner = {n: v["type"] for n, v in node["nodes"].items()}
            ends[name] = (
                [f"{path}{name}/{n}" for n, k in inner.items() if k == "Input"],
                [f"{path}{name}/{n}" for n, k in inner.items() if k == "Output"],
            )
            continue
        values = {key: value for key, value in node.items() if key not in ("type", "metadata") and isinstance(value, (np.ndarray, str))}
        net.nodes[f"{path}{name}"] = Node(kind, values)
        if len(net.nodes) > MOST_NODES:
            raise EdgeError(where, f"has more than {MOST_NODES} nodes", "export it again with nir.write")
    for edge in edges:
        if not (isinstance(edge, list) and len(edge) == 2 and all(isinstance(end, str) for end in edge)):
            raise EdgeError(where, f"an edge of '{at}' is no pair of names", "export it again with nir.write")
        net.edges.append((_end(edge[0], 1, ends, path, where), _end(edge[1], 0, ends, path, where)))


def _end(name: str, side: int, ends: Mapping[str, tuple[list[str], list[str]]], path: str, where: str) -> str:
    """The node that an edge means; of a nested graph its only Input or Output, or the one that is named, "block.input"."""
    if name in ends:
        inner = ends[name][side]
        if len(inner) != 1:
            raise EdgeError(where, f"an edge at '{path}{name}' does not say which of its {len(inner)} {'outputs' if side else 'inputs'}", "name it")
        return inner[0]
    graph, dot, port = name.rpartition(".")
    if dot and graph in ends:
        return f"{path}{graph}/{port}"
    return f"{path}{name}"


def _checked(net: Net, where: str) -> None:
    missing = sorted({end for edge in net.edges for end in edge if end not in net.nodes})
    if missing:
        raise EdgeError(where, f"edges name nodes that are not there: {listed(missing)}", "export it again with nir.write")
    net.edges = list(dict.fromkeys(net.edges))
