"""Reads a device's URI.  Everything in it ends in somebody's argv: nothing may begin with '-', hold a blank, a quote or a control character.

local                                  this machine
ssh://[user@]host[:port]               the user's own OpenSSH; host may be a name of ~/.ssh/config
serial:///dev/ttyUSB0?baud=115200      a serial console (&user=pi)
serial+socket://127.0.0.1:5555         the same behind a TCP socket
adb://SERIAL                           a phone, as `adb devices` names it
virtual://rpi4                         a board that QEMU plays (?via=serial: by its console)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.errors import EdgeError, did_you_mean

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}"
ADDRESS = rf"(?:(?P<user>{NAME})@)?(?P<host>{NAME}|\[[0-9A-Fa-f:.]{{2,45}}(?:%[A-Za-z0-9_.-]+)?\])"
PORT = r":(?P<port>[0-9]{1,5})"
TTY = r"/dev/[A-Za-z0-9_][A-Za-z0-9_./:+-]{0,200}"
OPTIONS = r"(?:\?(?P<options>[A-Za-z0-9_=&.-]{1,200}))?"


@dataclass(frozen=True)
class Grammar:
    """What follows the scheme.  example: shown to those who got it wrong.  options: the words that may follow '?'."""

    pattern: str
    example: str
    options: tuple[str, ...] = ()


GRAMMARS = {
    "local": Grammar(r"", "local"),
    "ssh": Grammar(rf"//{ADDRESS}(?:{PORT})?/?", "ssh://pi@raspberrypi.local:22"),
    "serial": Grammar(
        rf"(?://)?(?P<path>/dev/[A-Za-z0-9_][A-Za-z0-9_./:+-]{{0,200}}){OPTIONS}", "serial:///dev/ttyUSB0?baud=115200", ("baud", "user")
    ),
    "serial+socket": Grammar(rf"//{ADDRESS}{PORT}/?{OPTIONS}", "serial+socket://127.0.0.1:5555", ("baud", "user")),
    "adb": Grammar(r"//(?P<host>[A-Za-z0-9_][A-Za-z0-9_.:-]{0,200})", "adb://SERIAL, as `adb devices` shows it"),
    "virtual": Grammar(rf"//(?P<host>{NAME})/?{OPTIONS}", "virtual://rpi4", ("via",)),
}


@dataclass(frozen=True)
class Uri:
    """text: as it was given.  port: 0 when not given.  host: without the brackets of an IPv6 address."""

    text: str
    scheme: str
    user: str = ""
    host: str = ""
    port: int = 0
    path: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str, default: str = "") -> str:
        return dict(self.options).get(name, default)


def parse_uri(text: str) -> Uri:
    """EdgeError with an example for what is no device's URI."""
    scheme, _, rest = text.partition(":")
    if scheme not in GRAMMARS:
        raise EdgeError(where(text), "is no device", did_you_mean(scheme, GRAMMARS) or f"devices: {', '.join(GRAMMARS)}")
    grammar = GRAMMARS[scheme]
    if re.match(r"//[^/@]*:[^/@]*@", rest):
        raise EdgeError(f"{scheme} device", "has a password in its URI, for all to see", "leave it out: keys, or EDGE_PASSWORD for serial")
    found = re.fullmatch(grammar.pattern, rest, re.ASCII)
    if not found or "/../" in f"{rest}/" or (scheme == "local" and text != "local"):
        raise EdgeError(where(text), f"is no good {scheme} device", f"like {grammar.example}")
    parts = found.groupdict()
    port = int(parts.get("port") or 0)
    if parts.get("port") is not None and not 1 <= port <= 65535:
        raise EdgeError(where(text), f"port {port} is not between 1 and 65535", f"like {grammar.example}")
    options = read_options(text, parts.get("options") or "", grammar)
    return Uri(text, scheme, parts.get("user") or "", (parts.get("host") or "").strip("[]"), port, parts.get("path") or "", options)


def read_options(text: str, query: str, grammar: Grammar) -> tuple[tuple[str, str], ...]:
    """`baud=115200&user=pi`, each word once."""
    pairs = [tuple(word.split("=", 1)) for word in query.split("&")] if query else []
    for pair in pairs:
        if pair[0] not in grammar.options:
            raise EdgeError(where(text), f"unknown option '{pair[0]}'", did_you_mean(pair[0], grammar.options) or f"like {grammar.example}")
        if len(pair) != 2 or not re.fullmatch(NAME, pair[1]):
            raise EdgeError(where(text), f"option '{pair[0]}' needs a value", f"like {grammar.example}")
    if len({pair[0] for pair in pairs}) != len(pairs):
        raise EdgeError(where(text), "says an option twice", f"like {grammar.example}")
    return tuple((name, value) for name, value in pairs)


def where(text: str) -> str:
    """A URI as an error's place: shortened, for it may be anything."""
    return f"device '{text[:80]}'"
