"""From a silent line to a shell: waits for a board that boots, logs in, says which of the many things went wrong."""

from __future__ import annotations

import getpass
import os
import re
import sys
import time
from dataclasses import dataclass, field

from edge.devices.console.port import QUIET, Port
from edge.devices.console.shell import Shell
from edge.errors import DeviceFailed, one_line

BOOT_SECONDS = 120.0
WAKE_SECONDS = 2.0  #: of silence, after which we type something
CHATTER_SECONDS = 5.0  #: of talk without a question, after which we type Enter all the same: a board may log to its console for ever
BLANKS = 3  #: Enters in a row that show an empty line: a shell without a prompt
PATIENCE_SECONDS = 7.0  #: between two such attempts: a reader of raw bytes that a broken session left gives up after five silent seconds
#: colours, keypads, and what a shell writes into a window's title
ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")
#: what the end of a board's words means, the first that fits
MEANINGS = {
    "user": re.compile(rb"(?<!Last )\b(?:login|username): *$", re.I),
    "password": re.compile(rb"\bpass(?:word|code|wort)\b[^\r\n]*: *$", re.I),
    "prompt": re.compile(rb"[#$%>] *$"),
}
#: the same within the last lines of a board that goes on talking behind its question
WITHIN = {"user": re.compile(rb"(?<!Last )\blogin: ", re.I), "password": re.compile(rb"\bpassword: ", re.I)}
AUTOBOOT = re.compile(rb"autoboot|any key|press [^\r\n]{1,20} to (?:stop|abort|interrupt)", re.I)  #: Enter would stop it
EXPIRED = re.compile(rb"password[^\r\n]{0,20} expired|change your password|new password: *$", re.I)
REFUSAL = re.compile(rb"(?:login|password) incorrect|(?:permission|access) denied|authentication failure", re.I)


@dataclass(frozen=True)
class Account:
    """password: None means EDGE_PASSWORD, or asking on a terminal."""

    user: str = ""
    password: str | None = None


@dataclass
class Talk:
    """What was heard since we last typed, and what we know by it.

    before: the last meaning.  shown: the unfinished line over which we typed.  named, typed: a user's name, a password.  blanks: Enters that were
    answered by nothing but a new line.  since: when we last typed.
    """

    heard: bytes = b""
    last: bytes = b""
    before: str = ""
    shown: bytes = b""
    named: bool = False
    typed: bool = False
    blanks: int = 0
    nudges: int = 0
    since: float = field(default_factory=time.monotonic)

    def judge(self, new: bytes) -> str:
        """A key of MEANINGS; silence; again, for what shows once more after Enter and so is a prompt; chatter; or ''."""
        self.heard = ESCAPES.sub(b"", self.heard + new)[-4000:]
        self.last = self.heard or self.last
        if not new:
            return "silence"
        if meaning := meaning_of(self.heard):
            return meaning
        end = end_of(self.heard)
        self.blanks = 0 if self.heard.strip() else self.blanks + 1
        if (end and end == self.shown) or self.blanks >= BLANKS:
            return "again"
        if time.monotonic() - self.since < CHATTER_SECONDS or AUTOBOOT.search(self.heard[-300:]):
            return ""
        self.nudges += 1
        return within(self.heard) or ("again" if self.nudges > 2 else "chatter")

    def said(self, meaning: str) -> None:
        """We have typed what fits that meaning."""
        self.shown, self.heard, self.since = end_of(self.last), b"", time.monotonic()
        self.named, self.typed = self.named or meaning == "user", self.typed or meaning == "password"


def log_in(port: Port, account: Account) -> Shell:
    """A shell of ours on that line, within the time a board may take to boot."""
    shell, end, talk = Shell(port), time.monotonic() + BOOT_SECONDS, Talk()
    while time.monotonic() < end:
        meaning = talk.judge(listen(port, WAKE_SECONDS if talk.before != "silence" else PATIENCE_SECONDS))
        if talk.typed and EXPIRED.search(talk.heard):
            raise expired(port, account)
        if talk.typed and (meaning in ("user", "password") or (meaning == "" and REFUSAL.search(talk.heard))):
            raise refused(port, account)
        if meaning == "password" and not talk.named:
            meaning = "half a login"
        if (meaning == "again" or meaning == talk.before == "prompt") and shell.attach():
            shell.teach()
            return shell
        if meaning:
            port.write(reply(port, account, meaning, talk.before))
            talk.said(meaning)
        talk.before = meaning or talk.before * (talk.before == "prompt")
    raise no_login(port, talk.last)


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


def within(heard: bytes) -> str:
    """The question in the last lines of a board that talks on behind it, else ''."""
    return next((meaning for meaning, pattern in WITHIN.items() if pattern.search(heard[-1000:])), "")


def end_of(heard: bytes) -> bytes:
    """The unfinished line, which a prompt is."""
    return re.split(rb"[\r\n]", heard)[-1].strip()[-200:]


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


def expired(port: Port, account: Account) -> DeviceFailed:
    return DeviceFailed(port.name, f"the password of '{account.user}' has expired", "log in there by hand once and set a new one, then EDGE_PASSWORD")


def no_login(port: Port, heard: bytes) -> DeviceFailed:
    """Why there was no shell, judged by what came over the line."""
    if not port.came:
        return DeviceFailed(port.name, f"silent for {BOOT_SECONDS:.0f} s", "is the board on, are TX and RX crossed, has nobody else the line?")
    text = heard.decode("utf-8", "replace")
    if sum(c == "\ufffd" or not (c.isprintable() or c.isspace()) for c in text) > len(text) / 4:
        return DeviceFailed(port.name, "what comes in is no text", f"is {port.baud} baud the board's rate?")
    end = (text.strip().splitlines() or [""])[-1]
    if not end:
        return DeviceFailed(port.name, f"no shell within {BOOT_SECONDS:.0f} s: the board answers Enter with empty lines", "log in there by hand once")
    return DeviceFailed(port.name, f"no shell within {BOOT_SECONDS:.0f} s; the last line was '{one_line(end[-60:])}'", "log in there by hand once")
