"""What a card is told about its first start: host name, user, ssh keys, Wi-Fi.  Everything is checked here, before it becomes YAML or shell.

Passwords come from the environment or a prompt, never from the command line, and only their hash or derived key leaves this file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EdgeError
from edge.images.keys import whole
from edge.images.passwords import new_salt, sha512_crypt, wpa_key

HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
COUNTRY = re.compile(r"[A-Z]{2}")
KEY = re.compile(
    r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]{16,}={0,2}( .*)?"
)
MAX_KEY_FILE = 1 << 16
USER_PASSWORD, WIFI_PASSWORD = "EDGE_USER_PASSWORD", "EDGE_WIFI_PASSWORD"
#: that every Debian has; those of the image at hand are in its /etc/passwd
SYSTEM_USERS = re.compile(
    "root|daemon|bin|sys|sync|games|man|lp|mail|news|uucp|proxy|www-data|backup|list|irc|_apt|nobody|sshd|messagebus|avahi|rtkit"
    "|dnsmasq|systemd-(network|resolve|timesync)|polkitd|tss|uuidd"
)
LOCKED = "!"

#: asks for a secret without showing it; None where there is nobody to ask
AskSecret = Callable[[str], str] | None


@dataclass(frozen=True)
class Wifi:
    """key: 64 hexadecimal digits.  country: two capitals, may be empty."""

    ssid: str
    key: str
    country: str = ""


@dataclass(frozen=True)
class FirstBoot:
    """password: a sha512-crypt hash, or LOCKED.  Empty words leave a thing as the image has it."""

    host_name: str = ""
    user: str = ""
    password: str = LOCKED
    keys: tuple[str, ...] = ()
    wifi: Wifi | None = None

    @property
    def anything(self) -> bool:
        return bool(self.host_name or self.user or self.keys or self.wifi)

    @property
    def secret(self) -> bool:
        return bool(self.password != LOCKED or self.wifi)


def first_boot(host_name: str, user: str, key_file: Path | None, ssid: str, country: str, ask: AskSecret) -> FirstBoot:
    """Checked words and their secrets; '' or None is what was not asked for."""
    if host_name and not HOST_NAME.fullmatch(host_name):
        raise EdgeError("--host-name", f"'{host_name}' is not a host name", "small letters, digits and hyphens, at most 63")
    if user and (not USER.fullmatch(user) or SYSTEM_USERS.fullmatch(user)):
        raise EdgeError("--user", f"'{user}' cannot be the name of a user", "small letters, digits, _ and -, at most 32, and none of the system's")
    keys = read_keys(key_file) if key_file else ()
    if keys and not user:
        raise EdgeError("--ssh-key", "needs --user", "say whose key it is")
    password = user_password(user, bool(keys), ask) if user else LOCKED
    return FirstBoot(host_name, user, password, keys, wifi(ssid, country, ask))


def read_keys(path: Path) -> tuple[str, ...]:
    """The public keys of a file, one a line."""
    where = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise EdgeError(where, error.strerror or "cannot be read", "give the .pub file of your key") from None
    if b"PRIVATE KEY" in data:
        raise EdgeError(where, "is a private key, which never leaves your machine", f"give {where}.pub")
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys or len(data) > MAX_KEY_FILE or not all(KEY.fullmatch(key) and key.isprintable() for key in keys):
        raise EdgeError(where, "is not a file of public ssh keys", "give the .pub file of your key")
    for number, key in enumerate(keys, 1):
        if not whole(key):
            what = f"its key {number} is cut short, damaged or of another type than it says"
            raise EdgeError(where, what, "ssh-keygen -y -f PRIVATE_KEY prints the public key again")
    return keys


def user_password(user: str, has_keys: bool, ask: AskSecret) -> str:
    """The hash.  A user with an ssh key needs no password; anybody else does."""
    secret = os.environ.get(USER_PASSWORD, "")
    if not secret and ask:
        secret = ask(f"password of {user} on the card{' (empty: only the ssh key)' if has_keys else ''}: ")
    if secret:
        return sha512_crypt(checked(secret, USER_PASSWORD), new_salt())
    if not has_keys:
        raise EdgeError("--user", f"{user} could not log in: there is no password and no --ssh-key", f"set {USER_PASSWORD}, or give --ssh-key FILE")
    return LOCKED


def wifi(ssid: str, country: str, ask: AskSecret) -> Wifi | None:
    if country and not COUNTRY.fullmatch(country):
        raise EdgeError("--wifi-country", f"'{country}' is not a country", "two capitals: DE, GB, US")
    if not ssid:
        if country:
            raise EdgeError("--wifi-country", "needs --wifi", "name the network")
        return None
    if len(ssid.encode("utf-8", "replace")) > 32 or not ssid.isprintable():
        raise EdgeError("--wifi", f"'{ssid}' is not the name of a network", "1 to 32 bytes that print")
    secret = os.environ.get(WIFI_PASSWORD, "") or (ask(f"password of the network {ssid}: ") if ask else "")
    if re.fullmatch("[0-9a-fA-F]{64}", secret):
        return Wifi(ssid, secret.lower(), country)
    if not 8 <= len(checked(secret, WIFI_PASSWORD).encode()) <= 63:
        raise EdgeError("--wifi", "a Wi-Fi password has 8 to 63 letters", f"set {WIFI_PASSWORD}, or answer the prompt")
    return Wifi(ssid, wpa_key(secret, ssid), country)


def checked(secret: str, name: str) -> str:
    """A pasted line break, or half a character, would be hashed along and lock the user out."""
    if not secret.isprintable():
        raise EdgeError(name, "holds a line break or another character that does not print", "type it again")
    return secret
