"""What a user's ~/.ssh/config and key files hold that would break us, against a real sshd; and what ssh says of a password that has expired."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import sshd
from edge.devices import open_device, ssh
from edge.devices.device import Ran
from edge.devices.ssh import known, refused, version_of
from edge.devices.ssh_keys import key_trouble, quoted
from edge.errors import DeviceFailed


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    if sshd.daemon_path() is None or shutil.which("ssh") is None:
        pytest.skip(f"sshd is not installed ({sshd.CURE})")
    folder = tmp_path_factory.mktemp("sshd")
    with sshd.running(folder) as uri:
        yield uri, folder


def with_config(daemon: tuple[str, Path], lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The daemon's URI for a user whose config begins with these lines."""
    uri, folder = daemon
    (tmp_path / "config").write_text(f"{lines}\n{(folder / 'config').read_text()}")
    monkeypatch.setenv(ssh.CONFIG, str(tmp_path / "config"))
    return uri


NUISANCES = [
    "StdinNull yes",
    "SessionType none",
    "SessionType subsystem",
    "ForkAfterAuthentication yes",
    "ExitOnForwardFailure yes\nRemoteForward 1 127.0.0.1:9\nLocalForward 127.0.0.1:1 127.0.0.1:9",
    "PermitLocalCommand yes\nLocalCommand echo chatter",
    "RemoteCommand tmux\nRequestTTY force",
    "IgnoreUnknown UseKeychain\nUseKeychain yes",
    "StdinNull yes\nSessionType none\nForkAfterAuthentication yes",
]


@pytest.mark.slow
@pytest.mark.parametrize("lines", NUISANCES)
def test_what_a_users_config_says_does_not_break_us(daemon: tuple[str, Path], lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if version_of(str(shutil.which("ssh"))) < ssh.NEWER[0]:
        pytest.skip("this ssh does not know these options")
    device = open_device(with_config(daemon, lines, tmp_path, monkeypatch))
    try:
        assert device.run(["sh", "-c", "cat; exit 7"], stdin=b"in") == Ran(7, b"in", b"")
        (tmp_path / "file").write_bytes(os.urandom(100_000))
        device.push(tmp_path / "file", str(tmp_path / "there"))
        assert (tmp_path / "there").read_bytes() == (tmp_path / "file").read_bytes()
    finally:
        device.close()


@pytest.mark.slow
def test_what_tools_say_there_is_in_english(daemon: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = open_device(with_config(daemon, "SetEnv LC_ALL=de_DE.UTF-8", tmp_path, monkeypatch))
    try:
        assert device.run(["sh", "-c", 'echo "$LC_ALL"']).stdout == b"C\n"
    finally:
        device.close()


def spoilt(key: bytes) -> list[tuple[str, bytes, str]]:
    """name of the file, its bytes, what edge says after `key KEY `."""
    return [
        ("bom", b"\xef\xbb\xbf" + key, r"begins with a byte-order mark (take it away: sed -i '1s/^\xEF\xBB\xBF//; s/\r$//' KEY)"),
        (
            "utf16",
            key.decode().encode("utf-16"),
            r"is in UTF-16 (write it as plain text: iconv -f UTF-16 -t UTF-8 KEY | tr -d '\r\357\273\277' >NEW, chmod 600 NEW)",
        ),
        ("crlf", key.replace(b"\n", b"\r\n"), r"has the line ends of Windows (take them away: sed -i 's/\r$//' KEY)"),
        (
            "ppk",
            b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
            "is PuTTY's (puttygen KEY -O private-openssh -o NEW (apt-get install putty-tools), and name NEW in ~/.ssh/config)",
        ),
        ("pub", b"ssh-ed25519 AAAA x\n", "is the public half (name the file without .pub in ~/.ssh/config: IdentityFile)"),
        (
            "cut",
            key[:200],
            "is damaged, or of a kind that this ssh does not know (copy it again, or make one: ssh-keygen -t ed25519)",
        ),
        ("notes", b"my key\n", "is not a private key (make one: ssh-keygen -t ed25519, then ssh-copy-id USER@HOST)"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", [case[0] for case in spoilt(b"x")])
def test_a_key_file_that_is_none_is_told_what_it_is(daemon: tuple[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the cure, where it is one command, cures it."""
    data, line = next((data, line) for word, data, line in spoilt((daemon[1] / "user").read_bytes()) if word == name)
    key = tmp_path / name
    key.write_bytes(data)
    key.chmod(0o600)
    uri = with_config(daemon, "", tmp_path, monkeypatch)
    text = (tmp_path / "config").read_text().replace(str(daemon[1] / "user"), str(key), 1)
    (tmp_path / "config").write_text(text)
    with pytest.raises(DeviceFailed) as caught:
        open_device(uri).run(["true"])
    assert str(caught.value) == f"{uri}: does not let this user in: key {key} {line.replace('KEY', str(key))}"
    if name in ("bom", "crlf", "utf16"):
        command = caught.value.cure.partition(": ")[2].replace("NEW", f"{key}.new").replace(", chmod", "; chmod")
        subprocess.run(["sh", "-c", command], check=True)
        assert Path(f"{key}.new" if name == "utf16" else key).read_bytes() == (daemon[1] / "user").read_bytes()


def test_a_key_that_others_may_read() -> None:
    said = "@ WARNING @\nPermissions 0644 for '/home/ann/my key' are too open.\nLoad key \"/home/ann/my key\": bad permissions\nPermission denied"
    line = "b: does not let this user in: key /home/ann/my key can be read by others, so ssh does not use it (chmod 600 '/home/ann/my key')"
    assert str(refused("b", said.encode())) == line
    assert quoted("/a/b") == "/a/b"


def test_a_key_that_is_gone() -> None:
    said = 'Load key "/no/such/key": error in libcrypto'
    assert key_trouble(said) == ("key /no/such/key cannot be read: No such file or directory", "name another in ~/.ssh/config: IdentityFile")
    assert key_trouble("Permission denied (publickey).") is None


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "WARNING: Your password has expired.\nPassword change required but no TTY available.",
            "wants a new password of this user first (ssh to it once by hand and set one)",
        ),
        ("Password change required but no TTY available.", "wants a new password of this user first (ssh to it once by hand and set one)"),
        (
            "Your account has expired; please contact your system administrator.",
            "has an account for this user that has expired (sudo chage -E -1 USER there)",
        ),
    ],
)
def test_what_has_expired_is_named(said: str, line: str) -> None:
    assert str(known("b", said.encode(), ssh.SAYINGS[:3])) == f"b: {line}"
    assert str(refused("b", said.encode())) == f"b: {line}"


@pytest.mark.slow
def test_a_login_that_wants_a_new_password_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd runs the login's program, which says so and ends with 1."""
    if sshd.daemon_path() is None or shutil.which("ssh") is None:
        pytest.skip(f"sshd is not installed ({sshd.CURE})")
    words = "echo WARNING: Your password has expired. >&2; echo Password change required but no TTY available. >&2; exit 1"
    with sshd.running(tmp_path, f"ForceCommand {words}\n") as uri:
        monkeypatch.setenv(ssh.CONFIG, str(tmp_path / "config"))
        with pytest.raises(DeviceFailed) as caught:
            open_device(uri).run(["true"])
    assert str(caught.value) == f"{uri}: wants a new password of this user first (ssh to it once by hand and set one)"


@pytest.mark.parametrize(
    ("says", "version"),
    [("OpenSSH_9.2p1 Debian-2, OpenSSL 3.0", (9, 2)), ("OpenSSH_for_Windows_8.6p1, LibreSSL", (8, 6)), ("Dropbear v2022.83", (0, 0)), ("", (0, 0))],
)
def test_an_older_ssh_is_not_told_what_it_does_not_know(says: str, version: tuple[int, int], tmp_path: Path) -> None:
    binary = tmp_path / "ssh"
    binary.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    binary.chmod(0o755)
    assert version_of(str(binary)) == version
    words = ssh.Ssh(ssh.parse_uri("ssh://pi@board"), str(binary), tmp_path, "").ssh
    assert ("StdinNull=no" in words) == (version >= (8, 7))
    assert "ClearAllForwardings=yes" in words
