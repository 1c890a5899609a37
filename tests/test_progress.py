"""Progress shows on a terminal and nowhere else, on one line, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import re
import sys
import threading
from collections.abc import Callable

import pytest

from edge import cli, images
from edge.cli import progress
from edge.cli.progress import CLEAR, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_nothing() -> None:
    stream = io.StringIO()
    with Progress(stream) as say:
        say("compiling")
    assert stream.getvalue() == ""


def test_a_terminal_gets_one_line_that_goes() -> None:
    stream = Terminal()
    with Progress(stream) as say:
        say("compiling level v4")
        say("linking")
    shown = re.sub(r"\d+\.\d s", "N s", stream.getvalue())
    assert [part.strip() for part in shown.split(CLEAR)] == ["", "N s  compiling level v4", "N s  linking", ""]


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


def test_nothing_ticks_where_nothing_shows() -> None:
    with Progress(io.StringIO()) as say:
        say("compiling")
        assert not say.ticker.is_alive()


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
