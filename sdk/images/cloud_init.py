"""First boot by cloud-init's NoCloud files.  What the image's own files say stays; a file that edge makes is JSON, which is YAML.

[cloud-init: NoCloud, kernel command line, modules; netplan: wifis; Raspberry Pi OS: cloud-init on Raspberry Pi OS, 2025]
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial

from edge.errors import EdgeError
from edge.images.first_boot import LOCKED, FirstBoot, Wifi
from edge.images.yaml_files import BY_HAND, Tree, changed, put, said

#: those of Raspberry Pi OS's own first user; cloud-init leaves out none that is missing, so no exotic ones
GROUPS = "users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo"
HEADER = "#cloud-config"
#: how user-data begins that is no list of settings -> what it is  [cloud-init: user-data formats]
OTHER_FORMS = (
    ("#!", "a script"),
    ("## template:", "a template"),
    ("#include", "a list of addresses"),
    ("#cloud-boothook", "a boot hook"),
    ("#cloud-config-", "an archive or a patch"),
    ("#part-handler", "a handler of parts"),
    ("Content-Type:", "a message of several parts"),
    ("MIME-Version:", "a message of several parts"),
    ("\x1f\x8b", "packed"),
)
PASSWORDS = ("passwd", "plain_text_passwd", "hashed_passwd")
INSTANCE = re.compile(r"(?P<before>\bds=nocloud(?:-net)?;(?:[^\s;]*;)*?(?:i|instance-id)=)[^;\s]*")
Old = Callable[[str], bytes | None]


def nothing(name: str) -> None:
    """An image without a file of that name."""


def files(config: FirstBoot, old: Old = nothing, where: str = "the image") -> tuple[dict[str, bytes], str]:
    """user-data, network-config and meta-data, each as far as it changes, and the new instance-id, which makes cloud-init run again.

    old: what the image's file of that name holds, None without one.  where: the image, for messages.
    """
    made, data = {}, old("user-data")
    if data is None or config.host_name or config.user:
        require_settings(data or b"", where)
        change = partial(tell, config=config, alone=not settled(data or b""), where=where)
        made["user-data"] = changed(where, "user-data", data or b"", change, HEADER)
    if config.wifi:
        before = old("network-config") or b""
        made["network-config"] = changed(where, "network-config", before, partial(join, wifi=config.wifi, where=where))
    whole = {name: made.get(name, old(name) or b"") for name in ("user-data", "network-config")}
    instance = f"edge-{hashlib.sha256(b''.join(whole.values())).hexdigest()[:16]}"
    return {**made, "meta-data": changed(where, "meta-data", old("meta-data") or b"", partial(rename, instance=instance))}, instance


def require_settings(data: bytes, where: str) -> None:
    """EdgeError for user-data that cloud-init would not read as settings."""
    text = data.decode("utf-8-sig", "replace").lstrip("\n")
    for beginning, what in OTHER_FORMS:
        if text.startswith(beginning):
            raise EdgeError(where, f"its user-data is {what}, to which edge cannot add settings", BY_HAND)
    if settled(data) and not text.startswith(HEADER):
        raise EdgeError(where, f"its user-data does not begin with {HEADER}, so cloud-init does not read it", BY_HAND)


def settled(data: bytes) -> bool:
    """Does it hold more than comments?"""
    return bool(re.sub(rb"(?m)^\s*(#.*)?$", b"", data.removeprefix(b"\xef\xbb\xbf")).strip())


def rename(data: Tree, instance: str) -> None:
    put(data, "instance-id", instance)
    if "dsmode" not in data:
        put(data, "dsmode", "local")


def tell(data: Tree, config: FirstBoot, alone: bool, where: str) -> None:
    """The host name and the user among the settings that are there.  alone: there are none."""
    if config.host_name:
        put(data, "hostname", config.host_name)
        put(data, "manage_etc_hosts", True)
        if data.get("preserve_hostname"):
            put(data, "preserve_hostname", False)
        if isinstance(fqdn := data.get("fqdn"), str):  # some systems prefer it
            put(data, "fqdn", ".".join([config.host_name, *fqdn.split(".")[1:]]))
    if config.user:
        add_user(data, config, alone, where)
        put(data, "enable_ssh", True)
        if alone or not config.keys:  # others may log in with their passwords
            put(data, "ssh_pwauth", not config.keys)


def add_user(data: Tree, config: FirstBoot, alone: bool, where: str) -> None:
    """Beside those that are there: `users` replaces the image's default user, unless it names it."""
    users = data.get("users")
    if users is None:
        put(data, "users", [] if alone else ["default"])
        users = data["users"]
    if not isinstance(users, list):
        raise EdgeError(where, "the 'users' of its user-data is not a list", BY_HAND)
    place = next((i for i, one in enumerate(users) if (one.get("name") if isinstance(one, Mapping) else one) == config.user), None)
    if place is None:
        users.append(said({"name": config.user, "gecos": config.user, "groups": GROUPS, "shell": "/bin/bash"}))
        place = -1
    if not isinstance(users[place], MutableMapping):
        users[place] = said({"name": config.user})
    user: Tree = users[place]
    set_password(data, user, config, where)
    keys = user.get("ssh_authorized_keys")
    there = list(keys) if isinstance(keys, list) else [keys] if isinstance(keys, str) else []
    if new := [key for key in config.keys if key not in there]:
        put(user, "ssh_authorized_keys", [*there, *new])


def set_password(data: Tree, user: Tree, config: FirstBoot, where: str) -> None:
    """A password that is there stays when none is given."""
    chpasswd = data.get("chpasswd")
    known = chpasswd if isinstance(chpasswd, Mapping) else {}
    others, lines = known.get("users"), known.get("list")
    lines = lines.splitlines() if isinstance(lines, str) else lines if isinstance(lines, list) else []
    listed = any(str(line).startswith(f"{config.user}:") for line in lines)
    mine = [one for one in others if isinstance(one, Mapping) and one.get("name") == config.user] if isinstance(others, list) else []
    if config.password == LOCKED:
        if not (listed or mine or any(user.get(key) for key in PASSWORDS)):
            put(user, "lock_passwd", True)
            put(user, "sudo", "ALL=(ALL) NOPASSWD:ALL")  # who has no password cannot answer sudo either
        return
    if listed:
        raise EdgeError(where, f"its user-data sets the password of {config.user} in 'chpasswd'", "take that line out, or leave out the password")
    if mine and isinstance(others, list) and isinstance(chpasswd, MutableMapping):  # it comes after `users`, and would win
        for one in mine:
            others.remove(one)
        if not others:
            del chpasswd["users"]
    for key in PASSWORDS:
        user.pop(key, None)
    put(user, "lock_passwd", False)
    put(user, "passwd", config.password)


def join(data: Tree, wifi: Wifi, where: str) -> None:
    """A network more, in netplan's version 2.  A password of 64 hexadecimal digits is the key itself."""
    if not data:
        put(data, "network", {"version": 2, "ethernets": {"eth0": {"dhcp4": True, "optional": True}}})
    network = data.get("network", data)
    if not isinstance(network, MutableMapping) or network.get("version") != 2:
        raise EdgeError(where, "its network-config is not in netplan's version 2, to which edge adds a network", BY_HAND)
    wlan = below(below(network, "wifis", where), "wlan0", where)
    if not wlan:
        put(wlan, "dhcp4", True)
        put(wlan, "optional", True)
    put(below(wlan, "access-points", where), wifi.ssid, {"password": wifi.key})
    if wifi.country:
        put(wlan, "regulatory-domain", wifi.country)


def below(tree: Tree, key: str, where: str) -> Tree:
    """The mapping of that name, made when it is not there."""
    if tree.get(key) is None:
        put(tree, key, {})
    found = tree[key]
    if not isinstance(found, MutableMapping):
        raise EdgeError(where, f"the '{key}' of its network-config is not a mapping", BY_HAND)
    return found


def command_line(cmdline: str, instance: str) -> str:
    """The kernel's words with our instance-id: one that stands there (rpi-imager writes it) goes before that of meta-data."""
    return INSTANCE.sub(lambda match: match["before"] + instance, cmdline)
