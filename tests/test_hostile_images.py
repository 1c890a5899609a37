"""A damaged or hostile image is refused in one line and left as it was; so is what cannot be done."""

from __future__ import annotations

import lzma
import os
import resource
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny
from cards import BOOT_AT, FSTAB, GPT, MB, MBR, ROOT_AT, ROOT_MB, SIZE, Flash, card, run
from cards import card_tools as card_tools
from cards import edge_file as edge_file  # fixtures
from cards import flash as flash
from edge.artifact.elf import arch_of
from edge.debian import needed, tools
from edge.errors import EdgeError, ToolFailed
from edge.images import copies, ext4, fat, flashing, injecting
from edge.images.first_boot import FirstBoot
from edge.images.partitions import FAT, LINUX, SECTOR, Partition, read_partitions
from edge.images.payload import Payload
from edge.images.volumes import Volume, copy_part

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("card_tools")]
SYSTEMD = {"/usr/lib/systemd/systemd": "", "/etc/fstab": FSTAB}


def damaged(change: Callable[[bytearray], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)

    return apply


def put(at: int, data: bytes) -> Callable[[Path], None]:
    def change(image: bytearray) -> None:
        image[at : at + len(data)] = data

    return damaged(change)


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


FRESH = "it is damaged: write a fresh copy of the image"
UNCOMPRESSED = "give an uncompressed image of a whole card, as Raspberry Pi OS comes"
SUPER = ROOT_AT + 1024
DAMAGE = [
    ("no table", put(510, b"\0\0"), f"holds no partition table ({UNCOMPRESSED})"),
    ("nothing", cut(0), f"is 0 bytes long, no size for a card ({UNCOMPRESSED})"),
    (
        "too short",
        cut(9 * MB),
        f"partition 2 reaches from {ROOT_AT} to {ROOT_AT + ROOT_MB * MB} in an image of {9 * MB} bytes (it is cut short or damaged)",
    ),
    ("overlap", put(446 + 16 + 8, struct.pack("<I", 4096)), "partitions 1 and 2 overlap (it is damaged)"),
    (
        "in the table",
        put(446 + 8, struct.pack("<I", 0)),
        f"partition 1 reaches from 0 to {8 * MB} in an image of {SIZE} bytes (it is cut short or damaged)",
    ),
    ("no Linux", put(446 + 16 + 4, b"\x82"), f"has no Linux partition ({UNCOMPRESSED})"),
    ("boot sector", put(BOOT_AT, bytes(512)), f"its boot partition holds no FAT file system that fits ({FRESH})"),
    ("FAT too large", put(BOOT_AT + 19, b"\xff\xff"), f"its boot partition holds no FAT file system that fits ({FRESH})"),
    ("swap", put(SUPER + 56, bytes(2)), "its Linux partition holds no ext4 file system (give an image of Raspberry Pi OS, Ubuntu or Debian)"),
    ("ext4 too large", put(SUPER + 4, b"\xff\xff\xff\x7f"), f"its file system is larger than its partition ({FRESH})"),
    (
        "journal",
        put(SUPER + 96, b"\x46\x02\x00\x00"),
        "its root file system was not unmounted cleanly (boot it once and shut it down, or use a fresh image)",
    ),
]


@pytest.mark.parametrize(("change", "message"), [(change, message) for _, change, message in DAMAGE], ids=[name for name, *_ in DAMAGE])
def test_a_damaged_image_is_refused_and_left_alone(change: Callable[[Path], None], message: str, tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img")
    change(image)
    before = image.read_bytes()
    with pytest.raises(EdgeError) as caught:
        flash(image)
    assert str(caught.value) == f"{image}: {message}"
    assert "\n" not in str(caught.value)
    assert image.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.img", "card.work"]


def test_what_fsck_finds_is_told(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img")
    put(ROOT_AT + 1024 + 12, b"\x01\0\0\0")(image)  # a wrong count of free blocks
    with pytest.raises(EdgeError) as caught:
        flash(image)
    assert str(caught.value).startswith(f"{image}: e2fsck finds fault with its root partition: ext2fs_open2: Superblock checksum does not match")
    again = card(tmp_path / "again.img", {"a.txt": "x" * 5000})
    put(BOOT_AT + 512 * 4 + 3, b"\xf0\xff\xff")(again)
    with pytest.raises(EdgeError) as caught:
        flash(again)
    assert str(caught.value).startswith(f"{again}: fsck.fat finds fault with its boot partition: FATs differ")


GPT_DAMAGE = {
    "sign": (512, b"EFI PARD"),
    "checksum": (512 + 16, b"\0\0\0\0"),
    "count": (512 + 80, b"\xff\xff\xff\xff"),
    "entries": (1024, b"\1"),
    "place": (512 + 72, b"\xff" * 8),
    "length": (512 + 12, b"\x08\0\0\0"),
}


@pytest.mark.parametrize(("where", "what"), list(GPT_DAMAGE.values()), ids=list(GPT_DAMAGE))
@pytest.mark.parametrize("second", [True, False], ids=["second good", "second lost"])
def test_a_damaged_gpt_is_refused(where: int, what: bytes, second: bool, tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", table=GPT)
    put(where, what)(image)
    if not second:
        put(SIZE - 512, bytes(512))(image)
    with pytest.raises(EdgeError) as caught:
        read_partitions(image)
    good = f"its first GPT is damaged; the second, at its end, is good (echo w | fdisk {image} writes the first one again)"
    assert str(caught.value) == f"{image}: " + (good if second else f"its GPT is damaged ({UNCOMPRESSED})")


@pytest.mark.parametrize("table", [MBR, GPT])
def test_a_table_is_read_as_sfdisk_wrote_it(table: str, tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", table=table)
    found = read_partitions(image)
    assert found == (Partition(1, FAT, BOOT_AT, 8 * MB), Partition(2, LINUX, ROOT_AT, ROOT_MB * MB))


@given(which=st.integers(0, 1), changes=st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_table_leads_outside_the_image(which: int, changes: list[tuple[int, int]], tables: list[Path]) -> None:
    """Bytes of the table changed at random: it is refused, or what it lists lies in the image."""
    path = tables[which]
    with path.open("r+b") as file:
        start = file.read(1024)
        changed = bytearray(start)
        for at, value in changes:
            changed[at] = value
        file.seek(0)
        file.write(changed)
    with suppress(EdgeError):
        assert all(SECTOR <= one.start < one.end <= SIZE for one in read_partitions(path))
    with path.open("r+b") as file:
        file.write(start)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("tables")
    return [card(folder / "mbr.img", table=MBR), card(folder / "gpt.img", table=GPT)]


def test_a_full_root_partition(tmp_path: Path, flash: Flash, edge_file: Path) -> None:
    image = card(tmp_path / "card.img", {}, {"/big": "x" * (10 * MB)})
    with pytest.raises(EdgeError) as caught:
        flash(image)
    free = str(caught.value).split(" has ")[1].split(" MB")[0]
    size = edge_file.stat().st_size / 1e6
    assert str(caught.value) == f"{image}: its root partition has {free} MB free, the model {size:.0f} MB (use a larger image)"


def test_a_program_for_another_processor(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img", {}, {"/bin/busybox": ""})
    put_busybox(image, tmp_path, b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\xb7\0")
    with pytest.raises(EdgeError) as caught:
        flash(image)
    built = arch_of(tiny.runner())
    assert str(caught.value) == (
        f"{image}: is a system for aarch64, the model was built for {built} (build it with --target arm64 for a Raspberry Pi)"
    )


def put_busybox(image: Path, tmp_path: Path, program: bytes) -> None:
    (tmp_path / "busybox").write_bytes(program)
    (tmp_path / "script").write_text(f"cd /bin\nrm busybox\nwrite {tmp_path / 'busybox'} busybox\n")
    run("debugfs", "-w", "-f", tmp_path / "script", f"{image}?offset={ROOT_AT}")


@pytest.mark.parametrize(
    ("boot", "words", "message"),
    [
        ({}, {"host_name": "x"}, "{image}: takes no first-boot configuration that edge knows (leave out --host-name, --user, --ssh-key and --wifi)"),
        ({"cmdline.txt": "a\nb\n"}, {"host_name": "x"}, "cmdline.txt: has more than one line (write a fresh copy of the image)"),
        ({}, {"service": True}, "--service: {image} has no systemd (leave it out; the small Debian image checks every model at its start anyway)"),
        ({}, {"base": "debian"}, "{image}: is there already (leave out --base to put the model into it, or name a new file)"),
        ({}, {"base": "debain"}, "--base: 'debain' is not a base to build on (did you mean 'debian'?)"),
        ({}, {"base": "alpine"}, "--base: 'alpine' is not a base to build on (there is debian)"),
        ({}, {"base": "debian", "source": Path("x.img")}, "--base: and --from are two beginnings (give one of them)"),
        ({}, {"source": Path("/no/such.img")}, "/no/such.img: No such file or directory (give the path of an image file)"),
        ({}, {"max_size": "many"}, "--max-size: 'many' is not a size (like 64GB or 32GiB)"),
    ],
)
def test_what_cannot_be_done(boot: dict[str, str], words: dict[str, object], message: str, tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img", boot, SYSTEMD if boot else {})
    with pytest.raises(EdgeError) as caught:
        flash(image, **words)
    assert str(caught.value) == message.format(image=image)


def test_a_damaged_xz(tmp_path: Path, flash: Flash) -> None:
    packed = tmp_path / "x.img.xz"
    packed.write_bytes(lzma.compress(bytes(MB))[:-20])
    with pytest.raises(EdgeError) as caught:
        flash(tmp_path / "new.img", source=packed)
    assert str(caught.value) == f"{packed}: is damaged: it cannot be unpacked (download it again and compare its checksum)"
    assert not (tmp_path / "new.img").exists()


def test_an_xz_that_unpacks_to_too_much(tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_IMAGE", 8 * MB)
    packed = tmp_path / "x.img.xz"
    packed.write_bytes(lzma.compress(bytes(9 * MB)))
    with pytest.raises(EdgeError) as caught:
        flash(tmp_path / "new.img", source=packed)
    assert str(caught.value) == f"{packed}: unpacks to more than 0 GiB (it is no image of a card)"
    big = tmp_path / "big.img"
    big.write_bytes(bytes(9 * MB))
    with pytest.raises(EdgeError) as caught:
        flash(tmp_path / "new.img", source=big)
    assert str(caught.value) == f"{big}: is {9 * MB} bytes long, no size for a card"


def test_an_xz_that_wants_much_memory(tmp_path: Path, flash: Flash) -> None:
    """The header asks for a dictionary of 1.5 GiB: an unpacker that obeys allocates it."""
    path = tmp_path / "card.img.xz"
    path.write_bytes(lzma.compress(bytes(1000), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    data = bytearray(path.read_bytes())
    header = data[12 : 12 + 4 * (data[12] + 1) - 4]
    assert header[2:4] == b"\x21\x01"  # LZMA2, one byte of properties: the size of its dictionary
    header[4] = 39
    data[12 : 12 + len(header) + 4] = header + struct.pack("<I", zlib.crc32(header))
    path.write_bytes(data)
    with pytest.raises(EdgeError) as caught:
        flash(tmp_path / "new.img", source=path)
    assert str(caught.value) == f"{path}: wants more than 512 MiB of memory (unpack it: xz --decompress --keep)"


def test_no_room_to_unpack(tmp_path: Path, flash: Flash) -> None:
    """The size that a file may have stands for the room that is left."""
    packed = tmp_path / "card.img.xz"
    packed.write_bytes(lzma.compress(b"\1" * (2 * MB)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MB, before[1]))
    try:
        with pytest.raises(EdgeError) as caught:
            flash(tmp_path / "new.img", source=packed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == f"{tmp_path}: the image cannot be made here: File too large (make room or choose another place)"


def test_an_xz_of_several_streams(tmp_path: Path, flash: Flash) -> None:
    """As `cat a.xz b.xz` and some parallel compressors make it, with padding between."""
    image = card(tmp_path / "card.img").read_bytes()
    path = tmp_path / "card.img.xz"
    path.write_bytes(lzma.compress(image[:1_000_000]) + bytes(8) + lzma.compress(image[1_000_000:]) + bytes(4))
    copies.working_copy(path, tmp_path / "copy", lambda text: None)
    assert (tmp_path / "copy").read_bytes() == image


def test_a_name_that_cannot_be_given(tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image of somebody else in /tmp: its folder can be written to, it cannot be replaced."""

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = card(tmp_path / "card.img")
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(EdgeError) as caught:
        flash(path)
    assert str(caught.value) == f"{path}: cannot be replaced: Operation not permitted (choose another place, and give this image with --from)"
    assert path.read_bytes() == before


def test_an_image_keeps_its_owner(tmp_path: Path, flash: Flash) -> None:
    """`sudo edge flash` must not take the image away from who made it."""
    if os.geteuid():
        pytest.skip("only root gives files away")
    path = card(tmp_path / "card.img")
    os.chown(path, 12345, 23456)
    path.chmod(0o640)
    flash(path)
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 23456, 0o640)


def test_holes_are_not_read(tmp_path: Path) -> None:
    """A terabyte of nothing takes no time: read byte by byte, it would be ten minutes."""
    source, target = tmp_path / "sparse", tmp_path / "copy"
    with source.open("wb") as file:
        for at, data in ((0, b"first"), (1 << 39, b"middle"), ((1 << 40) - 4, b"last")):
            file.seek(at)
            file.write(data)
    copy_part(source, 2, 1 << 40, target)
    with target.open("rb") as file:
        found = [(file.seek(at), file.read(8)) for at in (0, (1 << 39) - 2, (1 << 40) - 6)]
    assert [data for _, data in found] == [b"rst" + bytes(5), b"middle" + bytes(2), b"last" + bytes(2)]
    assert (target.stat().st_size, target.stat().st_blocks < 50_000) == (1 << 40, True)


def test_a_folder_is_no_image(tmp_path: Path, flash: Flash) -> None:
    with pytest.raises(EdgeError) as caught:
        flash(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is not a file (name an image file or a card's device)"
    with pytest.raises(EdgeError) as caught:
        flash(Path("-x.img"))
    assert str(caught.value) == "--image: '-x.img' looks like an option (write ./-x.img if it is a file)"
    with pytest.raises(EdgeError) as caught:
        flash(tmp_path / "no" / "such" / "card.img")
    assert str(caught.value) == f"{tmp_path / 'no' / 'such'}: cannot be written to: No such file or directory (choose another place)"


@pytest.mark.parametrize(("number", "said"), [(28, "No space left on device"), (5, "Input/output error"), (30, "Read-only file system")])
def test_no_room_for_the_copy(number: int, said: str, tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch) -> None:
    image = card(tmp_path / "card.img")

    def full(*_: object) -> None:
        raise OSError(number, said)

    monkeypatch.setattr(flashing, "put_in_place", full)
    with pytest.raises(EdgeError) as caught:
        flash(image)
    assert str(caught.value) == f"{tmp_path}: the image cannot be made here: {said} (make room or choose another place)"


def test_missing_tools_are_named_together_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed, "SYSTEM_FOLDERS", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolFailed) as caught:
        injecting.inject(tmp_path, "x", "card.img", Payload("m", b""), FirstBoot(), lambda text: None)
    wanted = "mcopy, mdir, mtype, fsck.fat, debugfs, e2fsck: not installed (sudo apt-get install dosfstools e2fsprogs mtools)"
    assert str(caught.value) == wanted
    with pytest.raises(ToolFailed) as caught:
        tools.run(["mcopy"], tmp_path)
    assert str(caught.value) == "mcopy: is not installed (sudo apt-get install mtools)"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["false"], "false: ended with 1"),
        (["sh", "-c", "echo fine; echo first >&2; echo second >&2; exit 3"], "sh: second"),
        (["sh", "-c", "echo only this; exit 1"], "sh: only this"),
    ],
)
def test_a_tool_that_fails_is_quoted(argv: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as caught:
        tools.run(argv, tmp_path)
    assert str(caught.value) == message


def test_a_tool_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "SECONDS", 0.2)
    with pytest.raises(ToolFailed) as caught:
        tools.run(["sleep", "60"], tmp_path)
    assert str(caught.value) == "sleep: took more than 0.2 s"


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({"/opt": "->/srv", "/srv/x": ""}, "its /opt is a symlink, not a folder"),
        ({"/opt/edge": "text"}, "its /opt/edge is a regular file, not a folder"),
        ({"/opt/edge/tiny/versions": "->versions"}, "its /opt/edge/tiny/versions is a symlink, not a folder"),
        ({"/opt/edge/tiny/current/x": ""}, "its /opt/edge/tiny/current is a folder, not a file"),
        ({"/opt": "->/opt"}, "its /opt/edge/tiny/current lies behind links that lead in a circle"),
    ],
)
def test_what_is_in_the_way_on_the_card(root: dict[str, str], message: str, tmp_path: Path, flash: Flash) -> None:
    path = card(tmp_path / "card.img", root=root)
    before = path.read_bytes()
    with pytest.raises(EdgeError) as caught:
        flash(path)
    assert str(caught.value) == f"{path}: {message} (use a fresh copy of the image)"
    assert path.read_bytes() == before


def test_a_file_that_claims_terabytes_is_not_read(tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", {"cmdline.txt": "x" * (2 * MB)}, {"/etc/fstab": "x"})
    run("debugfs", "-w", "-R", f"sif /etc/fstab size {1 << 40}", f"{image}?offset={ROOT_AT}")
    boot, root = read_partitions(image)
    with pytest.raises(EdgeError) as caught:
        ext4.read(Volume(tmp_path, "card.img", root, "card.img"), "/etc/fstab")
    assert str(caught.value) == f"card.img: its /etc/fstab has {1 << 40} bytes ({FRESH})"
    with pytest.raises(ToolFailed) as caught_tool:
        fat.read(Volume(tmp_path, "card.img", boot, "card.img"), "cmdline.txt")
    assert str(caught_tool.value) == f"mtype: gave more than {MB} bytes (the image is damaged or not a card's)"


def test_what_does_not_read_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = card(tmp_path / "card.img")
    boot, root = read_partitions(image)
    monkeypatch.setattr(ext4, "read", lambda *_: b"other")
    with pytest.raises(ToolFailed) as caught:
        ext4.write(Volume(tmp_path, image.name, root, "card.img"), {"/a/b": ext4.File(b"data")})
    assert str(caught.value) == "card.img: /a/b does not read back as it was written (is the root partition full?)"
    monkeypatch.setattr(fat, "read", lambda *_: b"other")
    with pytest.raises(ToolFailed) as caught:
        fat.write(Volume(tmp_path, image.name, boot, "card.img"), {"a.txt": b"data"})
    assert str(caught.value) == "card.img: 'a.txt' does not read back as it was written (is the disk full?)"


def test_a_root_that_fills_up_while_it_is_written(tmp_path: Path) -> None:
    image = card(tmp_path / "card.img")
    _, root = read_partitions(image)
    with pytest.raises(EdgeError) as caught:
        ext4.write(Volume(tmp_path, image.name, root, "card.img"), {"/a": ext4.File(bytes([1]) * (ROOT_MB * MB))})
    what = "its root partition has no room: write: Could not allocate block in ext2 filesystem"
    assert str(caught.value) == f"card.img: {what} (use a larger image, or delete something in it)"
