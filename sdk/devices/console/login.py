"""From a silent line to a shell: waits for a board that boots, logs in, says which of the many things went wrong."""

from __future__ import annotations

import getpass
import os
import re
import sys
import time
from dataclasses import dataclass

from edge.devices.console.port import QUIET, Port
from edge.devices.console.shell import Shell
from edge.errors import DeviceFailed

BOOT_SECONDS = 120.0
WAKE_SECONDS = 2.0  #: of silence, after which we type something
PATIENCE_SECONDS = 7.0  #: between two such attempts: a reader of raw bytes that a broken session left gives up after five silent seconds
ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])")
#: what the end of a board's words means, the first that fits
MEANINGS = {
    "user": re.compile(rb"(?<!Last )\b(?:login|username): *$", re.I),
    "password": re.compile(rb"\bpass(?:word|code|wort)\b[^\r\n]*: *$", re.I),
    "prompt": re.compile(rb"[#$%>] *$"),
}
REFUSAL = re.compile(rb"(?:login|password) incorrect|(?:permission|access) denied|authentication failure", re.I)


@dataclass(frozen=True)
class Account:
    """password: None means EDGE_PASSWORD, or asking on a terminal."""

    user: str = ""
    password: str | None = None


def log_in(port: Port, account: Account) -> Shell:
    """A shell of ours on that line, within the time a board may take to boot."""
    shell, end = Shell(port), time.monotonic() + BOOT_SECONDS
    heard, last, before, named, typed = b"", b"", "", False, False
    while time.monotonic() < end:
        new = listen(port, WAKE_SECONDS if before != "silence" else PATIENCE_SECONDS)
        heard = ESCAPES.sub(b"", heard + new)[-4000:]
        last = heard or last
        meaning = meaning_of(heard) if new else "silence"
        if typed and (meaning in ("user", "password") or (meaning == "" and REFUSAL.search(heard))):
            raise refused(port, account)
        if meaning == "password" and not named:
            meaning = "half a login"
        if meaning == "prompt" and before == "prompt" and shell.attach():
            shell.teach()
            return shell
        if meaning:
            port.write(reply(port, account, meaning, before))
            heard, named, typed = b"", named or meaning == "user", typed or meaning == "password"
        before = meaning
    raise no_login(port, last)


def reply(port: Port, account: Account, meaning: str, before: str) -> bytes:
    """What is typed then.  A prompt must show again after Enter: kernel messages end in '#' and '>' too.  Enter also ends somebody else's login."""
    if meaning == "user":
        return user_of(port, account) + b"\r"
    if meaning == "password":
        return password_of(port, account) + b"\r"
    return b"\x03\r" if meaning == before == "silence" else b"\r"


def listen(port: Port, seconds: float) -> bytes:
    """What comes in until the board pauses; nothing when it is silent for so long."""
    begun = time.monotonic()
    if port.read(seconds):
        while port.read(QUIET) and time.monotonic() - begun < WAKE_SECONDS:
            pass
    new = bytes(port.buffer)
    port.buffer.clear()
    return new


def meaning_of(heard: bytes) -> str:
    """The key of MEANINGS that fits its end, else ''."""
    return next((meaning for meaning, pattern in MEANINGS.items() if pattern.search(heard)), "")


def user_of(port: Port, account: Account) -> bytes:
    if not account.user:
        raise DeviceFailed(port.name, "the board asks who logs in", "add the user: serial:///dev/ttyUSB0?user=pi")
    return account.user.encode()


def password_of(port: Port, account: Account) -> bytes:
    """Never in argv or a URI: from the environment or the terminal."""
    given = account.password if account.password is not None else os.environ.get("EDGE_PASSWORD")
    if given is None and sys.stdin.isatty():
        given = getpass.getpass(f"{port.name}: password of {account.user or 'the user'}: ")
    if given is None:
        raise DeviceFailed(port.name, "the board asks for a password", "set EDGE_PASSWORD")
    if not given.isprintable():
        raise DeviceFailed(port.name, "the password holds characters that cannot be typed on a line", "set EDGE_PASSWORD")
    return given.encode()


def refused(port: Port, account: Account) -> DeviceFailed:
    return DeviceFailed(port.name, f"the board refuses user '{account.user}' with this password", "set EDGE_PASSWORD")


def no_login(port: Port, heard: bytes) -> DeviceFailed:
    """Why there was no shell, judged by what came over the line."""
    if not port.came:
        return DeviceFailed(port.name, f"silent for {BOOT_SECONDS:.0f} s", "is the board on, are TX and RX crossed, has nobody else the line?")
    text = heard.decode("ascii", "replace")
    if sum(not (c.isprintable() and c.isascii()) and not c.isspace() for c in text) > len(text) / 4:
        return DeviceFailed(port.name, "what comes in is no text", f"is {port.baud} baud the board's rate?")
    end = (text.strip().splitlines() or [""])[-1]
    return DeviceFailed(port.name, f"no shell within {BOOT_SECONDS:.0f} s; the last line was '{end[-60:]}'", "log in there by hand once")
