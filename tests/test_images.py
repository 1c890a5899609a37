"""A model into an image file: without mounts or root, on a copy, checked by tools that are not ours; a damaged image is refused in one line."""

from __future__ import annotations

import fcntl
import hashlib
import json
import lzma
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from cards import CMDLINE, FSTAB, GPT, MB, MBR, ROOT_AT, ROOT_MB, SIZE, Flash, boot_file, card, debugfs, root_file, run
from cards import card_tools as card_tools
from cards import edge_file as edge_file  # fixtures
from cards import flash as flash
from edge import cli
from edge.devices.lock import safe_name
from edge.errors import EdgeError
from edge.images import ext4
from edge.images.partitions import LINUX, Partition
from edge.images.payload import Payload
from edge.images.versions import remove_outdated
from edge.images.volumes import Volume

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("card_tools")]
SYSTEMD = {"/usr/lib/systemd/systemd": "", "/etc/fstab": FSTAB}


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


VERSIONS = "/opt/edge/tiny/versions"
OLD, OLDER, OLDEST, ODD = (letter * 12 for letter in "abcd")
KEPT = {
    f"{VERSIONS}/{OLD}/model.edge": "old",
    f"{VERSIONS}/{OLD}/previous": f"->../{OLDER}",
    "/opt/edge/tiny/current": f"->versions/{OLD}",
    f"{VERSIONS}/{ODD}/model.edge": "odd",
    f"{VERSIONS}/{ODD}/notes of mine": "mine",
    f"{VERSIONS}/mine/model.edge": "mine",
    f"/opt/edge/other/versions/{OLDER}/model.edge": "other",
}
OUTDATED = {
    f"{VERSIONS}/{OLDER}/model.edge": "older",
    f"{VERSIONS}/{OLDER}/.model.edge.0123456789ab.part": "half",
    f"{VERSIONS}/{OLDEST}/model.edge": "oldest",
    f"{VERSIONS}/{OLDEST}/previous": "->../0123456789ab",
}


def test_what_is_older_than_the_version_before_goes(tmp_path: Path, edge_file: Path, flash: Flash) -> None:
    """As on a device; what edge did not make stays."""
    image = card(tmp_path / "card.img", {}, KEPT | OUTDATED)
    assert flash(image).splitlines()[2:] == ["2 older versions removed"]
    left = {line.split("/")[5] for line in debugfs(image, f"ls -p {VERSIONS}").splitlines() if line}
    assert left == {".", "..", version(edge_file), OLD, ODD, "mine"}
    for path, content in KEPT.items():
        if not content.startswith("->"):
            assert root_file(image, f'"{path}"', tmp_path / "got") == content.encode()
    assert f'Fast link dest: "../{OLD}"' in debugfs(image, f"stat {VERSIONS}/{version(edge_file)}/previous")
    assert flash(image).splitlines()[2:] == []  # the same again: the one before is still that


NEW = f"{VERSIONS}/NEW"
LINK = "/opt/edge/tiny/current"
#: what lies there -> what the new version remembers as the one before
BEFORE = {
    "the current one": ({LINK: f"->versions/{OLD}", f"{VERSIONS}/{OLD}/model.edge": "old"}, OLD),
    "the same again": ({LINK: "->versions/NEW", f"{NEW}/previous": f"->../{OLD}", f"{VERSIONS}/{OLD}/model.edge": "old"}, OLD),
    "a ghost, as an older edge left it": ({LINK: "->versions/NEW", f"{NEW}/previous": f"->../{ODD}", f"{VERSIONS}/{OLD}/model.edge": "old"}, OLD),
    "over an empty one": (
        {
            LINK: f"->versions/{OLD}",
            f"{VERSIONS}/{OLD}/model.edge": "",
            f"{VERSIONS}/{OLD}/previous": f"->../{OLDER}",
            f"{VERSIONS}/{OLDER}/model.edge": "older",
        },
        OLDER,
    ),
    "nothing whole": ({LINK: f"->versions/{OLD}", f"{VERSIONS}/{OLD}/model.edge": ""}, ""),
}


@pytest.mark.parametrize(("held", "before"), list(BEFORE.values()), ids=list(BEFORE))
def test_two_versions_are_kept(held: dict[str, str], before: str, tmp_path: Path, edge_file: Path, flash: Flash) -> None:
    new = version(edge_file)
    image = card(tmp_path / "card.img", {}, {path.replace("NEW", new): text.replace("NEW", new) for path, text in held.items()})
    flash(image)
    left = {line.split("/")[5] for line in debugfs(image, f"ls -p {VERSIONS}").splitlines() if line}
    assert left == {".", "..", new, *filter(None, [before])}
    assert not before or f'Fast link dest: "../{before}"' in debugfs(image, f"stat {VERSIONS}/{new}/previous")


@pytest.mark.parametrize("held", [{}, {"/opt/edge/tiny/versions": "a file"}, {f"{VERSIONS}/{OLD}": "a file"}, {VERSIONS: "->/etc"}])
def test_odd_versions_are_left_alone(held: dict[str, str], tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", {}, {"/etc/hostname": "pi", **held})
    before = image.read_bytes()
    root = Volume(tmp_path, image.name, Partition(2, LINUX, ROOT_AT, ROOT_MB * MB), "card")
    assert (remove_outdated(root, Payload("tiny", b""), ""), image.read_bytes() == before) == (0, True)


def test_their_room_is_used(tmp_path: Path, flash: Flash) -> None:
    """With a file of somebody else's of that size it is refused (test_hostile_images.py)."""
    image = card(tmp_path / "card.img", {}, {f"{VERSIONS}/{OLDEST}/model.edge": "x" * (10 * MB)})
    assert flash(image).splitlines()[2:] == ["an older version removed"]


def test_what_lies_there_already_needs_no_room_again(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img")
    flash(image)
    said = dict(re.findall(r"^(Free blocks|Reserved block count|Block size): +([0-9]+)", debugfs(image, "stats"), re.MULTILINE))
    free = (int(said["Free blocks"]) - int(said["Reserved block count"])) * int(said["Block size"])
    (tmp_path / "big").write_bytes(bytes([1]) * (free - MB - MB // 16))
    run("debugfs", "-w", "-R", f"write {tmp_path}/big big", f"{image}?offset={ROOT_AT}")
    flash(image)


def test_a_service_is_enabled(tmp_path: Path, flash: Flash) -> None:
    image = card(tmp_path / "card.img", {}, SYSTEMD)
    flash(image, service=True)
    unit = root_file(image, "/etc/systemd/system/edge-tiny.service", tmp_path / "unit")
    assert b'\nExecStart="/opt/edge/tiny/current/model.edge" --verify\n' in unit
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


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKiJYjQF0CPLSTvVgXMgsbEAJYO0jPvVXeUwfTSTeREi you@desk"
ALL = {"host_name": "cam-1", "user": "ann", "wifi": "my net", "wifi_country": "DE"}
SECRETS = {"EDGE_USER_PASSWORD": "correct horse", "EDGE_WIFI_PASSWORD": "battery staple"}


def plain_files(kind: str) -> tuple[dict[str, str], dict[str, str]]:
    """What an untouched image of that kind holds."""
    by_firstboot = f"{CMDLINE} init=/usr/lib/raspberrypi-sys-mods/firstboot\n"
    return {
        "cloud-init": (
            {"cmdline.txt": CMDLINE, "user-data": "#cloud-config\n", "meta-data": "instance-id: x\n", "network-config": "\n"},
            {**SYSTEMD, "/usr/bin/cloud-init": ""},
        ),
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
        assert boot_file(image, "meta-data").startswith(b'instance-id: "edge-')
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


@pytest.mark.parametrize("name", ["mobilenet_v2", "../../etc/passwd", "a b;rm\n", "-rf", "...", "ü"])
def test_any_models_name_is_plain_to_debugfs(name: str) -> None:
    assert ext4.plain(Payload(safe_name(name), b"").path)


@pytest.mark.parametrize("path", ["relative", "/a b", "/a;b", "/a\nrm x", "/../x", "/-x", '/"x"', "/"])
def test_debugfs_gets_no_word_that_means_something_to_it(path: str) -> None:
    with pytest.raises(ValueError, match="not a plain path"):
        ext4.plain(path)


def test_the_command_line(tmp_path: Path, edge_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = card(tmp_path / "card.img")
    assert cli.main(["flash", str(edge_file), "--image", str(image)]) == 0
    assert capsys.readouterr().out.startswith(f"{image}: {SIZE / 1e6:.0f} MB\nmodel tiny: /opt/edge/tiny/versions/")


def test_two_at_once_on_one_image(tmp_path: Path, flash: Flash) -> None:
    """The second would begin from the image without the first one's model, and take its place."""
    path = card(tmp_path / "card.img")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(EdgeError) as caught:
            flash(path)
    assert str(caught.value) == f"{path}: is being changed by another edge flash (wait for it)"
    flash(path)
