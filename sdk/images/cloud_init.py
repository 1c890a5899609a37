"""First boot by cloud-init's NoCloud files.  They are YAML, and JSON is YAML: so no quoting of ours can be wrong.

[cloud-init: NoCloud, modules; netplan: wifis; Raspberry Pi OS: cloud-init on Raspberry Pi OS, 2025]
"""

from __future__ import annotations

import hashlib
import json

from edge.images.first_boot import LOCKED, FirstBoot, Wifi

#: those of Raspberry Pi OS's own first user; cloud-init leaves out none that is missing, so no exotic ones
GROUPS = "users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo"


def files(config: FirstBoot) -> dict[str, bytes]:
    """user-data, network-config (with Wi-Fi only) and meta-data, whose new instance-id makes cloud-init run again."""
    made = {"user-data": b"#cloud-config\n" + text(user_data(config))}
    if config.wifi:
        made["network-config"] = text(network(config.wifi))
    digest = hashlib.sha256(b"".join(made.values())).hexdigest()[:16]
    return {**made, "meta-data": text({"dsmode": "local", "instance-id": f"edge-{digest}"})}


def user_data(config: FirstBoot) -> dict[str, object]:
    data: dict[str, object] = {}
    if config.host_name:
        data |= {"hostname": config.host_name, "manage_etc_hosts": True}
    if config.user:
        locked = config.password == LOCKED
        user: dict[str, object] = {"name": config.user, "gecos": config.user, "groups": GROUPS, "shell": "/bin/bash", "lock_passwd": locked}
        # Who has no password cannot answer sudo either.
        user |= {"sudo": "ALL=(ALL) NOPASSWD:ALL"} if locked else {"passwd": config.password}
        user |= {"ssh_authorized_keys": list(config.keys)} if config.keys else {}
        data |= {"users": [user], "enable_ssh": True, "ssh_pwauth": not config.keys}
    return data


def network(wifi: Wifi) -> dict[str, object]:
    """netplan, version 2.  A password of 64 hexadecimal digits is the key itself."""
    wlan: dict[str, object] = {"dhcp4": True, "optional": True, "access-points": {wifi.ssid: {"password": wifi.key}}}
    if wifi.country:
        wlan["regulatory-domain"] = wifi.country
    return {"network": {"version": 2, "ethernets": {"eth0": {"dhcp4": True, "optional": True}}, "wifis": {"wlan0": wlan}}}


def text(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
