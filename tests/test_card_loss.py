"""What an image or a card holds is lost by no flash: not by another one, not by one that is broken off, not on a disk that would not start."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cards import BOOT_AT, CMDLINE, FSTAB, MB, PLAIN, ROOT_AT, SIZE, Flash, boot_file, card, disk, part, run
from cards import card_tools as card_tools
from cards import edge_file as edge_file  # fixtures
from cards import flash as flash
from edge.errors import EdgeError
from edge.images import Asker, FlashImage, disks, flash_image, injecting, refusals
from edge.images.disks import Host
from sysfs_tree import USB, Machine
from sysfs_tree import machine as machine  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("card_tools")]
LOGIN = "#cloud-config\nchpasswd: {users: [{name: ubuntu, password: ubuntu}]}\n"
SYSTEMD = {"/usr/lib/systemd/systemd": "", "/etc/fstab": FSTAB}


#: fault -> what edge says, the image as IMAGE; these are rows of docs/faults.md
SAID = {
    "--image names a file that is there, with --from": "flash: IMAGE is there already, and everything in it will be lost. Write over it?"
    " (repeat with --yes, or in a terminal)",
    "--image and --from name one file": "IMAGE: is what --from names too, and --from is not changed (leave out --from to put the model into it)",
    "--image card.img.xz": "IMAGE.xz: is the name of a packed file (.xz), and edge writes images unpacked (--image IMAGE --from IMAGE.xz)",
    "a new image called .img.xz": "IMAGE.xz: is the name of a packed file (.xz), and edge writes images unpacked (--image IMAGE)",
    "a disk with sectors of 4,096 bytes": "NODE: has sectors of 4096 bytes, and images of cards are made for 512: it would not start"
    " (use a card, or a reader that shows it with sectors of 512 bytes)",
    "an image that losetup has attached": "IMAGE: is attached to /dev/loop7 (sudo losetup --detach /dev/loop7, after unmounting what is on it)",
    "user-data is a folder": "IMAGE: the 'user-data' of its boot partition is a folder, not a file (use a fresh copy of the image)",
    "an ext4 feature that e2fsck does not know": "IMAGE: its root partition has a feature of ext4 that the e2fsck of this machine does not know"
    " (install a newer e2fsprogs on this machine)",
    "no inode left on the root": "IMAGE: its root partition has room for COUNT files more, and up to 24 are needed"
    " (delete files in it, or use an image whose file system has more inodes)",
    "a full boot partition": "IMAGE: its boot partition has no room for user-data, COUNT bytes"
    f" (delete a file there: mdel -i IMAGE@@{BOOT_AT} ::/FILE)",
}


def shown(said: str, image: Path) -> str:
    """The line without what differs from day to day."""
    said = said.replace(f"'{image}'", "IMAGE").replace(str(image), "IMAGE")
    return re.sub(r"(room for )\d+( files)|(user-data, )\d+", lambda match: f"{match[1] or match[3]}COUNT{match[2] or ''}", said)


def message(call: Callable[[], object]) -> str:
    with pytest.raises(EdgeError) as caught:
        call()
    return str(caught.value)


def test_a_stock_image_keeps_its_login(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "a.img", {"user-data": LOGIN, "meta-data": ""}, {"/etc/fstab": FSTAB})
    flash(image, host_name="x")
    assert boot_file(image, "user-data").decode() == f'{LOGIN}hostname: "x"\nmanage_etc_hosts: true\n'


def test_edge_does_not_undo_itself(tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same user twice, by each of the ways to tell an image; test_merging.py has the rest."""
    monkeypatch.setenv("EDGE_USER_PASSWORD", "correct horse")
    ways = {
        "user-data": ({"cmdline.txt": CMDLINE, "user-data": "", "meta-data": ""}, SYSTEMD),
        "rpi-preseed.toml": ({"cmdline.txt": CMDLINE}, {**SYSTEMD, "/usr/lib/systemd/system/rpi-preseed.service": ""}),
        "custom.toml": (
            {"cmdline.txt": f"{CMDLINE} init=/usr/lib/raspberrypi-sys-mods/firstboot"},
            {**SYSTEMD, "/usr/lib/raspberrypi-sys-mods/init_config": ""},
        ),
        "firstrun.sh": ({"cmdline.txt": CMDLINE}, SYSTEMD),
    }
    for name, (boot, root) in ways.items():
        image = card(tmp_path / f"{name}.img", boot, root)
        flash(image, user="ann", host_name="one")
        flash(image, host_name="two")
        text = boot_file(image, name).decode()
        assert ("ann" in text, "$6$" in text, "two" in text) == (True, True, True), name


def test_a_card_of_rpi_imager_runs_cloud_init_again(tmp_path: Path, flash: Flash) -> None:
    line = f"{CMDLINE} ds=nocloud;i=rpi-imager-1763"
    image = card(tmp_path / "a.img", {"cmdline.txt": line, "user-data": LOGIN, "meta-data": "instance-id: rpi-imager-1763\n"})
    flash(image, host_name="x")
    instance = boot_file(image, "meta-data").decode().split('"')[1]
    assert instance.startswith("edge-") and boot_file(image, "cmdline.txt").decode() == line.replace("rpi-imager-1763", instance)


@pytest.mark.parametrize(("yes", "ask"), [(False, None), (False, False), (False, True), (True, None)])
def test_an_existing_file_is_written_over_when_that_is_wanted(yes: bool, ask: bool | None, tmp_path: Path, edge_file: Path) -> None:
    source, other = card(tmp_path / "card.img"), tmp_path / "other.img"
    other.write_text("no image at all, but somebody's")
    questions: list[str] = []

    def answer(question: str) -> bool:
        questions.append(question)
        return bool(ask)

    def call() -> str:
        return flash_image(FlashImage(edge_file, other, source=source, yes=yes), ask=Asker(None if ask is None else answer))

    wanted = SAID["--image names a file that is there, with --from"]
    question = wanted.removeprefix("flash: ").split(" (")[0].replace("IMAGE", str(other))
    if yes or ask:
        call()
        assert (other.stat().st_size, questions) == (SIZE, [] if yes else [question])
        return
    assert shown(message(call), other) == (wanted if ask is None else "flash: nothing was written (you said no)")
    assert other.read_text() == "no image at all, but somebody's"


def test_an_image_that_is_its_own_beginning(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img")
    (tmp_path / "same.img").hardlink_to(image)
    for target in (image, tmp_path / "same.img"):
        said = message(partial(flash, target, source=image, yes=True))
        assert shown(said, target) == SAID["--image and --from name one file"]


@pytest.mark.parametrize("ending", [".xz", ".gz", ".ZST", ".zip", ".bz2"])
def test_a_name_that_says_packed_is_not_given_to_an_image(ending: str, tmp_path: Path, flash: Flash) -> None:
    """The file would be raw afterwards, and still be called packed."""
    image = tmp_path / "card.img"
    packed = tmp_path / f"card.img{ending}"
    said = message(lambda: flash(packed, source=card(image)))
    assert shown(said, image).replace(ending, ".xz") == SAID["a new image called .img.xz"]
    packed.write_bytes(b"packed")
    assert shown(message(lambda: flash(packed)), image).replace(ending, ".xz") == SAID["--image card.img.xz"]
    assert packed.read_bytes() == b"packed"


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("card.img", data)
    return out.getvalue()


PACKED = {
    "gzip": (gzip.compress, "gunzip --keep {}"),
    "bzip2": (bz2.compress, "bunzip2 --keep {}"),
    "zip": (zipped, "unzip {}"),
    "zstd": (lambda data: b"\x28\xb5\x2f\xfd" + data, "zstd --decompress {}"),
    "7-Zip": (lambda data: b"7z\xbc\xaf\x27\x1c" + data, "7z x {}"),
    "LZ4": (lambda data: b"\x04\x22\x4d\x18" + data, "lz4 -d {}"),
}


PACKED_LINE = "{image}: is packed by {name}, and edge unpacks .xz only ({cure}, and give what comes out of it)"


@pytest.mark.parametrize("name", list(PACKED))
def test_what_is_packed_otherwise_is_named(name: str, tmp_path: Path, flash: Flash) -> None:
    pack, cure = PACKED[name]
    source = tmp_path / "my card"
    source.write_bytes(pack(bytes(1000)))
    said = message(lambda: flash(tmp_path / "new.img", source=source))
    assert said == PACKED_LINE.format(image=source, name=name, cure=cure.format(f"'{source}'"))
    assert not (tmp_path / "new.img").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("when", ["require_fit", "require_room", "places"])
def test_nothing_is_left_of_a_flash_that_is_broken_off(
    error: type[BaseException], when: str, tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever exception: Ctrl-C, or what a signal becomes."""
    image = card(tmp_path / "card.img")
    before, names = image.read_bytes(), sorted(path.name for path in tmp_path.iterdir())

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(injecting, when, broken)
    with pytest.raises(error):
        flash(image)
    assert (image.read_bytes() == before, sorted(path.name for path in tmp_path.iterdir())) == (True, names)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
    flash(image)  # its lock has gone


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_of_a_flash_that_is_killed(number: signal.Signals, tmp_path: Path, edge_file: Path) -> None:
    """In the middle of a tool that takes long."""
    pytest.importorskip("edge.cli.signals")
    image, tools = card(tmp_path / "card.img"), tmp_path / "bin"
    tools.mkdir()
    (tools / "e2fsck").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 60\n")
    (tools / "e2fsck").chmod(0o755)
    before, argv = image.read_bytes(), [sys.executable, "-m", "edge", "flash", str(edge_file), "--image", str(image)]
    environment = {**PLAIN, "PATH": f"{tools}:{PLAIN['PATH']}"}
    not_by_nohup = partial(signal.signal, number, signal.SIG_DFL)  # a test run under nohup ignores SIGHUP, and so would what it starts
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, preexec_fn=not_by_nohup) as process:
        while process.poll() is None and not (tmp_path / "started").exists():
            time.sleep(0.01)
        process.send_signal(number)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, image.read_bytes() == before) == (128 + number, True)
    assert [path.name for path in tmp_path.glob(".edge*")] == []


def test_a_disk_of_large_sectors_is_refused_before_anything_is_erased(machine: Machine) -> None:
    node = machine.disk("sdb", USB, vendor="SanDisk", model="Ultra")
    (machine.root / "sys/class/block/sdb/queue/logical_block_size").write_text("4096\n")
    host = machine.host()
    said = message(lambda: refusals.check(disks.look(node, host), 1 << 30, 1 << 40, host))
    assert said.replace(str(node), "NODE") == SAID["a disk with sectors of 4,096 bytes"]


def test_an_image_that_a_loop_device_has(tmp_path: Path, edge_file: Path) -> None:
    """The loop device would keep the file that was removed."""
    image, sysfs = card(tmp_path / "my card.img"), tmp_path / "sys"
    for name, text in (("loop0", f"{tmp_path}/gone.img (deleted)\n"), ("loop7", f"{image}\n")):
        (sysfs / "block" / name / "loop").mkdir(parents=True)
        (sysfs / "block" / name / "loop/backing_file").write_text(text)
    said = message(lambda: flash_image(FlashImage(edge_file, image), host=Host(sysfs=sysfs)))
    assert shown(said, image) == SAID["an image that losetup has attached"]


def test_a_real_loop_device(tmp_path: Path, flash: Flash, tool: Callable[[str, str], str]) -> None:
    losetup, image = tool("losetup", "apt-get install mount"), card(tmp_path / "card.img")
    made = subprocess.run([losetup, "--find", "--show", str(image)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip("no loop device may be made here (it needs root and /dev/loop-control)")
    try:
        assert message(lambda: flash(image)).startswith(f"{image}: is attached to {made.stdout.strip()} (")
    finally:
        subprocess.run([losetup, "--detach", made.stdout.strip()], check=True)


@pytest.mark.parametrize("name", ["user-data", "cmdline.txt", "meta-data"])
def test_a_folder_where_a_file_should_be(name: str, tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img", {"meta-data": ""} if name == "user-data" else {"user-data": ""})
    run("mmd", "-i", f"{image}@@{BOOT_AT}", f"::/{name}")
    before = image.read_bytes()
    said = message(lambda: flash(image, host_name="x"))
    assert shown(said, image).replace(name, "user-data") == SAID["user-data is a folder"]
    assert image.read_bytes() == before


def test_a_file_system_with_quotas_is_counted_right(tmp_path: Path, flash: Flash) -> None:
    """debugfs does not count them; flashed over again, with versions that are removed."""
    old = {f"/opt/edge/tiny/versions/{letter * 12}/model.edge": letter for letter in "ab"} | {"/etc/os-release": "ID=x\n"}
    image = disk(tmp_path / "card.img", "dos", part("fat", {"cmdline.txt": ""}, 4), part("ext4", old, 12, "-O", "quota"))
    flash(image)
    flash(image)
    run("e2fsck", "-f", "-n", f"{image}?offset={6 * MB}")


def test_a_feature_that_e2fsck_does_not_know(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img")
    run("debugfs", "-w", "-R", "ssv feature_ro_compat 0x80000000", f"{image}?offset={ROOT_AT}")
    assert shown(message(lambda: flash(image)), image) == SAID["an ext4 feature that e2fsck does not know"]


def test_no_inodes_are_left(tmp_path: Path, flash: Flash) -> None:
    image = disk(tmp_path / "card.img", "dos", part("fat", {}, 4), part("ext4", {"/etc/os-release": "ID=x\n"}, 10, "-N", "24"))
    assert shown(message(lambda: flash(image)), image) == SAID["no inode left on the root"]


def test_a_full_boot_partition(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img", {"user-data": "", "meta-data": ""})
    free = int("".join(run("mdir", "-i", f"{image}@@{BOOT_AT}", "::/").splitlines()[-2].split("bytes")[0].split()))
    (tmp_path / "big").write_bytes(bytes(free))
    run("mcopy", "-i", f"{image}@@{BOOT_AT}", tmp_path / "big", "::/big")
    before = image.read_bytes()
    said = message(lambda: flash(image, host_name="x"))
    assert shown(said, image) == SAID["a full boot partition"]
    assert image.read_bytes() == before
