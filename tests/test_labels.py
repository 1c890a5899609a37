"""`--labels`: one name a class, compared with the outputs at build."""

from __future__ import annotations

from pathlib import Path

import pytest

import edge
from edge.artifact.description import labels_bytes, labels_file, require_labels
from edge.artifact.manifest import Tensor
from edge.errors import EdgeError

MAKE = "(give one name a class, in the order of the output)"


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"cat\ndog\n", ("cat", "dog")),
        (b"cat\r\ndog", ("cat", "dog")),
        (b"\xef\xbb\xbfcat\n dog \n\n \n\n", ("cat", "dog")),
        ("Käse\n".encode(), ("Käse",)),
    ],
)
def test_blank_lines_at_the_end_are_no_classes(data: bytes, names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes(data)
    assert labels_file(tmp_path / "l.txt") == names
    assert labels_bytes(names).decode().splitlines() == list(names)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "is empty or larger than 1 MiB (one class name a line)"),
        (b"\n \n", "is empty or larger than 1 MiB (one class name a line)"),
        (b"x" * (2 << 20), "is empty or larger than 1 MiB (one class name a line)"),
        (b"\xff\xfe", "is not a text file that can be read (one class name a line, UTF-8)"),
        (b"\ncat\n", "line 1 is empty (give every class a name, one a line)"),
        (b"a\n\n\n\nb\n" + b"\n" * 9 + b"c", "lines 2, 3, 4, 6, 7, 8, 9, 10, … are empty (give every class a name, one a line)"),
    ],
)
def test_a_file_of_names_that_is_refused(data: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes(data)
    with pytest.raises(EdgeError) as caught:
        labels_file(tmp_path / "l.txt")
    assert str(caught.value) == f"{tmp_path}/l.txt: {line}"


@pytest.mark.parametrize(
    ("count", "shapes", "line"),
    [
        (2, [(1, 4)], f"has 2 names, output 'y0' has 4 classes {MAKE}"),
        (1, [(1, 4)], f"has 1 names, output 'y0' has 4 classes {MAKE}"),
        (1000, [(1, 1001, 1, 1)], f"has 1000 names, output 'y0' has 1001 classes {MAKE}"),
        (3, [(1, 21, 64, 64), (5,)], f"has 3 names, output 'y0' has shape 1x21x64x64, 'y1' has 5 classes {MAKE}"),
        (4, [(1, 4)], ""),
        (10, [(10,)], ""),
        (1, [()], ""),
        (21, [(1, 21, 64, 64)], ""),
        (80, [(1, 4, 100), (1, 80, 100)], ""),
        (1024, [(4, 256)], ""),
    ],
)
def test_names_are_as_many_as_classes(count: int, shapes: list[tuple[int, ...]], line: str) -> None:
    outputs = tuple(Tensor(f"y{i}", shape, "float32") for i, shape in enumerate(shapes))
    names = tuple(f"class {i}" for i in range(count))
    if not line:
        require_labels(Path("l.txt"), names, outputs)
        return
    with pytest.raises(EdgeError) as caught:
        require_labels(Path("l.txt"), names, outputs)
    assert str(caught.value) == f"l.txt: {line}"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"preprocess": "imagenet"}, "--preprocess: makes 1x3x224x224, input 'x' takes 1x3x32x32 (resize=32,crop=32)"),
        ({"labels": "two.txt"}, f"two.txt: has 2 names, output 'y' has shape 1x3x32x32 {MAKE}"),
    ],
)
def test_a_build_refuses_before_it_compiles(options: dict[str, str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    Path("two.txt").write_text("cat\ndog\n")
    net = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 20]> n (float[1,3,32,32] x) => (float[1,3,32,32] y) { y = Relu (x) }')
    onnx.save(net, "net.onnx")
    with pytest.raises(EdgeError) as caught:
        edge.build("net.onnx", "x86-64", out="m.edge", **options)  # type: ignore[arg-type]
    assert str(caught.value) == line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx", "two.txt"]
