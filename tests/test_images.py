"""A model into an image file: without mounts or root, on a copy, checked by tools that are not ours; a damaged image is refused in one line."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import struct
import subprocess
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny
from cards import BOOT_AT, CMDLINE, FSTAB, GPT, MB, MBR, ROOT_AT, ROOT_MB, SIZE, boot_file, card, debugfs, root_file, run
from cards import card_tools as card_tools  # a fixture
from edge import cli
from edge.errors import EdgeError, ToolFailed
from edge.images import FlashImage, copies, ext4, fat, flash_image, flashing, injecting, tools
from edge.images.first_boot import FirstBoot
from edge.images.partitions import FAT, LINUX, SECTOR, Partition, boot_and_root, read_partitions
from edge.images.payload import Payload, safe_name
from edge.images.volumes import Volume

pytestmark = pytest.mark.usefixtures("card_tools")
SYSTEMD = {"/usr/lib/systemd/systemd": "", "/etc/fstab": FSTAB}
Flash = Callable[..., str]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("images") / "tiny.edge", files={})


@pytest.fixture
def flash(edge_file: Path) -> Flash:
    """flash(image, host_name=…): what `edge flash` prints."""

    def call(image: Path, **words: object) -> str:
        return flash_image(FlashImage(edge_file, image, **words))  # type: ignore[arg-type]

    return call


def version(edge_file: Path) -> str:
    return hashlib.sha256(edge_file.read_bytes()).hexdigest()[:12]


@pytest.mark.parametrize("table", [MBR, GPT], ids=["MBR", "GPT"])
def test_the_model_lies_in_the_image(table: str, tmp_path: Path, edge_file: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img", {"config.txt": ""}, {"/etc/hostname": "pi\n"}, table)
    place = f"/opt/edge/tiny/versions/{version(edge_file)}/model.edge"
    size = edge_file.stat().st_size / 1e6
    assert flash(image) == f"{image}: {SIZE / 1e6:.0f} MB\nmodel tiny: {place}, {size:.1f} MB, read back and compared"
    assert root_file(image, place, tmp_path / "got") == edge_file.read_bytes()
    assert "Mode:  0755" in debugfs(image, f"stat {place}")
    assert f'Fast link dest: "versions/{version(edge_file)}"' in debugfs(image, "stat /opt/edge/tiny/current")
    assert root_file(image, "/etc/hostname", tmp_path / "name") == b"pi\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_version_before_stays_and_is_remembered(tmp_path: Path, edge_file: Path, flash: Flash) -> None:
    old = "/opt/edge/tiny/versions/0123456789ab/model.edge"
    image = card(tmp_path / "card.img", {}, {old: "old", "/opt/edge/tiny/current": "->versions/0123456789ab"})
    flash(image)
    flash(image)  # the same again changes nothing
    assert root_file(image, old, tmp_path / "got") == b"old"
    assert 'Fast link dest: "../0123456789ab"' in debugfs(image, f"stat /opt/edge/tiny/versions/{version(edge_file)}/previous")
    assert 'Fast link dest: "current/previous"' in debugfs(image, "stat /opt/edge/tiny/previous")


def test_a_service_is_enabled(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img", {}, SYSTEMD)
    flash(image, service=True)
    unit = root_file(image, "/etc/systemd/system/edge-tiny.service", tmp_path / "unit")
    assert b"\nExecStart=/opt/edge/tiny/current/model.edge --verify\n" in unit
    wanted = debugfs(image, "stat /etc/systemd/system/multi-user.target.wants/edge-tiny.service")
    assert 'Fast link dest: "/etc/systemd/system/edge-tiny.service"' in wanted


def test_the_source_is_not_changed(tmp_path: Path, flash: Flash) -> None:
    source = card(tmp_path / "old.img")
    before = source.read_bytes()
    packed = tmp_path / "old.img.xz"
    packed.write_bytes(lzma.compress(before, preset=0))
    flash(tmp_path / "new.img", source=source)
    flash(tmp_path / "unpacked.img", source=packed)
    assert source.read_bytes() == before
    assert (tmp_path / "new.img").read_bytes() == (tmp_path / "unpacked.img").read_bytes() != before


def test_who_could_not_read_the_old_image_cannot_read_the_new(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img")
    image.chmod(0o600)
    flash(image)
    assert image.stat().st_mode & 0o777 == 0o600


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7J0c you@desk"
ALL = {"host_name": "cam-1", "user": "ann", "wifi": "my net", "wifi_country": "DE"}
SECRETS = {"EDGE_USER_PASSWORD": "correct horse", "EDGE_WIFI_PASSWORD": "battery staple"}


def plain_files(kind: str) -> tuple[dict[str, str], dict[str, str]]:
    """What an untouched image of that kind holds."""
    by_firstboot = f"{CMDLINE} init=/usr/lib/raspberrypi-sys-mods/firstboot\n"
    return {
        "cloud-init": ({"cmdline.txt": CMDLINE, "user-data": "#cloud-config\n", "meta-data": "instance-id: x\n", "network-config": "\n"}, SYSTEMD),
        "rpi-preseed": ({"cmdline.txt": CMDLINE}, {**SYSTEMD, "/usr/lib/systemd/system/rpi-preseed.service": ""}),
        "custom.toml": ({"cmdline.txt": by_firstboot}, {**SYSTEMD, "/usr/lib/raspberrypi-sys-mods/init_config": ""}),
        "firstrun.sh": ({"cmdline.txt": CMDLINE}, SYSTEMD),
    }[kind]


@pytest.mark.parametrize("kind", ["cloud-init", "rpi-preseed", "custom.toml", "firstrun.sh"])
def test_first_boot_is_told_in_the_way_the_image_understands(kind: str, tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    (tmp_path / "id.pub").write_text(KEY + "\n")
    image = card(tmp_path / "card.img", *plain_files(kind))
    said = flash(image, ssh_key=tmp_path / "id.pub", **ALL)
    assert said.splitlines()[-1] == f"first boot by {kind}: host name cam-1, user ann, ssh keys 1, Wi-Fi my net"
    assert image.stat().st_mode & 0o777 == 0o600
    content = image.read_bytes()
    assert [secret for secret in SECRETS.values() if secret.encode() in content or secret in said] == []
    if kind == "cloud-init":
        data = boot_file(image, "user-data")
        assert data.startswith(b"#cloud-config\n")
        user = json.loads(data.removeprefix(b"#cloud-config\n"))
        assert (user["hostname"], user["users"][0]["name"], user["users"][0]["ssh_authorized_keys"]) == ("cam-1", "ann", [KEY])
        assert user["users"][0]["passwd"].startswith("$6$")
        wlan = json.loads(boot_file(image, "network-config"))["network"]["wifis"]["wlan0"]
        assert list(wlan["access-points"]) == ["my net"] and wlan["regulatory-domain"] == "DE"
        assert json.loads(boot_file(image, "meta-data"))["instance-id"].startswith("edge-")
    elif kind == "firstrun.sh":
        line = boot_file(image, "cmdline.txt").decode()
        run_it = "systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target"
        assert line == f"{CMDLINE} {run_it}\n"
        (tmp_path / "firstrun.sh").write_bytes(boot_file(image, "firstrun.sh"))
        subprocess.run(["sh", "-n", str(tmp_path / "firstrun.sh")], check=True)
    else:
        name, config_version = ("rpi-preseed.toml", "1.0") if kind == "rpi-preseed" else ("custom.toml", 1)
        told = tomllib.loads(boot_file(image, name).decode())
        assert told["config_version"] == config_version
        assert told["system"] == {"hostname": "cam-1"} and told["ssh"]["authorized_keys"] == [KEY]
        assert told["wlan"]["ssid"] == "my net" and told["wlan"]["country"] == "DE" and len(told["wlan"]["password"]) == 64


def test_secrets_are_in_no_argument(tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word of every program that is run is recorded."""
    words: list[str] = []
    start = subprocess.Popen.__init__

    def recorded(self: object, argv: list[str], **more: object) -> None:
        words.extend(argv)
        start(self, argv, **more)  # type: ignore[call-overload]

    image = card(tmp_path / "card.img", *plain_files("cloud-init"))
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setattr(subprocess.Popen, "__init__", recorded)
    flash(image, **ALL)
    assert words and [word for word in words if any(secret in word for secret in SECRETS.values()) or "$6$" in word] == []


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
    ("no FAT", put(446 + 4, b"\x82"), f"has no FAT partition ({UNCOMPRESSED})"),
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
    assert str(caught.value).startswith(f"{image}: e2fsck finds fault with its root partition: ")
    again = card(tmp_path / "again.img", {"a.txt": "x" * 5000})
    put(BOOT_AT + 512 * 4 + 3, b"\xf0\xff\xff")(again)
    with pytest.raises(EdgeError) as caught:
        flash(again)
    assert str(caught.value).startswith(f"{again}: fsck.fat finds fault with its boot partition: ")


@pytest.mark.parametrize(
    ("where", "what"),
    [(512, b"EFI PARD"), (512 + 16, b"\0\0\0\0"), (512 + 80, b"\xff\xff\xff\xff"), (1024, b"\1"), (512 + 72, b"\xff" * 8), (512 + 12, b"\x08\0\0\0")],
    ids=["sign", "checksum", "count", "entries", "place", "length"],
)
def test_a_damaged_gpt_is_refused(where: int, what: bytes, tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", table=GPT)
    put(where, what)(image)
    with pytest.raises(EdgeError) as caught:
        read_partitions(image)
    assert str(caught.value) == f"{image}: its GPT is damaged ({UNCOMPRESSED})"


@pytest.mark.parametrize("table", [MBR, GPT])
def test_a_table_is_read_as_sfdisk_wrote_it(table: str, tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", table=table)
    found = read_partitions(image)
    assert found == (Partition(1, FAT, BOOT_AT, 8 * MB), Partition(2, LINUX, ROOT_AT, ROOT_MB * MB))
    assert boot_and_root(found, "x") == found


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
    arm = "\x7fELF\2\1\1" + "\0" * 11
    image = card(tmp_path / "card.img", {}, {"/bin/busybox": arm + "\u00b7"})
    put_busybox(image, tmp_path, b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\xb7\0")
    with pytest.raises(EdgeError) as caught:
        flash(image)
    built = injecting.machine_of(tiny.runner().read_bytes())
    assert str(caught.value) == (
        f"{image}: is a system for Arm-64, the model was built for {built} (build it with --target arm64 for a Raspberry Pi)"
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


def test_no_room_for_the_copy(tmp_path: Path, flash: Flash, monkeypatch: pytest.MonkeyPatch) -> None:
    image = card(tmp_path / "card.img")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(flashing, "put_in_place", full)
    with pytest.raises(EdgeError) as caught:
        flash(image)
    assert str(caught.value) == f"{tmp_path}: the image cannot be made here: No space left on device (make room or choose another place)"


def test_missing_tools_are_named_together_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "SYSTEM_FOLDERS", "/nowhere")
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
    assert str(caught.value) == "sleep: ended with -9"


def test_a_file_that_claims_terabytes_is_not_read(tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", {"cmdline.txt": "x" * (2 * MB)}, {"/etc/fstab": "x"})
    run("debugfs", "-w", "-R", f"sif /etc/fstab size {1 << 40}", f"{image}?offset={ROOT_AT}")
    boot, root = boot_and_root(read_partitions(image), "x")
    with pytest.raises(EdgeError) as caught:
        ext4.read(Volume(tmp_path, "card.img", root, "card.img"), "/etc/fstab")
    assert str(caught.value) == f"card.img: its /etc/fstab has {1 << 40} bytes ({FRESH})"
    with pytest.raises(ToolFailed) as caught_tool:
        fat.read(Volume(tmp_path, "card.img", boot, "card.img"), "cmdline.txt")
    assert str(caught_tool.value) == f"mtype: gave more than {MB} bytes (the image is damaged or not a card's)"


def test_what_does_not_read_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = card(tmp_path / "card.img")
    boot, root = boot_and_root(read_partitions(image), "x")
    monkeypatch.setattr(ext4, "read", lambda *_: b"other")
    with pytest.raises(ToolFailed) as caught:
        ext4.write(Volume(tmp_path, image.name, root, "card.img"), {"/a/b": ext4.File(b"data")})
    assert str(caught.value) == "card.img: /a/b does not read back as it was written (is the root partition full?)"
    monkeypatch.setattr(fat, "read", lambda *_: b"other")
    with pytest.raises(ToolFailed) as caught:
        fat.write(Volume(tmp_path, image.name, boot, "card.img"), {"a.txt": b"data"})
    assert str(caught.value) == "card.img: 'a.txt' does not read back as it was written (is the disk full?)"


@pytest.mark.parametrize(
    ("name", "safe"),
    [("mobilenet_v2", "mobilenet_v2"), ("../../etc/passwd", "_.._etc_passwd"), ("a b;rm\n", "a_b_rm_"), ("-rf", "rf"), ("...", "model"), ("ü", "_")],
)
def test_a_models_name_becomes_a_folders(name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert ext4.plain(Payload(safe, b"").path)


@pytest.mark.parametrize("path", ["relative", "/a b", "/a;b", "/a\nrm x", "/../x", "/-x", '/"x"', "/"])
def test_debugfs_gets_no_word_that_means_something_to_it(path: str) -> None:
    with pytest.raises(ValueError, match="not a plain path"):
        ext4.plain(path)


def test_the_command_line(tmp_path: Path, edge_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = card(tmp_path / "card.img")
    assert cli.main(["flash", str(edge_file), "--image", str(image)]) == 0
    assert capsys.readouterr().out.startswith(f"{image}: {SIZE / 1e6:.0f} MB\nmodel tiny: /opt/edge/tiny/versions/")
    assert cli.main(["flash", str(edge_file)]) == 2
    assert capsys.readouterr().err == "edge: flash: says nowhere to put it (give --image card.img, or --image /dev/sdX --from card.img)\n"
