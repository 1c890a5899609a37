"""First boot by a script: systemd runs what the kernel's command line names, once, and the script takes itself off that line.

The image's own helpers (imager_custom, userconf) do the work where they are there, as they know their release; each line has a plain way beside it.
[Raspberry Pi OS 10 to 12; systemd.run: kernel-command-line(7), systemd-run-generator(8)]
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator

from edge.errors import EdgeError
from edge.images.first_boot import LOCKED, FirstBoot

SCRIPT = "firstrun.sh"
IMAGER, USERCONF = "/usr/lib/raspberrypi-sys-mods/imager_custom", "/usr/lib/userconf-pi/userconf"
#: as NetworkManager's keyfile format reads a value: a backslash and a semicolon mean something
KEYFILE = str.maketrans({"\\": "\\\\", ";": "\\;"})


#: the last lines of a script: it takes itself away.  rpi-imager and edge write them.
TAIL = re.compile(r"\s*(rm\s.*firstrun\.sh.*|sed\s.*systemd.*cmdline\.txt.*|exit 0|#.*|)")
LEAVES = re.compile(r"^\s*(exit|exec|return)\b", re.MULTILINE)
MAKES_USER = re.compile(rf"""(?:{USERCONF}|\buserconf)\s+(['"]?)([a-z_][a-z0-9_-]*)\1""")
RUNS = re.compile(r"\bsystemd\.run=(?:\"[^\"]*\"|\S*)")
MAX_SCRIPT = 64 << 10
BY_HAND = "add the settings to it by hand, or use a fresh copy of the image"


def files(config: FirstBoot, boot: str, cmdline: str, old: bytes | None = None, where: str = "the image") -> dict[str, bytes]:
    """The script and the command line that runs it.  boot: where the running system mounts the boot partition.

    old: the script that is there; its lines go first, so that ours are the last word.
    """
    line = cmdline.strip()
    if "\n" in line or "\0" in line:
        raise EdgeError("cmdline.txt", "has more than one line", "write a fresh copy of the image")
    there = [word.partition("=")[2].strip('"') for word in RUNS.findall(line)]
    if any(not word.endswith(f"/{SCRIPT}") for word in there):
        raise EdgeError(where, f"its cmdline.txt runs '{there[-1]}' at the first start already, and has room for one", BY_HAND)
    if old is not None and not there:
        raise EdgeError(where, f"its {SCRIPT} is there, but nothing runs it", f"take {SCRIPT} out of it, or use a fresh copy of the image")
    words = [word for word in line.split(" ") if not word.startswith(("systemd.run", "systemd.unit="))]
    words += [f"systemd.run={boot}/{SCRIPT}", "systemd.run_success_action=reboot", "systemd.unit=kernel-command-line.target"]
    lines = [*beginning(old, config, where), *settings(config, old), *ending(boot)]
    return {SCRIPT: ("\n".join(lines) + "\n").encode(), "cmdline.txt": (" ".join(filter(None, words)) + "\n").encode()}


def beginning(old: bytes | None, config: FirstBoot, where: str) -> list[str]:
    """The lines of the script that is there, without those by which it ends."""
    if not old:
        return ["#!/bin/sh", "# Written by edge; runs once, at the first start.", "set +e"]
    text = old.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = text.rstrip("\n").split("\n")
    kept = next((i for i in range(len(lines), 0, -1) if not TAIL.fullmatch(lines[i - 1])), 0)
    sound = re.match(r"#!\s*/(usr/)?bin/(env )?(ba|da)?sh\b", text) and len(old) <= MAX_SCRIPT and old.decode("utf-8", "replace").encode() == old
    if not sound or LEAVES.search("\n".join(lines[:kept])) or not any("cmdline.txt" in line for line in lines[kept:]):
        raise EdgeError(where, f"its {SCRIPT} is not written as rpi-imager or edge write it, so edge cannot add settings to it", BY_HAND)
    others = {name for _, name in MAKES_USER.findall(text)} - {config.user}
    if config.user and others:
        raise EdgeError(where, f"its {SCRIPT} makes the user '{min(others)}', and has room for one", f"--user {min(others)}, or {BY_HAND}")
    return [*lines[:kept], "# Added by edge.", "set +e"]


def settings(config: FirstBoot, old: bytes | None) -> Iterator[str]:
    """What was asked for.  old: a script that goes before: who has a password by it keeps it."""
    known = config.user in {name for _, name in MAKES_USER.findall((old or b"").decode("utf-8", "replace"))}
    if config.host_name:
        yield from host_name(config.host_name)
    if config.user:
        if not (known and config.password == LOCKED):
            yield from user(config)
        yield from ssh(config, known)
    if config.wifi:
        yield from wifi(config.wifi.ssid, config.wifi.key, config.wifi.country)


def ending(boot: str) -> Iterator[str]:
    """The secrets go with the script, and the line that would run it again."""
    yield f"sed -i -e 's| systemd\\.run[^ ]*||g' -e 's| systemd\\.unit=[^ ]*||g' {boot}/cmdline.txt"
    yield f"rm -f {boot}/{SCRIPT}"
    yield "exit 0"


def either(test: str, then: list[str], otherwise: list[str]) -> Iterator[str]:
    yield from (f"if {test}; then", *(f"  {line}" for line in then), "else", *(f"  {line}" for line in otherwise), "fi")


def host_name(name: str) -> Iterator[str]:
    word = shlex.quote(name)
    hosts = f"sed -i 's/^127\\.0\\.1\\.1.*/127.0.1.1\\t{name}/' /etc/hosts"
    yield from either(f"[ -x {IMAGER} ]", [f"{IMAGER} set_hostname {word}"], [f"echo {word} >/etc/hostname", hosts])


def user(config: FirstBoot) -> Iterator[str]:
    """The first user, number 1000, gets the name and the hash; Debian's own images have none, so it is made."""
    name, secret = shlex.quote(config.user), shlex.quote(config.password)
    rename = [f'usermod -l {name} "$first"', f"usermod -m -d /home/{name} {name}", f'groupmod -n {name} "$first"']
    make = [f"useradd -m -s /bin/bash -u 1000 {name}", f"usermod -a -G sudo {name}", f"first={name}"]
    plain = [f'[ -n "$first" ] || {{ {"; ".join(make)}; }}']
    plain += [f'[ "$first" = {name} ] || {{ {"; ".join(rename)}; }}', f"usermod -p {secret} {name}"]
    yield "first=$(getent passwd 1000 | cut -d: -f1)"
    yield from either(f"[ -x {USERCONF} ]", [f"{USERCONF} {name} {secret}"], plain)
    if config.password == LOCKED:
        yield f"echo {shlex.quote(config.user + ' ALL=(ALL) NOPASSWD:ALL')} >/etc/sudoers.d/010_edge"
        yield "chmod 440 /etc/sudoers.d/010_edge"


def ssh(config: FirstBoot, known: bool = False) -> Iterator[str]:
    """known: there is a login with a password, which stays."""
    if config.keys:
        yield "home=$(getent passwd 1000 | cut -d: -f6)"
        yield 'install -o 1000 -g 1000 -m 700 -d "$home/.ssh"'
        yield f"printf '%s\\n' {' '.join(map(shlex.quote, config.keys))} >>\"$home/.ssh/authorized_keys\""
        yield 'chown 1000:1000 "$home/.ssh/authorized_keys"'
        yield 'chmod 600 "$home/.ssh/authorized_keys"'
        if not known:
            yield "mkdir -p /etc/ssh/sshd_config.d"
            yield "echo 'PasswordAuthentication no' >/etc/ssh/sshd_config.d/10-edge.conf"
    else:
        yield "rm -f /etc/ssh/sshd_config.d/10-edge.conf"
    yield "systemctl enable ssh"


def wifi(ssid: str, key: str, country: str) -> Iterator[str]:
    """A profile of NetworkManager, or a block of wpa_supplicant where that rules, beside those that are there.

    The ssid of a block is written in hexadecimal, so no quoting can be wrong.
    """
    name = f"edge-{hashlib.sha256(ssid.encode()).hexdigest()[:8]}"
    profile = f"/etc/NetworkManager/system-connections/{name}.nmconnection"
    shown = ssid.translate(KEYFILE).replace(" ", "\\s", 1) if ssid.startswith(" ") else ssid.translate(KEYFILE)
    wireless = ("[connection]", f"id={name}", "type=wifi", "[wifi]", "mode=infrastructure", f"ssid={shown}")
    security = ("[wifi-security]", "key-mgmt=wpa-psk", f"psk={key}")
    text = (*wireless, *security, "[ipv4]", "method=auto", "[ipv6]", "method=auto")
    manager = ["umask 077", f"printf '%s\\n' {' '.join(map(shlex.quote, text))} >{profile}", "umask 022"]
    control = ("ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev", "update_config=1")
    block = ("network={", f"ssid={ssid.encode().hex()}", f"psk={key}", "}")
    old = "/etc/wpa_supplicant/wpa_supplicant.conf"
    supplicant = [
        f"[ -s {old} ] || printf '%s\\n' {' '.join(map(shlex.quote, control))} >{old}",
        *([f"grep -q '^country=' {old} || sed -i '2a country={country}' {old}"] if country else []),
        f"printf '%s\\n' {' '.join(map(shlex.quote, block))} >>{old}",
        f"chmod 600 {old}",
    ]
    yield from either("[ -d /etc/NetworkManager/system-connections ]", manager, supplicant)
    if country:
        yield f"command -v raspi-config >/dev/null && raspi-config nonint do_wifi_country {country}"
    yield "rfkill unblock wifi"
