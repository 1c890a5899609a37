"""First boot by one TOML file: `rpi-preseed.toml`, and the `custom.toml` that came before it.

They share their sections and differ in the version's type and in what they take for granted about passwords.
[raspberrypi/rpi-preseed: rpi-preseed.5; raspberrypi-sys-mods: init_config]
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from edge.images.first_boot import FirstBoot

Value = str | bool | int | list[str]


def rpi_preseed(config: FirstBoot) -> bytes:
    return toml({"": {"config_version": "1.0"}, **sections(config)})


def custom_toml(config: FirstBoot) -> bytes:
    return toml({"": {"config_version": 1}, **sections(config)})


def sections(config: FirstBoot) -> dict[str, dict[str, Value]]:
    made: dict[str, dict[str, Value]] = {}
    if config.host_name:
        made["system"] = {"hostname": config.host_name}
    if config.user:
        made["user"] = {"name": config.user, "password": config.password, "password_encrypted": True}
        made["ssh"] = {"enabled": True, "password_authentication": not config.keys}
        if config.keys:
            made["ssh"]["authorized_keys"] = list(config.keys)
    if config.wifi:
        made["wlan"] = {"ssid": config.wifi.ssid, "password": config.wifi.key, "password_encrypted": True, "hidden": False}
        if config.wifi.country:
            made["wlan"]["country"] = config.wifi.country
    return made


def toml(tables: dict[str, dict[str, Value]]) -> bytes:
    """Of printable strings a JSON string, list or number is a TOML one."""
    return "\n".join(lines(tables)).encode() + b"\n"


def lines(tables: dict[str, dict[str, Value]]) -> Iterator[str]:
    for name, table in tables.items():
        if name:
            yield f"\n[{name}]"
        for key, value in table.items():
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
