"""The root of an image is found by what the image says of itself: `root=`, else a system; two that could be it are refused by their numbers."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from cards import MB, Flash, debugfs, disk, part
from cards import card_tools as card_tools
from cards import edge_file as edge_file  # fixtures
from cards import flash as flash
from edge.errors import EdgeError
from edge.images.partitions import EXTENDED, FAT, LINUX, read_partitions

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("card_tools")]
OS = {"/etc/os-release": "ID=debian\n"}
DATA = {"/photos/a.jpg": "x"}
CARD = "give an uncompressed image of a whole card, as Raspberry Pi OS comes"
TO_BOARD = "start the board and use --to, or use an image with one system"
ANOTHER = "give an image of Raspberry Pi OS, Ubuntu or Debian"


def fat(cmdline: str | None = None, size: int = 4) -> tuple[str, Mapping[str, str], int, tuple[str, ...]]:
    return part("fat", {} if cmdline is None else {"cmdline.txt": cmdline}, size)


def models_on(image: Path) -> list[int]:
    """Numbers of the Linux partitions that hold the model."""
    found = [one for one in read_partitions(image) if one.kind == LINUX]
    return [one.number for one in found if "current" in debugfs(image, "ls /opt/edge/tiny", one.start)]


LABELLED, UUID = ("-L", "rootfs"), "5a0f0000-0000-4000-8000-000000000002"
#: name -> partitions, and the number of the root
FOUND = {
    "a /boot of its own, by number": ((fat("root=/dev/mmcblk0p3 quiet"), part("ext4", DATA), part("ext4", OS)), 3),
    "by PARTUUID": ((fat("root=PARTUUID=00000001-03"), part("ext4", OS), part("ext4", OS)), 3),
    "by label": ((fat("root=LABEL=rootfs"), part("ext4", OS), part("ext4", OS, 10, *LABELLED)), 3),
    "by UUID": ((fat(f"root=UUID={UUID}"), part("ext4", OS), part("ext4", OS, 10, "-U", UUID)), 3),
    "by a link of udev's": ((fat(f"root=/dev/disk/by-uuid/{UUID}"), part("ext4", OS), part("ext4", OS, 10, "-U", UUID)), 3),
    "behind a BOM, with CRLF": ((fat("\ufeffroot=/dev/sda3\r\n"), part("ext4", OS), part("ext4", OS)), 3),
    "the last root= counts": ((fat("root=/dev/sda2 root=/dev/sda3"), part("ext4", OS), part("ext4", OS)), 3),
    "data first, no root=": ((fat("quiet"), part("ext4", DATA), part("ext4", OS)), 3),
    "a root= of another card": ((fat("root=PARTUUID=12345678-02"), part("ext4", OS), part("ext4", DATA)), 2),
    "no FAT, as Armbian": ((part("ext4", {**OS, "/boot/armbianEnv.txt": ""}),), 1),
    "on a logical partition": ((fat("root=/dev/mmcblk0p6"), part("ext4", DATA), part("ext4", DATA), part("ext4", DATA), part("ext4", OS)), 6),
    "a second FAT without cmdline.txt first": ((fat(), fat("root=/dev/mmcblk0p3"), part("ext4", OS)), 3),
}


@pytest.mark.parametrize(("parts", "root"), list(FOUND.values()), ids=list(FOUND))
def test_the_root_is_found_by_evidence(
    parts: tuple[tuple[str, Mapping[str, str], int, tuple[str, ...]], ...], root: int, tmp_path: Path, flash: Flash
) -> None:
    image = disk(tmp_path / "card.img", "dos", *parts)
    flash(image)
    assert models_on(image) == [root]


NO_CMDLINE = "and no root= in a cmdline.txt says which one starts"
REFUSED = {
    "A/B roots": ((fat("quiet"), part("ext4", OS), part("ext4", OS)), f"partitions 2 and 3 each hold a system, {NO_CMDLINE} ({TO_BOARD})"),
    "three roots": (
        (part("ext4", OS), part("ext4", OS), part("ext4", OS)),
        f"partitions 1, 2 and 3 each hold a system, {NO_CMDLINE} ({TO_BOARD})",
    ),
    "A/B boots": (
        (fat("root=/dev/sda3"), fat("root=/dev/sda4"), part("ext4", OS), part("ext4", OS)),
        f"partitions 1 and 2 each have a cmdline.txt, and nothing says which of them starts ({TO_BOARD})",
    ),
    "data only": ((fat("quiet"), part("ext4", DATA)), f"its Linux partition 2 holds no system, only data ({ANOTHER})"),
    "data twice": ((fat("quiet"), part("ext4", DATA), part("ext4")), f"its Linux partitions 2 and 3 hold no system, only data ({ANOTHER})"),
    "its root on the network": (
        (fat("root=/dev/nfs ip=dhcp"), part("ext4", OS)),
        f"its cmdline.txt has root=/dev/nfs, which is not a partition of the image ({CARD})",
    ),
    "two partitions of one label": (
        (fat("root=LABEL=rootfs"), part("ext4", OS, 10, *LABELLED), part("ext4", OS, 10, *LABELLED)),
        "partitions 2 and 3 are both its root, LABEL=rootfs (give one of them another label)",
    ),
}


@pytest.mark.parametrize(("parts", "message"), list(REFUSED.values()), ids=list(REFUSED))
def test_what_cannot_be_told_is_refused(
    parts: tuple[tuple[str, Mapping[str, str], int, tuple[str, ...]], ...], message: str, tmp_path: Path, flash: Flash
) -> None:
    image = disk(tmp_path / "card.img", "dos", *parts)
    before = image.read_bytes()
    with pytest.raises(EdgeError) as caught:
        flash(image)
    assert (str(caught.value), image.read_bytes() == before) == (f"{image}: {message}", True)


def test_no_place_for_first_boot_files(tmp_path: Path, flash: Flash) -> None:
    image = disk(tmp_path / "card.img", "dos", part("ext4", {**OS, "/usr/lib/systemd/system/rpi-preseed.service": ""}))
    with pytest.raises(EdgeError) as caught:
        flash(image, host_name="x")
    cure = "leave out --host-name, --user, --ssh-key and --wifi"
    assert str(caught.value) == f"{image}: has no FAT partition for rpi-preseed.toml ({cure})"


@pytest.mark.parametrize(
    "kind",
    ["B921B045-1DF0-41C3-AF44-4C6F280D3FAE", "69DAD710-2CE4-4E3C-B16C-21A1D49ABED3", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "L"],
)
def test_a_gpt_names_its_root_by_type(kind: str, tmp_path: Path, flash: Flash) -> None:
    image = disk(tmp_path / "card.img", "gpt", fat("quiet"), part("ext4", OS), types={2: kind})
    flash(image)
    assert models_on(image) == [2]


def test_a_gpt_by_partuuid_and_label(tmp_path: Path, flash: Flash) -> None:
    for name in ("PARTUUID=0a0b0c0d-0000-4000-8000-000000000003", "PARTLABEL=root"):
        image = disk(
            tmp_path / f"{name[:7]}.img",
            "gpt",
            fat(f"root={name}"),
            part("ext4", OS),
            part("ext4", OS),
            types={3: "L, name=root, uuid=0A0B0C0D-0000-4000-8000-000000000003"},
        )
        flash(image)
        assert models_on(image) == [3]


def test_a_gpt_for_large_sectors(tmp_path: Path, flash: Flash) -> None:
    """Its header lies 4,096 bytes from the start."""
    image = disk(tmp_path / "card.img", "gpt", fat("quiet"), part("ext4", OS))
    with image.open("r+b") as file:
        file.seek(512)
        header = file.read(512)
        file.seek(512)
        file.write(bytes(512))
        file.seek(4096)
        file.write(header)
    with pytest.raises(EdgeError) as caught:
        flash(image)
    what = "its GPT is for disks with sectors of 4096 bytes, and a card has sectors of 512"
    assert str(caught.value) == f"{image}: {what} (give an image that is made for cards)"


def logical(tmp_path: Path) -> Path:
    return disk(tmp_path / "card.img", "dos", fat("quiet", 2), *[part("ext4", {}, 2)] * 5)


def test_logical_partitions_are_read_as_sfdisk_wrote_them(tmp_path: Path) -> None:
    found = read_partitions(logical(tmp_path))
    assert [(one.number, one.kind) for one in found] == [(1, FAT), (2, LINUX), (3, LINUX), (4, EXTENDED), (5, LINUX), (6, LINUX), (7, LINUX)]
    assert [one.size for one in found if one.kind == LINUX] == [2 * MB] * 5 and found[-1].uuid == "00000001-07"


@pytest.mark.parametrize(
    ("entry", "start", "message"),
    [
        (1, 0xFFFFFF, "the list of its logical partitions is damaged"),
        (1, 1, "the list of its logical partitions is damaged"),
        (0, 0xFFFFFF, ""),
    ],
    ids=["leads outside", "no table there", "reaches outside"],
)
def test_a_damaged_list_of_logical_partitions(entry: int, start: int, message: str, tmp_path: Path) -> None:
    image = logical(tmp_path)
    box = next(one for one in read_partitions(image) if one.kind == EXTENDED)
    with image.open("r+b") as file:
        file.seek(box.start + 446 + 16 * entry + 8)
        file.write(struct.pack("<I", start))
    with pytest.raises(EdgeError) as caught:
        read_partitions(image)
    if message:
        assert str(caught.value) == f"{image}: {message} ({CARD})"
    else:
        assert str(caught.value).startswith(f"{image}: partition 5 reaches from ")


def test_a_logical_partition_that_leads_out_of_the_extended_one(tmp_path: Path) -> None:
    image = logical(tmp_path)
    box, last = (one for one in read_partitions(image) if one.number in (4, 7))
    with image.open("r+b") as file:
        file.seek(446 + 16 * 3 + 12)
        file.write(struct.pack("<I", (last.start - box.start) // 512 + 1))
    with pytest.raises(EdgeError) as caught:
        read_partitions(image)
    assert str(caught.value) == f"{image}: partition 7 does not lie in the extended one (it is damaged)"


def test_a_list_in_a_circle(tmp_path: Path) -> None:
    """The second table names the first as the next."""
    image = logical(tmp_path)
    second = next(one for one in read_partitions(image) if one.number == 6)
    data = bytearray(image.read_bytes())
    table = data.rindex(b"\x55\xaa", 0, second.start) - 510  # it lies before its partition
    data[table + 446 + 16 + 4] = 0x05
    data[table + 446 + 16 + 8 : table + 446 + 16 + 12] = struct.pack("<I", 1)
    image.write_bytes(data)
    with pytest.raises(EdgeError) as caught:
        read_partitions(image)
    assert str(caught.value) == f"{image}: the list of its logical partitions is damaged ({CARD})"
