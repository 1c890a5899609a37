"""Settings that would have no effect, users that a system needs, keys that let nobody in: refused, or told."""

from __future__ import annotations

import base64
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.images.boot_kinds import Image, configure
from edge.images.effects import NO_NETWORK, require_effect
from edge.images.first_boot import FirstBoot, Wifi, first_boot, read_keys
from edge.images.keys import fields_of, whole

CLOUD = frozenset({"user-data", "meta-data"})
SYSTEM, PERSON = FirstBoot("x"), FirstBoot(user="ann", password="$6$x")
LEAVE_OUT = "leave out --host-name, --user, --ssh-key and --wifi"
OVERLAY = "its /etc/overlayroot.conf lays the root in memory, which forgets what the first start does (use a fresh copy of the image)"


def image(cmdline: str = "quiet", **root: str) -> Image:
    """root: files by path, / written as _."""
    files = {"/" + name.replace("__", ".").replace("_", "/"): text for name, text in root.items()}
    there = {**files, "/usr/bin/cloud-init": ""} if "without" not in root else files
    return Image(CLOUD, cmdline, "", there.__contains__, root_file=lambda path: there[path].encode() if path in there else None, shown="card.img")


def word(name: str, why: str, cure: str) -> str:
    return f"its cmdline.txt has {name}{why} ({cure})"


USELESS = [
    (
        "cloud-init",
        image("a cloud-init=disabled"),
        SYSTEM,
        word("cloud-init=disabled", ", so its user-data is not read", f"take that word out of it, or {LEAVE_OUT}"),
    ),
    ("cloud-init", image("ds=ec2"), SYSTEM, "its cmdline.txt lets cloud-init read from 'ec2' only, not from user-data (take ds= out of it)"),
    (
        "cloud-init",
        image("ds=nocloud;s=http://x/;i=1"),
        SYSTEM,
        "its cmdline.txt lets cloud-init read from another place (ds=nocloud;s=…), not from user-data (take ds= out of it)",
    ),
    ("cloud-init", image("ds=nocloud;i=rpi-imager-1"), SYSTEM, ""),
    (
        "cloud-init",
        image("network-config=disabled"),
        FirstBoot(wifi=Wifi("n", "k")),
        word("network-config=disabled", ", so no network is joined", "take that word out of it, or leave out --wifi"),
    ),
    ("cloud-init", image("network-config=disabled"), SYSTEM, ""),
    (
        "cloud-init",
        image(**{NO_NETWORK.removeprefix("/").replace("/", "_").replace(".", "__"): "network: {config: disabled}\n"}),
        FirstBoot(wifi=Wifi("n", "k")),
        f"its {NO_NETWORK} keeps cloud-init from networks, so none is joined (use a fresh copy of the image, or leave out --wifi)",
    ),
    (
        "cloud-init",
        image(etc_cloud_cloud__cfg="datasource_list: [ Ec2, None ]\n"),
        SYSTEM,
        f"its /etc/cloud/cloud.cfg lets cloud-init read from 'Ec2, None' only, not from user-data (use a fresh copy of the image, or {LEAVE_OUT})",
    ),
    ("cloud-init", image(etc_cloud_cloud__cfg="datasource_list: [ NoCloud, None ]\n"), SYSTEM, ""),
    ("cloud-init", image("overlayroot=disabled"), SYSTEM, ""),
    ("cloud-init", image(etc_overlayroot__conf='overlayroot_cfgdisk="x"\noverlayroot="tmpfs"\n'), SYSTEM, OVERLAY),
    ("cloud-init", image(etc_overlayroot__conf='overlayroot=""\n'), SYSTEM, ""),
    (
        "cloud-init",
        image(without="", var_lib_dpkg_status=""),
        SYSTEM,
        f"has no cloud-init, so its user-data is not read (take user-data and meta-data out of it, or {LEAVE_OUT})",
    ),
    ("edge", image("boot=overlay"), SYSTEM, ""),
]
USELESS += [
    (
        kind,
        image(f"quiet {name}"),
        SYSTEM,
        word(
            name, ": the root lies in memory, and forgets what the first start does", f"take {name} out of its cmdline.txt until it has started once"
        ),
    )
    for kind in ("firstrun.sh", "cloud-init", "custom.toml", "rpi-preseed")
    for name in ("overlayroot=tmpfs", "boot=overlay", "overlayroot=device:dev=/dev/sda1")
]


@pytest.mark.parametrize(("kind", "given", "config", "message"), USELESS)
def test_what_would_have_no_effect_is_refused(kind: str, given: Image, config: FirstBoot, message: str) -> None:
    if not message:
        assert require_effect(config, kind, given) == []
        return
    with pytest.raises(EdgeError) as caught:
        require_effect(config, kind, given)
    assert str(caught.value) == f"card.img: {message}"


def test_cloud_init_that_is_switched_off() -> None:
    there = {"/etc/cloud/cloud-init.disabled", "/usr/bin/cloud-init"}
    with pytest.raises(EdgeError) as caught:
        require_effect(SYSTEM, "cloud-init", Image(CLOUD, "", "", there.__contains__, shown="card.img"))
    what = "its /etc/cloud/cloud-init.disabled switches cloud-init off, so its user-data is not read"
    assert str(caught.value) == f"card.img: {what} (use a fresh copy of the image, or {LEAVE_OUT})"


def test_where_no_cloud_init_is_seen_it_is_told() -> None:
    notes = require_effect(SYSTEM, "cloud-init", image(without=""))
    assert notes == ["no cloud-init is to be seen in the image: without it nothing reads user-data"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("quiet ds=nocloud;i=rpi-imager-17 splash\n", "quiet ds=nocloud;i=NEW splash\n"),
        ("ds=nocloud;h=a;i=x;y=z", "ds=nocloud;h=a;i=NEW;y=z"),
        ("ds=nocloud-net;instance-id=x", "ds=nocloud-net;instance-id=NEW"),
    ],
)
def test_the_instance_of_the_command_line_is_changed_along(before: str, after: str) -> None:
    """rpi-imager writes it there, and it goes before that of meta-data: cloud-init would not run again."""
    made = configure(SYSTEM, "cloud-init", image(before)).boot
    instance = next(word for word in made["meta-data"].decode().split('"') if word.startswith("edge-"))
    assert made["cmdline.txt"].decode() == after.replace("NEW", instance)
    assert "cmdline.txt" not in configure(SYSTEM, "cloud-init", image("quiet ds=nocloud")).boot


PASSWD = "root:x:0:0::/:/bin/sh\nant-media:x:998:998::/:/bin/false\nann:x:1000:1000::/home/ann:/bin/sh\nnogroup:x:65534:1::/:/bin/false\n"


@pytest.mark.parametrize(("user", "good"), [("ann", True), ("bob", True), ("ant-media", False), ("nogroup", False)])
def test_a_user_of_the_images_system_is_refused(user: str, good: bool) -> None:
    given = image(etc_passwd=PASSWD)
    if good:
        assert require_effect(FirstBoot(user=user), "firstrun.sh", given) == []
        return
    with pytest.raises(EdgeError) as caught:
        require_effect(FirstBoot(user=user), "firstrun.sh", given)
    assert str(caught.value) == f"--user: '{user}' is a user of the system in card.img, not a person (choose another name)"


@pytest.mark.parametrize("user", ["www-data", "sshd", "games", "man", "list", "_apt", "messagebus"])
def test_users_of_every_system_are_refused(user: str) -> None:
    with pytest.raises(EdgeError) as caught:
        first_boot("", user, None, "", "", None)
    cure = "small letters, digits, _ and -, at most 32, and none of the system's"
    assert str(caught.value) == f"--user: '{user}' cannot be the name of a user ({cure})"


# ---- keys


def blob(*fields: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(one)) + one for one in fields)).decode()


ED, RSA, NIST = b"ssh-ed25519", b"ssh-rsa", b"ecdsa-sha2-nistp256"
POINT = bytes(range(32))
GOOD_RSA = blob(RSA, b"\1\0\1", b"\0" + b"\xc1" * 256)
BROKEN = [
    ("cut", "ssh-ed25519 " + blob(ED, POINT)[:-20]),
    ("cut by a byte", "ssh-ed25519 " + blob(ED, POINT[:31])),
    ("another type than it says", "ssh-rsa " + blob(ED, POINT)),
    ("zeros", "ssh-ed25519 " + blob(ED, bytes(32))),
    ("all zeros", "ssh-ed25519 " + base64.b64encode(bytes(51)).decode()),
    ("something behind it", "ssh-ed25519 " + blob(ED, POINT, b"x")),
    ("no base64", "ssh-ed25519 " + "A" * 17),
    ("a short RSA", "ssh-rsa " + blob(RSA, b"\1\0\1", b"\0" + b"\xc1" * 64)),
    ("an even RSA", "ssh-rsa " + blob(RSA, b"\1\0\1", b"\0" + b"\xc0" * 256)),
    ("a negative RSA", "ssh-rsa " + blob(RSA, b"\1\0\1", b"\xc1" * 256)),
    ("another curve", "ecdsa-sha2-nistp256 " + blob(NIST, b"nistp384", b"\4" + POINT * 2)),
    ("half a point", "ecdsa-sha2-nistp256 " + blob(NIST, b"nistp256", b"\4" + POINT)),
    ("a token's without its application", "sk-ssh-ed25519@openssh.com " + blob(b"sk-ssh-ed25519@openssh.com", POINT)),
]


@pytest.mark.parametrize("line", [line for _, line in BROKEN], ids=[name for name, _ in BROKEN])
def test_a_key_that_lets_nobody_in(line: str, tmp_path: Path) -> None:
    path = tmp_path / "id.pub"
    path.write_text(f"ssh-rsa {GOOD_RSA} good\n{line} ann@desk\n")
    with pytest.raises(EdgeError) as caught:
        read_keys(path)
    cure = "ssh-keygen -y -f PRIVATE_KEY prints the public key again"
    assert str(caught.value) == f"{path}: its key 2 is cut short, damaged or of another type than it says ({cure})"


@pytest.mark.parametrize("kind", [["ed25519"], ["rsa", "-b", "1024"], ["ecdsa", "-b", "256"], ["ecdsa", "-b", "384"], ["ecdsa", "-b", "521"]])
def test_keys_of_ssh_keygen_are_whole_and_any_cut_is_not(kind: list[str], tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    keygen = tool("ssh-keygen", "apt-get install openssh-client")
    subprocess.run([keygen, "-q", "-t", *kind, "-N", "", "-C", "a b", "-f", str(tmp_path / "k")], check=True)
    line = (tmp_path / "k.pub").read_text().strip()
    name, text = line.split(" ")[:2]
    data = base64.b64decode(text)
    assert whole(line) and read_keys(tmp_path / "k.pub") == (line,)
    cut = [f"{name} {base64.b64encode(data[:size]).decode()}" for size in range(len(data))]
    assert not any(map(whole, cut))


def test_tokens_keys() -> None:
    for kind, fields in ((b"sk-ssh-ed25519@openssh.com", (POINT,)), (b"sk-ecdsa-sha2-nistp256@openssh.com", (b"nistp256", b"\4" + POINT * 2))):
        assert whole(f"{kind.decode()} {blob(kind, *fields, b'ssh:')}")
    with pytest.raises(ValueError, match="a length is cut"):
        fields_of(b"\0\0")
