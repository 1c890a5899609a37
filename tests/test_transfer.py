"""Files there and back: checked, atomic, going on where they broke off, with whatever tools a board has."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edge.devices import arrival, open_device, transfer
from edge.devices.arrival import pull_over
from edge.devices.checksum import sums_of
from edge.devices.device import MAX_OUTPUT_BYTES, Device, Ran
from edge.devices.scripts import script
from edge.devices.transfer import push_over
from edge.errors import DeviceFailed, EdgeError
from faults import Line

pytestmark = pytest.mark.slow


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return open_device("local")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1_000_000) + b"\0" * 1_000_000)
    return path


def test_push_and_pull(device: Device, file: Path, tmp_path: Path) -> None:
    there, said = tmp_path / "a" / "b c" / "it's", list[str]()
    assert device.push(file, str(there), said.append) == 2_000_000
    assert (there.read_bytes() == file.read_bytes(), there.stat().st_mode & 0o777) == (True, 0o755)
    assert said[-1].startswith("sending file: 100%, ")
    assert device.push(file, str(there), lambda text: pytest.fail("sent what is there")) == 0
    device.pull(str(there), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert [path.name for path in there.parent.iterdir()] == ["it's"]


@given(some.binary(max_size=3000))
def test_checksums_are_those_of_the_tools(data: bytes) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"edge-sums-{os.getpid()}"
    path.write_bytes(data)
    digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    crc, size, _ = subprocess.run(["cksum", path], capture_output=True, text=True, check=True).stdout.split()
    assert sums_of(path).lines == (f"sha256 {digest}", f"cksum {crc} {size}")
    path.unlink()


def only(folder: Path, *names: str) -> str:
    """A PATH with these tools and no other."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


BARE = ("sh", "mkdir", "rm", "mv", "cat", "chmod", "wc")


@pytest.mark.parametrize("tools", [("cksum",), ("cksum", "gzip"), ("sha256sum",), ("shasum",)], ids="-".join)
def test_a_device_with_few_tools(device: Device, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: tuple[str, ...]) -> None:
    if not shutil.which(tools[0]):
        pytest.skip(f"{tools[0]} is not installed (apt-get install perl)")
    more = ("perl",) if tools == ("shasum",) else ()
    monkeypatch.setenv("PATH", only(tmp_path / "bin", *BARE, *tools, *more))
    device.push(file, str(tmp_path / "there"))
    device.pull(str(tmp_path / "there"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_a_device_that_cannot_check(device: Device, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", only(tmp_path / "bin", *BARE))
    with pytest.raises(DeviceFailed) as error:
        device.push(file, str(tmp_path / "there"))
    cure = "sudo apt-get install coreutils there"
    assert str(error.value) == f"local: has none of sha256sum, shasum and cksum: a file cannot be checked there ({cure})"
    assert not (tmp_path / "there").exists()
    with pytest.raises(DeviceFailed) as error:
        device.pull(str(file), tmp_path / "back")
    assert str(error.value).startswith("local: has none of sha256sum, ")


def test_a_byte_that_arrives_wrong(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "WORTH", 0)  # not packed: gzip would notice by itself
    with pytest.raises(DeviceFailed) as error:
        push_over(Line(flip=700_000), "ssh://b", file, str(tmp_path / "there"), print)
    assert str(error.value) == f"ssh://b: {tmp_path}/there did not arrive as it was sent (the line or the disk damages data; send it again)"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_transfer_goes_on_where_it_broke_off(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "WORTH", 0)
    part = tmp_path / f".there.{sums_of(file).sha256[:12]}.part"
    part.write_bytes(file.read_bytes()[:1_500_000])
    line = Line()
    assert push_over(line, "ssh://b", file, str(tmp_path / "there"), print) == 500_000
    assert ((tmp_path / "there").read_bytes() == file.read_bytes(), line.sent, part.exists()) == (True, 500_000, False)


@pytest.mark.parametrize("part", [b"wrong", b"x" * 3_000_000], ids=["wrong", "too long"])
def test_a_part_that_does_not_belong_is_sent_anew(file: Path, tmp_path: Path, part: bytes) -> None:
    (tmp_path / f".there.{sums_of(file).sha256[:12]}.part").write_bytes(part)
    assert push_over(Line(), "ssh://b", file, str(tmp_path / "there"), print) == 2_000_000
    assert (tmp_path / "there").read_bytes() == file.read_bytes()


def test_a_line_that_ends_early_keeps_what_came(file: Path, tmp_path: Path) -> None:
    """A server that loses its client closes the receiver's stdin, as if the file ended there."""
    data, sums = file.read_bytes(), sums_of(file)
    part = tmp_path / f".there.{sums.sha256[:12]}.part"
    ran = Line()(script(transfer.RECEIVE, str(tmp_path / "there"), str(part), *sums.lines, str(sums.size), ""), feed=[data[:700_000]])
    with pytest.raises(DeviceFailed) as error:
        transfer.arrived(ran, "ssh://b", file, "/there")
    assert str(error.value) == "ssh://b: /there broke off (send it again: it goes on from there)"
    line = Line()
    push_over(line, "ssh://b", file, str(tmp_path / "there"), print)
    assert ((tmp_path / "there").read_bytes() == data, line.sent < 1_310_000) == (True, True)


def test_a_file_that_comes_back_damaged(file: Path, tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("as it was")
    with pytest.raises(DeviceFailed) as error:
        pull_over(Line(flip=200, backwards=True), "ssh://b", str(file), tmp_path / "keep", print)
    assert str(error.value) == f"ssh://b: {file} did not arrive as it was sent (the line damages data; fetch it again)"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "keep"]
    assert (tmp_path / "keep").read_text() == "as it was"


def test_a_file_that_never_ends(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "MAX_PULL_BYTES", 1 << 20)
    with pytest.raises(DeviceFailed) as error:
        pull_over(Line(), "ssh://b", str(file), tmp_path / "back", print)
    assert str(error.value) == f"ssh://b: {file} is larger than 0 GiB (fetch it by other means)"


def test_a_file_larger_than_what_a_program_may_print(device: Device, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as large:
        large.truncate(MAX_OUTPUT_BYTES + 1)
    device.pull(str(tmp_path / "large"), tmp_path / "back")
    assert (tmp_path / "back").stat().st_size == MAX_OUTPUT_BYTES + 1


def test_a_disk_that_is_full_here(device: Device, file: Path, tmp_path: Path) -> None:
    """The size that a file may have here stands for the room that is left."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))  # Python ignores the signal, so that a write fails
    try:
        with pytest.raises(EdgeError) as error:
            device.pull(str(file), tmp_path / "back")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(error.value) == f"{tmp_path}/back: cannot be written: File too large (choose another place)"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_way_here(device: Device, file: Path, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    with pytest.raises(EdgeError) as error:
        device.pull(str(file), tmp_path / "back")
    assert str(error.value) == f"{tmp_path}/back: cannot be written: Is a directory (choose another place)"


@pytest.mark.parametrize("have", ["9" * 30, "9" * 5000, "-1", "x"])
def test_a_device_that_says_it_has_more_than_there_is(file: Path, have: str) -> None:
    def stream(argv: Sequence[str], *, feed: Iterable[bytes] = (), **more: object) -> Ran:
        if argv[2] == transfer.LOOK:
            return Ran(0, f"have={have}\n".encode(), b"")
        return Ran(0, str(sum(map(len, feed))).encode(), b"")

    push_over(stream, "ssh://b", file, "/x", print)


def test_a_file_that_is_not_there(device: Device, tmp_path: Path) -> None:
    with pytest.raises(DeviceFailed) as error:
        device.pull(str(tmp_path / "none"), tmp_path / "back")
    assert str(error.value) == f"local: fetching {tmp_path}/none failed: {tmp_path}/none: No such file (edge doctor DEVICE looks for the cause)"
    with pytest.raises(EdgeError) as unread:
        device.push(tmp_path / "none", str(tmp_path / "there"))
    assert str(unread.value) == f"{tmp_path}/none: cannot be read: No such file or directory"
    with pytest.raises(EdgeError) as unwritten:
        device.pull(str(tmp_path), tmp_path / "no" / "folder")
    assert str(unwritten.value) == f"{tmp_path}/no/folder: cannot be written: No such file or directory (choose another place)"


def test_a_folder_in_the_way(device: Device, file: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(DeviceFailed) as error:
        device.push(file, str(tmp_path / "there"))
    what = f"looking at {tmp_path}/there failed: {tmp_path}/there: Is a directory"
    assert str(error.value) == f"local: {what} (edge doctor DEVICE looks for the cause)"


def complaints() -> list[tuple[str, str]]:
    return [
        ("cat: write error: No space left on device", "is full (free some space there: df -h)"),
        (
            "mkdir: cannot create directory: Read-only file system",
            "is mounted read-only (sudo mount -o remount,rw / there; if it comes back, the card may be worn out)",
        ),
        ("cat: /x: Input/output error", "has a disk that fails (replace the card)"),
        ("sh: 1: cannot create /x: Permission denied", "does not let this user write there (choose another --folder, or another user)"),
        ("something new\nlast line", "sending file failed: last line (edge doctor DEVICE looks for the cause)"),
        ("gzip: killed\nKilled", "sending file failed: Killed (edge doctor DEVICE looks for the cause)"),
        ("", "sending file failed: code 21 (edge doctor DEVICE looks for the cause)"),
    ]


@pytest.mark.parametrize(("said", "message"), complaints())
def test_what_a_sick_device_says(file: Path, said: str, message: str) -> None:
    def stream(argv: Sequence[str], **more: object) -> Ran:
        return Ran(0, b"have=0\n", b"") if argv[2] == transfer.LOOK else Ran(21, b"", said.encode())

    with pytest.raises(DeviceFailed) as error:
        push_over(stream, "ssh://b", file, "/x", print)
    assert (str(error.value), error.value.exit_code) == (f"ssh://b: {message}", 3)
