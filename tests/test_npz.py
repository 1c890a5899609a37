"""Arrays by the names that models give their tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.artifact.npz import from_npz, to_npz
from edge.errors import EdgeError

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


def test_objects_and_damage_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], object))
    with pytest.raises(EdgeError) as error:
        from_npz(tmp_path / "a.npz")
    assert str(error.value) == (
        f"{tmp_path}/a.npz: cannot be read: Object arrays cannot be loaded when allow_pickle=False "
        "(numpy.savez(path, **{'input': array}) makes one)"
    )
    (tmp_path / "b.npz").write_bytes(b"PK\3\4")
    with pytest.raises(EdgeError) as error:
        from_npz(tmp_path / "b.npz")
    assert str(error.value) == f"{tmp_path}/b.npz: cannot be read: File is not a zip file (numpy.savez(path, **{{'input': array}}) makes one)"
