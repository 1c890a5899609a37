"""`ssh://pi@board:22`: the user's own OpenSSH, so that ~/.ssh/config, agents, jump hosts and known hosts are as they are.

One connection serves all commands (ControlMaster) and ends with the device.  Nothing is ever asked on the terminal: keys, not passwords.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from edge.devices.device import Device, Found, Line, Ran, Say, Traits, silent
from edge.devices.framing import Marks, Unframed
from edge.devices.moments import MARK
from edge.devices.piped import Piped
from edge.devices.process import run_limited
from edge.devices.quoting import sh_line
from edge.devices.ssh_keys import key_trouble
from edge.devices.uri import Uri, parse_uri
from edge.errors import DeviceFailed

SCHEMES = ("ssh",)
CONFIG = "EDGE_SSH_CONFIG"  #: a file to read instead of ~/.ssh/config (ssh -F)
TRANSPORT_FAILED = 255  #: ssh's own exit code, and what it makes of a signal that ends a program there
OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",
    "ControlPersist": "60",
    "LogLevel": "ERROR",
    "RequestTTY": "no",
    "RemoteCommand": "none",
    "ForwardAgent": "no",
    "ClearAllForwardings": "yes",  # of ~/.ssh/config: a second connection cannot have the ports of the first
    "PermitLocalCommand": "no",
    "Tunnel": "no",
}
#: what OpenSSH knows since 8.7 and an older one would refuse: a user's ~/.ssh/config may leave us without stdin, program or process
NEWER = (8, 7), {"StdinNull": "no", "SessionType": "default", "ForkAfterAuthentication": "no"}
VERSION = re.compile(r"OpenSSH\D{0,20}(\d{1,3})\.(\d{1,3})")
LONGEST_SOCKET = 80  #: a Unix socket's path may have 108 bytes, and ssh adds some while it connects
DENIED = "permission denied"
EXPIRED = "wants a new password of this user first", "ssh to it once by hand and set one"
#: what ssh says -> what it means, what helps
SAYINGS = (
    ("password has expired", *EXPIRED),
    ("password change required", *EXPIRED),
    ("account has expired", "has an account for this user that has expired", "sudo chage -E -1 USER there"),
    (DENIED, "does not let this user in", "ssh-copy-id USER@HOST gives it your key; edge asks for no password"),
    ("too many authentication", "does not let this user in", "name the key in ~/.ssh/config: IdentityFile and IdentitiesOnly yes"),
    ("remote host identification has changed", "has another host key than before", "if the board was set up anew: ssh-keygen -R HOST"),
    ("host key verification failed", "is a host not known here", "ssh to it once by hand and compare its key"),
    ("could not resolve", "has a name nobody knows", "is it spelled right, and the board on this network?"),
    ("connection refused", "refuses ssh", "does sshd run there? sudo systemctl enable --now ssh"),
    ("no route to host", "cannot be reached", "is it on, and on this network?"),
    ("timed out", "does not answer", "is it on, and on this network?"),
    ("timeout", "does not answer", "is it on, and on this network?"),
    ("not responding", "went away", "is it on, and on this network?"),
)


class Ssh(Piped):
    """folder: private, holds the connection's socket."""

    traits = Traits(line=True)

    def __init__(self, uri: Uri, binary: str, folder: Path, config: str) -> None:
        self.uri, self.folder = uri.text, folder
        options = OPTIONS | (NEWER[1] if version_of(binary) >= NEWER[0] else {})
        words = [binary, *(["-F", config] if config else []), *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
        words += ["-o", f"ControlPath={folder}/c", *(["-p", str(uri.port)] if uri.port else []), *(["-l", uri.user] if uri.user else [])]
        self.ssh, self.host, self.marks = words, uri.host, Marks()

    def words(self, argv: Sequence[str]) -> list[str]:
        """What is started here so that argv runs there."""
        return [*self.ssh, "--", self.host, sh_line(self.marks.around(argv))]

    def line_to(self, argv: Sequence[str]) -> Line:
        """An ssh whose pipes are the program's."""
        return Line(tuple(self.words(argv)), self.marks)

    def start(
        self,
        argv: Sequence[str],
        *,
        feed: Iterable[bytes] = (),
        keep: Callable[[bytes], object] | None = None,
        timeout: float = 60.0,
        stall: float | None = None,
    ) -> Ran:
        kept = bytearray()
        program = Unframed(self.uri, self.marks, keep or kept.extend)
        try:
            ran = run_limited(self.uri, self.words(argv), feed=feed, keep=program if keep else None, timeout=timeout, stall=stall)
        except OSError as error:
            raise DeviceFailed(self.uri, f"ssh cannot be started: {error.strerror}", "sudo apt-get install openssh-client") from None
        stderr = self.marks.stderr(ran.stderr)
        if ran.code == TRANSPORT_FAILED and self.marks.end not in ran.stderr:
            raise refused(self.uri, stderr)
        program(ran.stdout)
        if not program.begun:
            raise known(self.uri, ran.stderr, SAYINGS[:3]) or program.never(stderr)
        return replace(ran, stdout=bytes(kept), stderr=stderr)

    def close(self) -> None:
        if (self.folder / "c").exists():
            words = [*self.ssh, "-O", "exit", "--", self.host]
            subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)


def refused(uri: str, stderr: bytes) -> DeviceFailed:
    """In our words where we know ssh's complaint, else its last line."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    said = "\n".join(line for line in lines if not line.startswith(MARK)).strip()  # what watched the run speaks on the same stderr
    if found := known(uri, said.encode(), SAYINGS):
        return found
    last = said.splitlines()[-1][:200] if said else "the connection broke"
    return DeviceFailed(uri, last, "is it on, and on this network?")


def known(uri: str, stderr: bytes, sayings: Iterable[tuple[str, str, str]]) -> DeviceFailed | None:
    """What ssh says in our words, a key that it could not use before all else."""
    said = stderr.decode("utf-8", "replace")
    for phrase, what, cure in sayings:
        if phrase in said.lower():
            trouble = key_trouble(said) if phrase == DENIED else None
            return DeviceFailed(uri, f"{what}: {trouble[0]}", trouble[1]) if trouble else DeviceFailed(uri, what, cure)
    return None


@cache
def version_of(binary: str) -> tuple[int, int]:
    """Of OpenSSH; (0, 0) for what is something else."""
    try:
        done = subprocess.run([binary, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    found = VERSION.search(done.stderr + done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def open(uri: str, say: Say = silent, config: str = "") -> Device:
    """Connects with the first command, not here.  config: a file to read instead of ~/.ssh/config."""
    parsed, binary = parse_uri(uri), shutil.which("ssh")
    if binary is None:
        raise DeviceFailed(uri, "ssh is not installed here", "sudo apt-get install openssh-client")
    folder = Path(tempfile.mkdtemp(prefix="edge-ssh-"))
    if len(str(folder)) > LONGEST_SOCKET:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="edge-ssh-", dir="/tmp"))
    device = Ssh(parsed, binary, folder, config or os.environ.get(CONFIG, ""))
    atexit.register(device.close)
    return device


def find() -> Iterator[Found]:
    """A network is not searched: hosts are known by their names."""
    return iter(())
