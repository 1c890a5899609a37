"""Arrays by the names that models give their tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.artifact.arrays import Array, read_arrays
from edge.artifact.npz import to_npz

NAMES = [
    "file",
    "allow_pickle",
    "self",
    "args",
    "kwds",
    "arr_0",
    "a/b",
    "/a",
    "../a",
    "x",
    "x.npy",
    "x.npy.npy",
    "",
    " ",
    "ä ö",
    "层/输出:0",
    "a=b",
    "a\\b",
    "a.b",
]


def from_npz(path: Path) -> dict[str, Array]:
    """What `edge run --input` reads of it."""
    return read_arrays(path, "", lambda headers: None)


def test_names_that_clash_with_python_come_back(tmp_path: Path) -> None:
    arrays = {name: np.full((2, 3), index, np.float32) for index, name in enumerate(NAMES)}
    (tmp_path / "a.npz").write_bytes(to_npz(arrays))
    found = from_npz(tmp_path / "a.npz")
    assert list(found) == NAMES
    assert all(np.array_equal(found[name], arrays[name]) for name in NAMES)


def test_numpy_reads_what_is_written_and_is_read(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "file": np.array(1.5)}
    (tmp_path / "a.npz").write_bytes(to_npz(arrays))
    with np.load(tmp_path / "a.npz") as loaded:
        assert {name: loaded[name].tolist() for name in loaded.files} == {"x": [[0, 1, 2], [3, 4, 5]], "file": 1.5}
    np.savez_compressed(tmp_path / "b.npz", x=arrays["x"])
    assert from_npz(tmp_path / "b.npz")["x"].tolist() == [[0, 1, 2], [3, 4, 5]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(names=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20), unique=True, max_size=4))
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    path.write_bytes(to_npz({name: np.array([index]) for index, name in enumerate(names)}))
    assert {name: array.tolist() for name, array in from_npz(path).items()} == {name: [index] for index, name in enumerate(names)}


CLASHES = ["file", "self", "a/b", "int", "x.npy", '层 1"\\n', "a=b", "a", "main", "arr_0", "*/ #error"]


@pytest.mark.slow
def test_a_model_of_such_names_is_built_run_and_verified(tmp_path: Path) -> None:
    """Each output adds the input `allow_pickle` to the one before."""
    import onnx
    from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

    from edge import artifact, cli
    from edge.artifact.program import here
    from edge.session import run_at

    before = ["allow_pickle", *CLASHES]
    nodes = [make_node("Add", ["allow_pickle", old], [new], name=new) for old, new in zip(before, CLASHES, strict=False)]
    infos = [make_tensor_value_info(name, 1, [1, 4]) for name in before]
    model = make_model(make_graph(nodes, "class", infos[:1], infos[1:]), opset_imports=[make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "for.onnx")
    x = np.array([[-1, 1, 2, 3]], np.float32)
    (tmp_path / "in.npz").write_bytes(to_npz({"allow_pickle": x}))
    file = tmp_path / "for.edge"
    assert cli.main(["build", str(tmp_path / "for.onnx"), "--target", "cpu", "-o", str(file)]) == 0
    assert cli.main(["run", str(file), "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]) == 0
    assert cli.main(["verify", str(file), "--per-layer"]) == 0
    for found in (from_npz(tmp_path / "out.npz"), run_at(artifact.open(file), here, {"allow_pickle": x})):
        assert {name: array.tolist() for name, array in found.items()} == {name: (x * (i + 2)).tolist() for i, name in enumerate(CLASHES)}
