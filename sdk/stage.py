"""What is being done, for whoever waits: a text that knows how long it takes.

    say(Stage("switching rpi4 on", seconds=25))
    say(Stage("compiling level v4: 3 of 12 files", share=3 / 12))

It is a str: whoever only shows or compares texts needs to know no more.
"""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]


class Stage(str):
    """seconds: that it takes from now on, by experience or as asked.  share: how much of it is done, 0 to 1.  None: nobody knows."""

    seconds: float | None
    share: float | None

    def __new__(cls, text: str, seconds: float | None = None, share: float | None = None) -> Stage:
        made = super().__new__(cls, text)
        made.seconds, made.share = seconds, share
        return made


def silent(text: str) -> None:
    """For those who do not want to know."""
