"""Damaged and hostile `.edge` files: one line, nothing run, nothing unpacked."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import subprocess
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny
from edge import artifact
from edge.artifact import archive, writer
from edge.artifact.manifest import manifest_bytes
from edge.errors import EdgeError

DAMAGED = "(copy it again or build it again)"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small artifact without a program."""
    path = tiny.write(tmp_path_factory.mktemp("hostile") / "good.edge", executable=b"\x7fELF not really", files={"labels.txt": b"a\nb\n"})
    return path.read_bytes()


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(EdgeError) as caught:
        artifact.open(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    assert caught.value.exit_code == 2
    return text.removeprefix(f"{path}: ")


def directory_at(data: bytes) -> int:
    return int(struct.unpack("<I", data[-6:-2])[0])


def central(data: bytes, name: bytes) -> int:
    """Where the central record of an entry begins."""
    return data.index(name, directory_at(data)) - archive.CENTRAL.size


def local(data: bytes, name: bytes) -> int:
    return data.index(name) - archive.LOCAL.size


def put(data: bytes, at: int, form: str, value: int) -> bytes:
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def counted(data: bytes, entries: int) -> bytes:
    return put(put(data, len(data) - 14, "<H", entries), len(data) - 12, "<H", entries)


def rezipped(entries: list[tuple[str, bytes]]) -> bytes:
    """A zip by zipfile, as somebody else might make one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in entries:
            zipped.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def hand_made(entries: list[tuple[str, bytes, int]]) -> bytes:
    """Our form with any names: (name, content, size that is claimed)."""
    made, body = [], b""
    for name, content, claimed in entries:
        packed = writer.deflate(content)
        entry = archive.Entry(name, archive.DEFLATED, zlib.crc32(content), len(packed), claimed, len(body))
        made.append(entry)
        body += entry.local() + packed
    directory = b"".join(e.central() for e in made)
    return body + directory + archive.end_record(len(made), len(directory), len(body))


def test_the_good_one_is_good(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "good.edge").write_bytes(good)
    assert artifact.open(tmp_path / "good.edge").manifest.name == "tiny"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\\b", "..", "a/../b", "C:x", "a\x1b[31m", "", "x" * 65, ".ssh/config", "a/", "con\nfig"]
)
def test_a_name_that_could_escape_is_refused(tmp_path: Path, name: str) -> None:
    text = refusal(tmp_path / "m.edge", hand_made([(name, b"x", 1)]))
    assert text.endswith("is not a name for a file in an artifact (do not unpack it; copy it again or build it again)")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = hand_made([("graph.onnx", bytes(10_000_000), 10_000_000)])
    packed = len(writer.deflate(bytes(10_000_000)))
    want = f"'graph.onnx' would unpack from {packed} to 10000000 bytes (do not unpack it; copy it again or build it again)"
    assert refusal(tmp_path / "m.edge", bomb) == want


def test_an_entry_that_unpacks_to_more_than_it_claims_is_refused(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.edge"
    path.write_bytes(good)
    manifest = manifest_bytes(artifact.open(path).manifest)
    names = [("weights.bin", b""), ("expected.bin", b""), ("graph.onnx", b"")]
    data = hand_made([*((n, c, len(c)) for n, c in names), ("manifest.json", manifest + bytes(1 << 20), len(manifest))])
    assert refusal(path, data) == f"'manifest.json' is damaged {DAMAGED}"


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    data = hand_made([("manifest.json", b"{}", 2), ("manifest.json", b"[]", 2)])
    assert refusal(tmp_path / "m.edge", data) == f"'manifest.json' is in its zip twice {DAMAGED}"


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    data = hand_made([(f"f{i}", b"", 0) for i in range(65)])
    assert refusal(tmp_path / "m.edge", data) == f"its zip has 65 entries, not between 1 and 64 {DAMAGED}"


def test_another_zip_is_not_an_artifact(tmp_path: Path) -> None:
    text = refusal(tmp_path / "m.edge", rezipped([("x.txt", b"x")]))
    assert text == "holds no 'weights.bin' (it is a zip, but not one that `edge build` made)"


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\5\6", b"\x7fELF" + bytes(5000)])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    text = refusal(tmp_path / "m.edge", data)
    empty = f"is 0 bytes long, no size for an .edge file {DAMAGED}"
    assert text == (f"is not an .edge file, or it is cut short: there is no zip at its end {DAMAGED}" if data else empty)


def changes() -> list[tuple[str, Callable[[bytes], bytes], str]]:
    """(what is done, the doing, the whole message)."""
    header = f"has a local header that contradicts the directory {DAMAGED}"
    way = f"is stored in a way that edge does not write {DAMAGED}"
    place = f"overlaps its neighbour or lies outside the zip {DAMAGED}"
    moved = f"its zip directory is not where it should be {DAMAGED}"
    return [
        ("program", lambda d: b"\x7fELG" + d[4:], f"wrong hash of the program {DAMAGED}"),
        ("weights", lambda d: put(d, 65536 + 9, "<B", 77), f"'weights.bin' is damaged {DAMAGED}"),
        ("end comment", lambda d: d[:-2] + b"\1\0c", f"is not an .edge file, or it is cut short: there is no zip at its end {DAMAGED}"),
        ("directory moved", lambda d: put(d, len(d) - 6, "<I", directory_at(d) + 1), moved),
        ("two disks", lambda d: put(d, len(d) - 18, "<H", 1), moved),
        ("one entry less", lambda d: counted(d, 4), f"its zip directory holds more than its entries {DAMAGED}"),
        ("one entry more", lambda d: counted(d, 6), f"its zip directory is cut short {DAMAGED}"),
        ("signature", lambda d: put(d, directory_at(d), "<B", 0), f"its zip directory is damaged {DAMAGED}"),
        ("method", lambda d: put(d, central(d, b"graph.onnx") + 10, "<H", 12), f"'graph.onnx' {way}"),
        ("encrypted", lambda d: put(d, central(d, b"graph.onnx") + 8, "<H", 1), f"'graph.onnx' {way}"),
        ("two sizes", lambda d: put(d, central(d, b"weights.bin") + 24, "<I", 5), f"'weights.bin' has two sizes {DAMAGED}"),
        ("offset", lambda d: put(d, central(d, b"expected.bin") + 42, "<I", 9), f"'weights.bin' {place}"),
        ("far offset", lambda d: put(d, central(d, b"weights.bin") + 42, "<I", 2**32 - 1), f"'weights.bin' {place}"),
        ("local crc", lambda d: put(d, local(d, b"graph.onnx") + 14, "<I", 1), f"'graph.onnx' {header}"),
        ("local name", lambda d: put(d, local(d, b"graph.onnx") + 30, "<B", 65), f"'graph.onnx' {header}"),
        ("name length", lambda d: put(d, central(d, b"labels.txt") + 28, "<H", 65535), f"its zip directory is damaged {DAMAGED}"),
    ]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in changes()], ids=[c[0] for c in changes()])
def test_a_changed_file_is_refused(good: bytes, tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    assert refusal(tmp_path / "m.edge", change(good)) == message


def with_manifest(good: bytes, tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The good artifact with another manifest, its zip made anew and in order."""
    path = tmp_path / "good.edge"
    path.write_bytes(good)
    opened = artifact.open(path)
    value = json.loads(opened.read("manifest.json"))
    text = change(value)
    parts = {name: opened.read(name) for name in opened.entries}
    parts["manifest.json"] = text if isinstance(text, bytes) else json.dumps(value).encode()
    head = good[: opened.manifest.program.bytes]
    return head + b"".join(writer.zip_parts(len(head), parts, "m"))


def manifest_changes() -> list[tuple[Callable[[dict[str, Any]], object], str | None]]:
    foreign = "(the file is damaged or not made by edge: copy or build it again)"
    other = hashlib.sha256(b"other").hexdigest()
    return [
        (lambda m: b"{", f"manifest.json is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) {foreign}"),
        (lambda m: b"".join(b"[%d," % (i * i) for i in range(50_000)), None),  # too deep; the numbers keep it from looking like a bomb
        (lambda m: b'{"macs": NaN}', f"manifest.json is not JSON: NaN is not JSON {foreign}"),
        (lambda m: b"\xff\xfe", None),
        (lambda m: b"3", f"manifest.json: int instead of an object {foreign}"),
        (lambda m: m.update(schema=99), "manifest schema 99, this edge reads 2 (use the edge that built it, or build it again)"),
        (lambda m: m["payloads"][0].update(program={"bytes": 5, "sha256": other}), f"its program is not as long as its manifest says {DAMAGED}"),
        (lambda m: m["files"].update({"graph.onnx": other}), f"wrong hash of 'graph.onnx' {DAMAGED}"),
        (lambda m: m["files"].update({"x": other}), f"'x' is in its manifest but not in the file {DAMAGED}"),
        (lambda m: m["files"].pop("labels.txt"), f"'labels.txt' is in the file but not in its manifest {DAMAGED}"),
        (lambda m: m["payloads"][0].update(entries=["graph"]), f"holds no 'graph' {DAMAGED}"),
        (lambda m: m.update(labels="lab"), f"holds no 'lab' {DAMAGED}"),
        (lambda m: m.update(weights_bytes=1), f"weights.bin is not as its manifest says {DAMAGED}"),
        (lambda m: m["vectors"].update(rtol=10**400), f"manifest.json is not JSON: a number of 401 digits {foreign}"),
        (lambda m: m.update(macs=10**4000), f"manifest.json is not JSON: a number of 4001 digits {foreign}"),
        (lambda m: m["vectors"].update(rtol=-1), f"vectors.rtol: -1.0 {foreign}"),
        (lambda m: m["vectors"].update(rtol={"float": "inf"}), f"vectors.rtol: inf {foreign}"),
        (lambda m: m.update(name="\ud800"), f"manifest.json.name: a text with half a character in it {foreign}"),
        (lambda m: m.update(files={"\ud800": other}), f"manifest.json.files. : a text with half a character in it {foreign}"),
        (lambda m: m["inputs"][0].update(shape=[1] * 100), f"tensor x: shape of 100 dimensions {foreign}"),
        (lambda m: m["inputs"][0].update(shape=[10**18] * 8), f"tensor x: shape {(10**18,) * 8} {foreign}"),
        (lambda m: m["inputs"][0].update(name="a\0b"), f"tensor 'a b': a name with a NUL in it, or none {foreign}"),
        (lambda m: m["inputs"][0].update(dtype="V0"), f"tensor x: dtype V0 {foreign}"),
    ]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), manifest_changes())
def test_a_changed_manifest_is_refused(good: bytes, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str | None) -> None:
    text = refusal(tmp_path / "m.edge", with_manifest(good, tmp_path, change))
    assert text.startswith("manifest.json is not JSON: ") if message is None else text == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.update(dtype="V0"), "constant 'w' has dtype 'V0'"),
        (lambda w: w.update(dtype="O"), "constant 'w' has dtype 'O'"),
        (lambda w: w.update(packed=[1] * 100), "constant 'w' has shape of 100 dimensions at 0"),
        (lambda w: w.update(packed=[2**62, 2**62, 0]), f"constant 'w' has shape {(2**62, 2**62, 0)} at 0"),
        (lambda w: w.update(offset=-4), "constant 'w' has shape (4, 256) at -4"),
        (lambda w: w.update(offset=4), "constant 'w' lies past the end of weights.bin"),
    ],
)
def test_constants_that_cannot_be(good: bytes, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    data = with_manifest(good, tmp_path, lambda m: change(m["plan"]["constants"]["w"]))
    (tmp_path / "m.edge").write_bytes(data)
    with pytest.raises(EdgeError) as error:
        artifact.open(tmp_path / "m.edge").plan  # noqa: B018  it is made here
    assert str(error.value) == f"{tmp_path}/m.edge: {message} (build it again with this edge)"


def test_what_is_long_is_refused_before_it_is_worked_on(good: bytes, tmp_path: Path) -> None:
    """A shape of long numbers, a hundred thousand keys, a million mistakes: none may take seconds."""

    def much(m: dict[str, Any]) -> None:
        m["inputs"][0]["shape"] = [10**18] * 20_000
        m.update({f"key{i}": i for i in range(20_000)})
        m["levels"] = [0] * 200_000

    data = with_manifest(good, tmp_path, much)
    began = time.process_time()
    text = refusal(tmp_path / "m.edge", data)
    assert time.process_time() - began < 10  # minutes, where it is worked on: no measurement of ours
    assert len(text) < 1000


def test_without_the_hashes_a_start_is_quick_but_the_form_is_checked(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.edge"
    path.write_bytes(b"\x7fELG" + good[4:])
    assert artifact.open(path, check=False).manifest.name == "tiny"
    with pytest.raises(EdgeError, match="there is no zip at its end"):
        path.write_bytes(good[:-1])
        artifact.open(path, check=False)


FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(st.floats(0, 1, exclude_max=True))
def test_cut_anywhere_it_is_refused(good: bytes, tmp_path: Path, share: float) -> None:
    refusal(tmp_path / "m.edge", good[: int(len(good) * share)])


@FEW
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_changed_anywhere_in_the_zip_it_is_refused_or_the_same(good: bytes, tmp_path: Path, share: float, flip: int) -> None:
    """Bytes that mean nothing (versions, times, modes) may differ; whatever opens has the content that was written."""
    start = 65536 - 41
    at = start + int((len(good) - start) * share)
    path = tmp_path / "m.edge"
    path.write_bytes(good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :])
    try:
        opened = artifact.open(path)
    except EdgeError as error:
        assert "\n" not in str(error)
    else:
        assert opened.read("weights.bin") == tiny.weights().tobytes()
        assert opened.read("expected.bin") == tiny.expected()


@pytest.fixture(scope="module")
def c_side() -> Path:
    """container.c under the sanitizers, behind a small program."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed (apt-get install gcc)")
    sources = (tiny.RUNTIME / "container.c", tiny.PROGRAM.parent / "container_hostile.c")
    return tiny.compiled("container_hostile", sources, *tiny.SANITIZE, cc=("gcc",))


def test_the_c_side_reads_nothing_outside_a_hostile_file(good: bytes, tmp_path: Path, c_side: Path) -> None:
    (tmp_path / "m.edge").write_bytes(good)
    done = subprocess.run([c_side, tmp_path / "m.edge"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found, refused = (int(word.strip(",")) for word in done.stdout.split()[1::2])
    assert found > 1000
    assert refused > 1000


def both(data: bytes, name: bytes, in_central: int, in_local: int, form: str, value: int) -> bytes:
    """The same field in the central record and in the local header, so that they do not contradict each other."""
    return put(put(data, central(data, name) + in_central, form, value), local(data, name) + in_local, form, value)


def huge(data: bytes, size: int) -> bytes:
    return both(both(data, b"weights.bin", 20, 18, "<I", size), b"weights.bin", 24, 22, "<I", size)


def c_changes() -> list[tuple[str, Callable[[bytes], bytes], str]]:
    twice = hand_made([("weights.bin", b"1", 1), ("weights.bin", b"2", 1)])
    return [
        ("good", lambda d: d, "found"),
        ("absent", lambda d: hand_made([("x", b"", 0)]), "is not in the file"),
        ("twice", lambda d: twice, "is there twice"),
        ("deflated", lambda d: hand_made([("weights.bin", b"1", 1)]), "is compressed and cannot be mapped"),
        ("past the directory", lambda d: huge(d, directory_at(d) - 65536 + 1), "lies outside the file"),
        ("as long as can be", lambda d: huge(d, 2**32 - 1), "lies outside the file"),
        ("up to the directory", lambda d: huge(d, directory_at(d) - 65536), "found"),
        ("offset", lambda d: put(d, central(d, b"weights.bin") + 42, "<I", directory_at(d) - 29), "lies outside the file"),
        ("encrypted", lambda d: both(d, b"weights.bin", 8, 6, "<H", 1), "is encrypted or streamed"),
        ("name", lambda d: put(d, local(d, b"weights.bin") + 30, "<B", 65), "has two names"),
        ("extra", lambda d: put(d, local(d, b"weights.bin") + 28, "<H", 16), "is not aligned"),
        ("long extra", lambda d: put(d, local(d, b"weights.bin") + 28, "<H", 65535), "lies outside the file"),
        ("no end", lambda d: d[:-1], "has no zip at its end"),
        ("short", lambda d: d[-21:], "is too short for a zip"),
        ("disks", lambda d: put(d, len(d) - 18, "<H", 1), "is a zip on several disks"),
        ("directory", lambda d: put(d, len(d) - 6, "<I", 0), "has a zip directory in the wrong place"),
        ("one more", lambda d: counted(d, 6), "has a damaged zip directory"),
    ]


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in c_changes()], ids=[c[0] for c in c_changes()])
def test_the_c_side_says_what_is_wrong(good: bytes, tmp_path: Path, c_side: Path, change: Callable[[bytes], bytes], message: str) -> None:
    (tmp_path / "m.edge").write_bytes(change(good))
    done = subprocess.run([c_side, tmp_path / "m.edge", "weights.bin"], capture_output=True, text=True, check=False)
    cure = "the file is damaged or not an .edge file: copy or build it again"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("found\n" if message == "found" else f"weights.bin: {message} ({cure})\n")
