"""First boot by a script: systemd runs what the kernel's command line names, once, and the script takes itself off that line.

The image's own helpers (imager_custom, userconf) do the work where they are there, as they know their release; each line has a plain way beside it.
[Raspberry Pi OS 10 to 12; systemd.run: kernel-command-line(7), systemd-run-generator(8)]
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from edge.errors import EdgeError
from edge.images.first_boot import LOCKED, FirstBoot

SCRIPT = "firstrun.sh"
IMAGER, USERCONF = "/usr/lib/raspberrypi-sys-mods/imager_custom", "/usr/lib/userconf-pi/userconf"
#: as NetworkManager's keyfile format reads a value: a backslash and a semicolon mean something
KEYFILE = str.maketrans({"\\": "\\\\", ";": "\\;"})


def files(config: FirstBoot, boot: str, cmdline: str) -> dict[str, bytes]:
    """The script and the command line that runs it.  boot: where the running system mounts the boot partition."""
    line = cmdline.strip()
    if "\n" in line or "\0" in line:
        raise EdgeError("cmdline.txt", "has more than one line", "write a fresh copy of the image")
    words = [word for word in line.split(" ") if not word.startswith(("systemd.run", "systemd.unit="))]
    words += [f"systemd.run={boot}/{SCRIPT}", "systemd.run_success_action=reboot", "systemd.unit=kernel-command-line.target"]
    return {SCRIPT: ("\n".join(script(config, boot)) + "\n").encode(), "cmdline.txt": (" ".join(filter(None, words)) + "\n").encode()}


def script(config: FirstBoot, boot: str) -> Iterator[str]:
    yield from ("#!/bin/sh", "# Written by edge; runs once, at the first start.", "set +e")
    if config.host_name:
        yield from host_name(config.host_name)
    if config.user:
        yield from user(config)
        yield from ssh(config)
    if config.wifi:
        yield from wifi(config.wifi.ssid, config.wifi.key, config.wifi.country)
    # The secrets go with the script, and the line that would run it again.
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


def ssh(config: FirstBoot) -> Iterator[str]:
    if config.keys:
        yield "home=$(getent passwd 1000 | cut -d: -f6)"
        yield 'install -o 1000 -g 1000 -m 700 -d "$home/.ssh"'
        yield f"printf '%s\\n' {' '.join(map(shlex.quote, config.keys))} >\"$home/.ssh/authorized_keys\""
        yield 'chown 1000:1000 "$home/.ssh/authorized_keys"'
        yield 'chmod 600 "$home/.ssh/authorized_keys"'
        yield "mkdir -p /etc/ssh/sshd_config.d"
        yield "echo 'PasswordAuthentication no' >/etc/ssh/sshd_config.d/10-edge.conf"
    yield "systemctl enable ssh"


def wifi(ssid: str, key: str, country: str) -> Iterator[str]:
    """A profile of NetworkManager, or a block of wpa_supplicant where that rules; its ssid is written in hexadecimal, so no quoting can be wrong."""
    profile = "/etc/NetworkManager/system-connections/edge.nmconnection"
    name = ssid.translate(KEYFILE).replace(" ", "\\s", 1) if ssid.startswith(" ") else ssid.translate(KEYFILE)
    wireless = ("[connection]", "id=edge", "type=wifi", "[wifi]", "mode=infrastructure", f"ssid={name}")
    security = ("[wifi-security]", "key-mgmt=wpa-psk", f"psk={key}")
    text = (*wireless, *security, "[ipv4]", "method=auto", "[ipv6]", "method=auto")
    manager = ["umask 077", f"printf '%s\\n' {' '.join(map(shlex.quote, text))} >{profile}", "umask 022"]
    control = ("ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev", "update_config=1")
    place = (f"country={country}",) if country else ()
    block = (*control, *place, "network={", f"ssid={ssid.encode().hex()}", f"psk={key}", "}")
    old = "/etc/wpa_supplicant/wpa_supplicant.conf"
    yield from either(
        "[ -d /etc/NetworkManager/system-connections ]",
        manager,
        [f"printf '%s\\n' {' '.join(map(shlex.quote, block))} >{old}", f"chmod 600 {old}"],
    )
    if country:
        yield f"command -v raspi-config >/dev/null && raspi-config nonint do_wifi_country {country}"
    yield "rfkill unblock wifi"
