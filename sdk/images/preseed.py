"""First boot by one TOML file: `rpi-preseed.toml`, and the `custom.toml` that came before it.

They share their sections and differ in the version's type and in what they take for granted about passwords.  Each has room for one
user and one network: another one than the file names is refused.
[raspberrypi/rpi-preseed: rpi-preseed.5; raspberrypi-sys-mods: init_config]
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.errors import EdgeError
from edge.images import toml_files
from edge.images.first_boot import LOCKED, FirstBoot
from edge.images.toml_files import Value

RPI_PRESEED, CUSTOM = "rpi-preseed.toml", "custom.toml"


def rpi_preseed(config: FirstBoot, old: bytes | None = None, where: str = "the image") -> bytes:
    return made(config, RPI_PRESEED, "1.0", old, where)


def custom_toml(config: FirstBoot, old: bytes | None = None, where: str = "the image") -> bytes:
    return made(config, CUSTOM, 1, old, where)


def made(config: FirstBoot, name: str, version: Value, old: bytes | None, where: str) -> bytes:
    """The file with what was asked for.  old: as it is in the image, None without one."""
    there = toml_files.read(where, name, old or b"")
    first: dict[str, dict[str, Value]] = {} if "config_version" in there else {"": {"config_version": version}}
    return toml_files.changed(where, name, old or b"", first | sections(config, there, f"its {name}", where))


def sections(config: FirstBoot, there: Mapping[str, object], name: str, where: str) -> dict[str, dict[str, Value]]:
    """What to set, beside what is there."""
    sections: dict[str, dict[str, Value]] = {}
    if config.host_name:
        sections["system"] = {"hostname": config.host_name}
    if config.user:
        user, ssh = table(there, "user"), table(there, "ssh")
        refuse_another(user.get("name"), config.user, where, f"{name} makes the user", "[user]")
        sections["user"] = {"name": config.user}
        if config.password != LOCKED or "password" not in user:
            sections["user"] |= {"password": config.password, "password_encrypted": True}
        sections["ssh"] = {"enabled": True}
        if not user or not config.keys:  # who has a password may go on using it
            sections["ssh"]["password_authentication"] = not config.keys
        known = ssh.get("authorized_keys")
        known = [key for key in known if isinstance(key, str)] if isinstance(known, list) else []
        if config.keys:
            sections["ssh"]["authorized_keys"] = [*known, *(key for key in config.keys if key not in known)]
    if config.wifi:
        refuse_another(table(there, "wlan").get("ssid"), config.wifi.ssid, where, f"{name} joins the network", "[wlan]")
        sections["wlan"] = {"ssid": config.wifi.ssid, "password": config.wifi.key, "password_encrypted": True, "hidden": False}
        if config.wifi.country:
            sections["wlan"]["country"] = config.wifi.country
    return sections


def table(there: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = there.get(name)
    return found if isinstance(found, dict) else {}


def refuse_another(known: object, asked: str, where: str, what: str, section: str) -> None:
    if known not in (None, "", asked):
        raise EdgeError(where, f"{what} '{known}', and has room for one", f"take {section} out of it to replace it")
