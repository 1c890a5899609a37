"""Boards whose consoles talk on and on, or ask in an unusual way: each is logged in to, or told truly what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.devices import open_device
from edge.devices.console import login, shell
from edge.devices.console.login import Talk, end_of, no_login
from edge.errors import DeviceFailed
from line import LOGIN, PASSWORD, Board, Line, board_with

DASH = ["dash", "-i"]
PROMPT = """export PATH="$2"; cd "$1" && shift 2 && HOME=$PWD PS1='%s' exec "$@" """
#: prints a line every so many seconds, beside what greets
CHATTY = "( while sleep %s; do printf '\\r\\n[ 12.345] usb 1-1: new device'; printf '\\r\\n'; done ) & %s"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board boots in 25 s, and seconds become tenths."""
    values = ((login, "BOOT_SECONDS", 25.0), (login, "WAKE_SECONDS", 0.4), (login, "PATIENCE_SECONDS", 0.7), (login, "CHATTER_SECONDS", 1.0))
    for module, name, value in (*values, (login, "QUIET", 0.1), (shell, "ACCEPT_SECONDS", 2.0)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setenv("EDGE_PASSWORD", PASSWORD)


GREETINGS = [
    ("zsh's arrow", PROMPT % "➜  ~ "),
    ("square brackets and a colon", PROMPT % "[pi@board]: "),
    ("a bare word", PROMPT % "board"),
    ("a title of the window", PROMPT % "\\033]0;pi@board\\007pi ~ λ "),
    ("no prompt at all", PROMPT % ""),
    ("a login that is talked over", CHATTY % ("0.3", LOGIN)),
    ("a shell that is talked over", CHATTY % ("0.3", PROMPT % "$ ")),
    ("an odd shell that is talked over", CHATTY % ("0.25", PROMPT % "➜  ~ ")),
]


@pytest.mark.slow
@pytest.mark.parametrize("script", [case[1] for case in GREETINGS], ids=[case[0] for case in GREETINGS])
def test_a_board_that_is_odd_is_logged_in_to(script: str, tmp_path: Path, short: None) -> None:
    began = time.monotonic()
    with Line(Board(DASH, tmp_path, script=script)) as line:
        device = open_device(line.uri)
        assert device.run(["echo", "here"]).stdout == b"here\n"
        device.close()
    assert time.monotonic() - began < 25


@pytest.mark.slow
def test_an_expired_password_is_named(tmp_path: Path, short: None) -> None:
    expired = LOGIN.replace(
        "echo 'Last login",
        "echo 'You are required to change your password immediately (password expired).'; printf 'Current password: '; read -r x; echo 'Last login",
    )
    with Line(Board(DASH, tmp_path, script=expired)) as line, pytest.raises(DeviceFailed) as caught:
        open_device(line.uri)
    cure = "log in there by hand once and set a new one, then EDGE_PASSWORD"
    assert str(caught.value) == f"{line.uri}: the password of 'pi' has expired ({cure})"


class Deaf:
    """A port that was spoken to."""

    name, baud, came = "serial:///dev/ttyUSB0", 115200, 9


@pytest.mark.parametrize(
    ("heard", "line"),
    [
        ("➜  ~ ".encode(), "no shell within 120 s; the last line was '➜  ~' (log in there by hand once)"),
        (b"\r\nSelect: ", "no shell within 120 s; the last line was 'Select:' (log in there by hand once)"),
        (b"\r\n\r\n", "no shell within 120 s: the board answers Enter with empty lines (log in there by hand once)"),
        (b"\xff\xfe\x80a\x9c\xe0\xf8\x00", "what comes in is no text (is 115200 baud the board's rate?)"),
    ],
)
def test_what_was_heard_is_told_as_it_is(heard: bytes, line: str) -> None:
    assert str(no_login(Deaf(), heard)) == f"{Deaf.name}: {line}"  # type: ignore[arg-type]


def test_what_shows_again_after_enter_is_a_prompt() -> None:
    talk = Talk()
    assert [talk.judge("\r\n\x1b]0;pi\x07➜  ~ ".encode()), talk.judge(b"")] == ["", "silence"]
    talk.said("silence")
    assert talk.judge("\r\r\n\x1b[32m➜\x1b[0m  ~ ".encode()) == "again"
    assert end_of(b"a\r\nb c ") == b"b c"


def test_the_countdown_of_a_boot_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "CHATTER_SECONDS", 0.0)
    assert Talk().judge(b"Hit any key to stop autoboot:  2 \b\b\b 1 ") == ""
    assert [Talk().judge(b"[1.0] usb\r\n"), Talk().judge(b"board login: [1.0] usb\r\n")] == ["chatter", "user"]


@pytest.mark.slow
@pytest.mark.parametrize("without", [("sha256sum",), ("sha256sum", "base64")], ids=" ".join)
def test_a_board_that_lacks_what_a_console_needs_says_so(without: tuple[str, ...], tmp_path: Path, short: None) -> None:
    with Line(board_with("busybox", tmp_path, without=without)) as line, pytest.raises(DeviceFailed) as caught:
        open_device(line.uri)
    cure = "install coreutils there, or a whole busybox; or use ssh://"
    assert str(caught.value) == f"{line.uri}: the board has no {', '.join(without)}, which a console needs ({cure})"
