"""Progress shows on a terminal and nowhere else, on one line, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import cli, images
from edge.cli import progress
from edge.cli.output import QUIET
from edge.cli.progress import CLEAR, Progress
from edge.stage import Stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(stream: io.StringIO) -> list[str]:
    return [part.strip() for part in stream.getvalue().split(CLEAR)]


def test_a_terminal_gets_one_line_that_goes() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, tick=60, clock=clock) as say:
        say("compiling level v4")
        clock.now += 1.5
        say("linking")
    assert shown(stream) == ["", "0.0 s  compiling level v4", "1.5 s  linking", ""]


def test_ten_redraws_a_second_at_most() -> None:
    """97,000 steps in ten seconds, as a protocol that sends a byte at a time speaks."""
    stream, clock = Terminal(), Clock()
    with Progress(stream, tick=60, clock=clock) as say:
        for number in range(97_000):
            clock.now += 10 / 97_000
            say(f"sending the input, {number} of 97000 bytes")
    assert 90 <= len(shown(stream)) - 1 <= 101


@pytest.mark.parametrize(
    ("stages", "want"),
    [
        ([(0, Stage("booting", seconds=25))], "0.0 s  booting, about 25 s left"),
        ([(0, Stage("booting", seconds=25)), (10, "")], "10.0 s  booting, about 15 s left"),
        ([(0, Stage("booting", seconds=25)), (24.5, "")], "24.5 s  booting"),
        ([(0, Stage("booting", seconds=25)), (99, "")], "99.0 s  booting"),
        ([(0, Stage("running", seconds=600))], "0.0 s  running, about 10 min left"),
        ([(0, Stage("running", seconds=9000))], "0.0 s  running, about 2 h left"),
        ([(0, "reading"), (5, Stage("compiling: 1 of 4 files", share=0.25))], "5.0 s  compiling: 1 of 4 files"),
        (
            [(0, "reading"), (5, "compiling"), (10, Stage("compiling: 1 of 4 files", share=0.25))],
            "15.0 s  compiling: 1 of 4 files, about 30 s left",
        ),
        ([(0, "compiling"), (1, Stage("compiling: 1 of 99 files", share=0.01))], "1.0 s  compiling: 1 of 99 files"),
        ([(0, Stage("run 1 of 5", seconds=50)), (20, Stage("run 2 of 5", seconds=40))], "20.0 s  run 2 of 5, about 40 s left"),
    ],
)
def test_how_long_it_still_takes(stages: list[tuple[float, str]], want: str) -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, tick=60, clock=clock) as say:
        for seconds, text in stages:
            clock.now += seconds
            if text:
                say(text)
            else:
                say.show()
    assert shown(stream)[-2] == want


def test_off_a_terminal_a_line_a_stage_once_the_work_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, clock = io.StringIO(), Clock()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", 2.0)
    with Progress(tick=60, clock=clock) as say:
        say("reading the model")
        clock.now += 1.9
        say("planning")
        clock.now += 0.2
        say.show()  # as the clock's thread does
        for number in range(1, 100):
            clock.now += 0.1
            say(Stage(f"compiling level v4: {number} of 99 files", share=number / 99))
            say(f"run {number} of 99")
        clock.now += 1
        say(Stage("checking", seconds=40))
    assert stream.getvalue().splitlines() == [
        "  2.1 s  planning",
        "  2.2 s  compiling level v4: 1 of 99 files",
        "  2.2 s  run 1 of 99",
        " 13.0 s  checking, about 40 s left",
    ]


def test_quick_work_off_a_terminal_is_silent() -> None:
    stream = io.StringIO()
    with Progress(stream) as say:
        say("compiling")
    assert stream.getvalue() == ""


def test_on_a_real_terminal(tmp_path: Path) -> None:
    """A pty: redraws are counted by what arrives there, and stdout is clean."""
    leader, follower = pty.openpty()
    code = (
        "import time\nfrom edge.cli.progress import Progress\nend = time.monotonic() + 0.55\n"
        "with Progress() as say:\n    while time.monotonic() < end:\n        say('measuring')\nprint('done')\n"
    )
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=follower, check=True)
        os.close(follower)
        heard = b""
        while select.select([terminal], [], [], 0)[0]:
            try:
                heard += terminal.read(4096)
            except OSError:  # the other end is closed
                break
    assert done.stdout == b"done\n"
    assert 1 <= heard.count(b"measuring") <= 7


def test_the_line_goes_when_the_work_fails() -> None:
    stream = Terminal()
    with pytest.raises(ZeroDivisionError), Progress(stream) as say:
        say("compiling")
        raise ZeroDivisionError
    assert stream.getvalue().endswith(CLEAR)


def test_names_from_a_model_stay_on_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda: os.terminal_size((30, 24)))
    stream = Terminal()
    Progress(stream)("layer \x1b[2J\n" + "x" * 100)
    line = stream.getvalue().removeprefix(CLEAR)
    assert len(line) == 29 and line.isprintable()


def test_the_clock_goes_on_while_nothing_is_said() -> None:
    stream, ticked = Terminal(), threading.Event()

    def write(text: str) -> int:
        if "again" in stream.getvalue() and "again" in text:
            ticked.set()
        return io.StringIO.write(stream, text)

    stream.write = write  # type: ignore[method-assign]
    with Progress(stream, tick=0.001) as say:
        say("again")
        assert ticked.wait(10)
    assert stream.getvalue().endswith(CLEAR)


def test_nothing_ticks_where_nothing_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "loudness", lambda: QUIET)
    for stream in (io.StringIO(), Terminal()):
        with Progress(stream) as say:
            say("compiling")
            assert not say.ticker.is_alive()
        assert stream.getvalue() == ""


def test_an_answer_stands_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """stdout and stderr are one terminal: the line of the progress goes before the answer comes."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)

    def flash_image(words: object, say: Callable[[str], None], ask: object) -> str:
        say("writing")
        return "card.img: 23 MB"

    monkeypatch.setattr(images, "flash_image", flash_image)
    assert cli.main(["flash", "a.edge", "--image", "card.img"]) == 0
    assert terminal.getvalue().endswith(f"writing{CLEAR}card.img: 23 MB\n")
