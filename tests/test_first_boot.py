"""What a card is told about its first start: passwords become hashes, no word of the user's means anything to YAML, TOML or sh."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.images import cloud_init, debian_files, firstrun, preseed
from edge.images.boot_kinds import SIGNS, WRITERS, Image, configure, kind_of
from edge.images.first_boot import LOCKED, FirstBoot, Wifi, first_boot, read_keys
from edge.images.passwords import ALPHABET, new_salt, sha512_crypt, wpa_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKiJYjQF0CPLSTvVgXMgsbEAJYO0jPvVXeUwfTSTeREi you@desk"
NASTY = "a'b\"; $(touch pwned) `touch pwned` \\ ;=#:[x]"
HASH = "$6$salt$hash"


@pytest.mark.parametrize(
    ("password", "salt"),
    [
        ("Hello world!", "saltstring"),
        ("p", "0123456789abcdef"),
        ("a password that is longer than the sixty-four bytes of one digest, by a few letters", "./Ab"),
        ("grün und 日本", "salt"),
    ],
)
def test_a_password_is_hashed_as_openssl_does(password: str, salt: str, tool: Callable[[str, str], str]) -> None:
    openssl = tool("openssl", "apt-get install openssl")
    said = subprocess.run([openssl, "passwd", "-6", "-salt", salt, "-stdin"], input=password + "\n", capture_output=True, text=True, check=True)
    assert sha512_crypt(password, salt) == said.stdout.strip()


def test_salts_differ() -> None:
    salts = {new_salt() for _ in range(20)}
    assert len(salts) == 20 and all(len(salt) == 16 and set(salt) <= set(ALPHABET) for salt in salts)


@pytest.mark.parametrize(
    ("password", "ssid", "key"),
    [  # IEEE 802.11, test vectors of the passphrase mapping
        ("password", "IEEE", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"),
        ("ThisIsAPassword", "ThisIsASSID", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"),
        ("a" * 32, "Z" * 32, "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"),
    ],
)
def test_a_wifi_key_is_the_standards(password: str, ssid: str, key: str) -> None:
    assert wpa_key(password, ssid) == key


def asked(**words: object) -> FirstBoot:
    known: dict[str, object] = {"host_name": "", "user": "", "key_file": None, "ssid": "", "country": "", "ask": None}
    return first_boot(**(known | words))  # type: ignore[arg-type]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "id.pub"
    path.write_text(f"# mine\n{KEY}\n\n")
    return path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"host_name": "Cam_1"}, "--host-name: 'Cam_1' is not a host name (small letters, digits and hyphens, at most 63)"),
        ({"host_name": "-x"}, "--host-name: '-x' is not a host name (small letters, digits and hyphens, at most 63)"),
        ({"user": "root"}, "--user: 'root' cannot be the name of a user (small letters, digits, _ and -, at most 32, and none of the system's)"),
        ({"user": "a b"}, "--user: 'a b' cannot be the name of a user (small letters, digits, _ and -, at most 32, and none of the system's)"),
        ({"user": "ann"}, "--user: ann could not log in: there is no password and no --ssh-key (set EDGE_USER_PASSWORD, or give --ssh-key FILE)"),
        ({"country": "de"}, "--wifi-country: 'de' is not a country (two capitals: DE, GB, US)"),
        ({"country": "DE"}, "--wifi-country: needs --wifi (name the network)"),
        ({"ssid": "x" * 33}, f"--wifi: '{'x' * 33}' is not the name of a network (1 to 32 bytes that print)"),
        ({"ssid": "a\nb"}, "--wifi: 'a b' is not the name of a network (1 to 32 bytes that print)"),
        ({"ssid": "net"}, "--wifi: a Wi-Fi password has 8 to 63 letters (set EDGE_WIFI_PASSWORD, or answer the prompt)"),
        (
            {"ssid": "net", "ask": lambda text: "seven77"},
            "--wifi: a Wi-Fi password has 8 to 63 letters (set EDGE_WIFI_PASSWORD, or answer the prompt)",
        ),
        (
            {"user": "ann", "ask": lambda text: "a\x1bb"},
            "EDGE_USER_PASSWORD: holds a line break or another character that does not print (type it again)",
        ),
    ],
)
def test_mistakes_are_told(words: dict[str, object], message: str) -> None:
    with pytest.raises(EdgeError) as caught:
        asked(**words)
    assert str(caught.value) == message


def test_a_key_needs_a_user(key_file: Path) -> None:
    with pytest.raises(EdgeError) as caught:
        asked(key_file=key_file)
    assert str(caught.value) == "--ssh-key: needs --user (say whose key it is)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "{path}: is a private key, which never leaves your machine (give {path}.pub)"),
        ("hello\n", "{path}: is not a file of public ssh keys (give the .pub file of your key)"),
        ("", "{path}: is not a file of public ssh keys (give the .pub file of your key)"),
        (f"{KEY}\x07\n", "{path}: is not a file of public ssh keys (give the .pub file of your key)"),
        (f"{KEY}\n" * 2000, "{path}: is not a file of public ssh keys (give the .pub file of your key)"),
        (f'command="rm" {KEY}\n', "{path}: is not a file of public ssh keys (give the .pub file of your key)"),
    ],
)
def test_a_file_that_holds_no_public_key(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "id"
    path.write_text(text)
    with pytest.raises(EdgeError) as caught:
        read_keys(path)
    assert str(caught.value) == message.format(path=path)


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as caught:
        read_keys(tmp_path / "none.pub")
    assert str(caught.value) == f"{tmp_path / 'none.pub'}: No such file or directory (give the .pub file of your key)"


def test_secrets_come_from_a_prompt_or_the_environment(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return "correct horse"

    config = asked(user="ann", ssid="net", ask=answer)
    assert prompts == ["password of ann on the card: ", "password of the network net: "]
    salt = config.password.split("$")[2]
    assert config.password == sha512_crypt("correct horse", salt) and config.wifi == Wifi("net", wpa_key("correct horse", "net"))
    assert asked(user="ann", key_file=key_file, ask=lambda text: "").password == LOCKED
    monkeypatch.setenv("EDGE_WIFI_PASSWORD", "AB" * 32)
    assert asked(ssid="net", country="DE").wifi == Wifi("net", "ab" * 32, "DE")


def image(boot: set[str] | None = None, cmdline: str = "", fstab: str = "", paths: set[str] | None = None) -> Image:
    return Image(frozenset(boot or ()), cmdline, fstab, lambda path: path in (paths or set()))


SYSTEMD = "/usr/lib/systemd/systemd"
PRESEED, INIT = "/usr/lib/systemd/system/rpi-preseed.service", "/usr/lib/raspberrypi-sys-mods/init_config"
FIRSTBOOT = "quiet init=/usr/lib/raspberrypi-sys-mods/firstboot"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (image({"user-data", "meta-data"}, "quiet", paths={SYSTEMD}), "cloud-init"),
        (image({"user-data"}, FIRSTBOOT, paths={SYSTEMD, INIT, PRESEED}), "rpi-preseed"),
        (image(set(), FIRSTBOOT, paths={SYSTEMD, INIT}), "custom.toml"),
        (image(set(), "quiet", paths={SYSTEMD, INIT}), "firstrun.sh"),
        (image(set(), "quiet", paths={"/lib/systemd/systemd"}), "firstrun.sh"),
        (image(set(), "quiet", paths={"/etc/edge-base"}), "edge"),
    ],
)
def test_an_image_shows_its_kind(given: Image, kind: str) -> None:
    assert kind_of(given, "x") == kind


def test_every_kind_has_a_writer() -> None:
    assert list(SIGNS) == list(WRITERS)
    for kind in WRITERS:
        made = configure(FirstBoot(host_name="cam"), kind, image(cmdline="quiet"))
        assert made.boot or made.root


@pytest.mark.parametrize(("fstab", "folder"), [("LABEL=a /boot/firmware vfat\n", "/boot/firmware"), ("LABEL=a /boot vfat\n", "/boot"), ("", "/boot")])
def test_where_the_boot_partition_will_be(fstab: str, folder: str) -> None:
    assert image(fstab=fstab).boot_folder == folder


FULL = FirstBoot("cam", "ann", HASH, (KEY, KEY.replace("you@desk", NASTY)), Wifi(NASTY, "ab" * 32, "DE"))
KEY_ONLY = FirstBoot(user="ann", keys=(KEY,))


def test_cloud_init_is_json_and_so_yaml() -> None:
    files, _ = cloud_init.files(FULL)
    assert list(files) == ["user-data", "network-config", "meta-data"]
    head, data = files["user-data"].split(b"\n", 1)
    assert head == b"#cloud-config"
    told = json.loads(data)
    assert told["users"][0] == {
        "name": "ann", "gecos": "ann", "groups": cloud_init.GROUPS, "shell": "/bin/bash", "lock_passwd": False, "passwd": HASH,
        "ssh_authorized_keys": list(FULL.keys),
    }  # fmt: skip
    assert {key: told[key] for key in told if key != "users"} == {
        "hostname": "cam",
        "manage_etc_hosts": True,
        "enable_ssh": True,
        "ssh_pwauth": False,
    }
    wlan = json.loads(files["network-config"])["network"]["wifis"]["wlan0"]
    assert wlan == {"dhcp4": True, "optional": True, "access-points": {NASTY: {"password": "ab" * 32}}, "regulatory-domain": "DE"}
    assert cloud_init.files(FirstBoot("other"))[0]["meta-data"] != files["meta-data"] == cloud_init.files(FULL)[0]["meta-data"]


def test_a_user_without_a_password_may_use_sudo() -> None:
    user = json.loads(cloud_init.files(KEY_ONLY)[0]["user-data"].split(b"\n", 1)[1])["users"][0]
    assert (user["lock_passwd"], user["sudo"], "passwd" in user) == (True, "ALL=(ALL) NOPASSWD:ALL", False)


@pytest.mark.parametrize(("write", "version"), [(preseed.rpi_preseed, "1.0"), (preseed.custom_toml, 1)])
def test_toml_says_what_was_asked(write: Callable[[FirstBoot], bytes], version: object) -> None:
    assert tomllib.loads(write(FULL).decode()) == {
        "config_version": version,
        "system": {"hostname": "cam"},
        "user": {"name": "ann", "password": HASH, "password_encrypted": True},
        "ssh": {"enabled": True, "password_authentication": False, "authorized_keys": list(FULL.keys)},
        "wlan": {"ssid": NASTY, "password": "ab" * 32, "password_encrypted": True, "hidden": False, "country": "DE"},
    }
    assert tomllib.loads(write(FirstBoot()).decode()) == {"config_version": version}


STUBS = ("getent", "useradd", "usermod", "groupmod", "chown", "systemctl", "rfkill", "raspi-config", "install")


def first_start(tmp_path: Path, config: FirstBoot, *there: str, first: str = "pi") -> tuple[Path, list[str]]:
    """first: user 1000.  Runs the script in a folder that stands for the card's root, with programs that write down how they are called."""
    root, programs, log = tmp_path / "root", tmp_path / "bin", tmp_path / "log"
    for folder in ("etc/ssh", "etc/wpa_supplicant", "etc/sudoers.d", "boot", "home/pi/.ssh", "usr/lib/userconf-pi", *there):
        (root / folder).mkdir(parents=True, exist_ok=True)
    programs.mkdir()
    log.touch()
    for name in STUBS:
        answer = f"echo {first}:x:1000:1000::{root}/home/pi:/bin/sh" if name == "getent" and first else ":"
        (programs / name).write_text(f'#!/bin/sh\nprintf "%s|" "${{0##*/}}" "$@" >>{log}; echo >>{log}; {answer}\n')
        (programs / name).chmod(0o755)
    (root / "etc/hosts").write_text("127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n")
    for name, data in firstrun.files(config, "/boot", "quiet systemd.unit=old.target splash systemd.show_status=0\n").items():
        text = data.decode() if name == "cmdline.txt" else data.decode().replace(" /etc/", f" {root}/etc/").replace(">/etc/", f">{root}/etc/")
        (root / "boot" / name).write_text(text.replace(" /boot/", f" {root}/boot/"))
    path = f"{programs}:/usr/bin:/bin"
    subprocess.run([shutil.which("sh") or "sh", str(root / "boot/firstrun.sh")], check=True, env={"PATH": path}, cwd=tmp_path, timeout=60)
    return root, log.read_text().splitlines()


def test_the_script_does_it_where_the_system_has_no_helpers(tmp_path: Path) -> None:
    root, calls = first_start(tmp_path, FULL)
    assert (root / "etc/hostname").read_text() == "cam\n"
    assert (root / "etc/hosts").read_text() == "127.0.0.1\tlocalhost\n127.0.1.1\tcam\n"
    assert (root / "home/pi/.ssh/authorized_keys").read_text().splitlines() == list(FULL.keys)
    assert (root / "etc/ssh/sshd_config.d/10-edge.conf").read_text() == "PasswordAuthentication no\n"
    wanted = ["country=DE", "network={", f"ssid={NASTY.encode().hex()}", f"psk={'ab' * 32}", "}"]
    assert (root / "etc/wpa_supplicant/wpa_supplicant.conf").read_text().splitlines()[2:] == wanted
    assert "usermod|-l|ann|pi|" in calls and f"usermod|-p|{HASH}|ann|" in calls and "systemctl|enable|ssh|" in calls
    assert "raspi-config|nonint|do_wifi_country|DE|" in calls
    assert not list(tmp_path.rglob("pwned")), "a name was run as a command"
    # The script has gone, and the words that would run it again; others of systemd's are the user's.
    assert [path.name for path in (root / "boot").iterdir()] == ["cmdline.txt"]
    assert (root / "boot/cmdline.txt").read_text() == "quiet splash systemd.show_status=0\n"


def test_the_script_writes_a_profile_for_network_manager(tmp_path: Path) -> None:
    root, _ = first_start(tmp_path, FULL, "etc/NetworkManager/system-connections")
    profile = root / "etc/NetworkManager/system-connections" / f"edge-{hashlib.sha256(NASTY.encode()).hexdigest()[:8]}.nmconnection"
    assert profile.stat().st_mode & 0o777 == 0o600
    escaped = NASTY.replace("\\", "\\\\").replace(";", "\\;")
    assert f"ssid={escaped}" in profile.read_text().splitlines() and f"psk={'ab' * 32}" in profile.read_text().splitlines()


def test_the_script_lets_a_user_without_a_password_use_sudo(tmp_path: Path) -> None:
    root, calls = first_start(tmp_path, KEY_ONLY)
    assert (root / "etc/sudoers.d/010_edge").read_text() == "ann ALL=(ALL) NOPASSWD:ALL\n"
    assert "usermod|-p|!|ann|" in calls


def test_the_script_makes_a_user_where_there_is_none(tmp_path: Path) -> None:
    """Debian's own images for Raspberry Pis have root only: renaming nobody would lock everybody out."""
    _, calls = first_start(tmp_path, FirstBoot(user="ann", password=HASH), first="")
    made = ["useradd|-m|-s|/bin/bash|-u|1000|ann|", "usermod|-a|-G|sudo|ann|", f"usermod|-p|{HASH}|ann|"]
    assert [call for call in calls if call.startswith("user")] == made


def test_the_script_uses_the_systems_helpers() -> None:
    text = firstrun.files(FULL, "/boot/firmware", "quiet")["firstrun.sh"].decode()
    assert "/usr/lib/raspberrypi-sys-mods/imager_custom set_hostname cam" in text
    assert f"/usr/lib/userconf-pi/userconf ann '{HASH}'" in text


def test_the_small_image_takes_a_name_and_a_user() -> None:
    files = debian_files.configured(FirstBoot("cam", "ann", HASH))
    assert files["/etc/hostname"].data == b"cam\n"
    assert files["/etc/shadow"].data.endswith(b"\nann:$6$salt$hash:19000:0:99999:7:::\n") and files["/etc/shadow"].mode == 0o600


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (KEY_ONLY, "--ssh-key: the small Debian image has no network (give an image of Raspberry Pi OS with --from)"),
        (FirstBoot(wifi=Wifi("n", "k")), "--wifi: the small Debian image has no network (give an image of Raspberry Pi OS with --from)"),
    ],
)
def test_the_small_image_has_no_network(config: FirstBoot, message: str) -> None:
    with pytest.raises(EdgeError) as caught:
        debian_files.configured(config)
    assert str(caught.value) == message
