"""The example's three small networks: shipped weights give the recorded top-1, and the files that training reads are checked."""

from __future__ import annotations

import gzip
import importlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edge.errors import EdgeError

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "fashion"
NAMES = ("mobilenet", "pplcnet", "fasternet")
CURE = "(apt install dataset-fashion-mnist, or name the folder that holds the four .gz files)"
RESULTS = json.loads((FOLDER / "results.json").read_text())


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example's train.py, imported as its own command would."""
    import sys

    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module("train")
    for name in ("train", "networks", "idx"):
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_give_the_recorded_top1(example: ModuleType, name: str) -> None:
    module, (picture,) = getattr(example.networks, name)()
    assert module(picture).shape == (1, 10)
    with np.load(FOLDER / "pictures.npz") as shipped:
        pictures, labels = shipped["pictures"], shipped["labels"]
    assert (pictures.shape, pictures.dtype, labels.shape) == ((1000, 28, 28), np.uint8, (1000,))
    assert example.top1(module, pictures, labels) == pytest.approx(RESULTS[name]["top1_first_1000"], abs=0.0005)  # a tie may break the other way
    assert RESULTS[name]["top1_10000"] >= 0.91


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_costs_at_most_three_million_macs(example: ModuleType, name: str) -> None:
    from edge.models import cost

    parameters, macs = cost(example.networks.untrained(name), (1, 1, 28, 28))
    assert macs <= 3_000_000
    first, all_of_them = (f"{100 * RESULTS[name][key]:.{digits}f} %" for key, digits in (("top1_first_1000", 1), ("top1_10000", 2)))
    assert f"| {name} | {parameters:,} | {macs:,} | {first} | {all_of_them} |" in (FOLDER / "README.md").read_text()


def test_the_networks_hold_what_their_families_are_known_for(example: ModuleType) -> None:
    kinds = {name: {type(layer).__name__ for layer in example.networks.untrained(name).modules()} for name in NAMES}
    assert {"InvertedResidual", "ReLU6"} <= kinds["mobilenet"]
    assert {"SqueezeExcite", "Hardswish", "Hardsigmoid"} <= kinds["pplcnet"]
    assert {"PartialConv", "GELU"} <= kinds["fasternet"]


def test_all_that_ships_is_under_three_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 3_000_000


def test_the_png_files_show_the_first_pictures(example: ModuleType) -> None:
    image = pytest.importorskip("PIL.Image")
    names = (FOLDER / "labels.txt").read_text().splitlines()
    assert len(names) == 10
    with np.load(FOLDER / "pictures.npz") as shipped:
        for picture, label in zip(shipped["pictures"][:3], shipped["labels"][:3], strict=True):
            with image.open(FOLDER / f"{names[label].lower().replace(' ', '-')}.png") as png:
                assert np.array_equal(np.asarray(png), picture)


@pytest.mark.slow
def test_training_a_little_learns_and_writes_what_loads(example: ModuleType, tmp_path: Path) -> None:
    with np.load(FOLDER / "pictures.npz") as shipped:
        pictures, labels = shipped["pictures"], shipped["labels"]
    torch.manual_seed(0)
    module = example.networks.untrained("fasternet")
    example.train(module, pictures, labels, epochs=9, report="test")
    learned = example.top1(module, pictures, labels)
    assert learned > 0.5
    example.save(module, tmp_path / "w.npz")
    again = example.networks.untrained("fasternet")
    example.load_weights(again, tmp_path / "w.npz")
    assert example.top1(again, pictures, labels) == pytest.approx(learned, abs=0.01)  # float16


def test_augmented_pictures_are_mirrored_and_shifted_by_at_most_two_pixels(example: ModuleType) -> None:
    x = torch.zeros(64, 1, 28, 28)
    x[:, :, 10, 5] = 1
    y = example.augment(x, torch.Generator().manual_seed(0))
    rows, columns = y.nonzero()[:, 2], y.nonzero()[:, 3]
    assert y.shape == x.shape and len(rows) == 64
    assert len(set(rows.tolist())) == 1 and abs(int(rows[0]) - 10) <= 2
    assert len(set(columns.tolist())) == 2 and min(columns) in range(3, 8) and max(columns) in range(20, 25)


def idx(shape: tuple[int, ...], data: bytes, kind: int = 8) -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, kind, len(shape), *shape) + data


BAD = [
    (None, "no such file"),
    (b"plain", "not a whole gzip file: Not a gzipped file (b'pl')"),
    (gzip.compress(idx((9,), bytes(9)))[:-5], "not a whole gzip file: Compressed file ended before the end-of-stream marker was reached"),
    (gzip.compress(b"\0\0"), "not an idx file of bytes with 1 or 3 dimensions"),
    (gzip.compress(idx((2,), bytes(8), kind=13)), "not an idx file of bytes with 1 or 3 dimensions"),
    (gzip.compress(idx((2, 2), bytes(4))), "not an idx file of bytes with 1 or 3 dimensions"),
    (gzip.compress(b"\0\0\x08\x03\0\0\0"), "ends inside its header"),
    (gzip.compress(idx((2, 28, 28), bytes(100))), "its header says 1568 bytes of data, 100 are there"),
    (gzip.compress(idx((2**32 - 1,) * 3, b"")), "its header says 79228162458924105385300197375 bytes of data, 0 are there"),
    (gzip.compress(bytes(65 << 20)), "unpacks to more than 64 MiB"),
]


@pytest.mark.parametrize(("data", "message"), BAD, ids=range(len(BAD)))
def test_a_damaged_idx_file_is_refused(example: ModuleType, tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EdgeError) as caught:
        example.idx.read(path)
    assert str(caught.value) == f"{path}: {message} {CURE}"


@pytest.mark.parametrize(
    ("pictures", "labels", "message"),
    [
        (((2, 28, 28), bytes(1568)), ((2,), b"\1\2"), None),
        (((2, 14, 14), bytes(392)), ((2,), b"\1\2"), "train has pictures (2, 14, 14) and labels (2,), not (N, 28, 28) and (N,)"),
        (((2, 28, 28), bytes(1568)), ((3,), b"\1\2\3"), "train has pictures (2, 28, 28) and labels (3,), not (N, 28, 28) and (N,)"),
        (((2, 28, 28), bytes(1568)), ((2,), b"\1\x0a"), "train has a label 10, the classes are 0 to 9"),
    ],
)
def test_pictures_and_labels_must_belong_together(example: ModuleType, tmp_path: Path, pictures, labels, message: str | None) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(*pictures)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(*labels)))
    if message is None:
        assert [part.tolist() for part in example.idx.pictures(tmp_path, "train")] == [np.zeros((2, 28, 28)).tolist(), [1, 2]]
        return
    with pytest.raises(EdgeError) as caught:
        example.idx.pictures(tmp_path, "train")
    assert str(caught.value) == f"{tmp_path}: {message} {CURE}"


def test_without_the_data_set_training_ends_in_one_line(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py", "--data", str(tmp_path)])
    assert example.main() == 2
    assert capsys.readouterr().err == f"train: {tmp_path / 'train-images-idx3-ubyte.gz'}: no such file {CURE}\n"
