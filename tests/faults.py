"""Devices that go wrong on purpose: they die after N operations, damage what they carry, or say what a sick board says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.devices.arrival import pull_over
from edge.devices.device import Device, Facts, Ran, Say, Traits, silent
from edge.devices.local import Local
from edge.devices.transfer import push_over
from edge.errors import DeviceFailed

GONE = "went away"


@dataclass
class Dying:
    """The device behind it, until `lives` operations are through.  The last one: before it happens, or after with its answer lost."""

    device: Device
    lives: int
    answers_last: bool = True
    count: int = field(default=0, init=False)

    @property
    def uri(self) -> str:
        return self.device.uri

    @property
    def traits(self) -> Traits:
        """Whatever lies behind it, it is another machine."""
        return replace(self.device.traits, here=False)

    def spend(self) -> bool:
        """False when this operation happens and its answer is lost."""
        self.count += 1
        if self.count > self.lives:
            raise DeviceFailed(self.uri, GONE)
        return self.answers_last or self.count < self.lives

    def lose(self) -> None:
        self.count = self.lives + 1
        raise DeviceFailed(self.uri, GONE)

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        answered = self.spend()
        ran = self.device.run(argv, timeout=timeout, stdin=stdin)
        if not answered:
            self.lose()
        return ran

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        answered = self.spend()
        sent = self.device.push(local, remote, say)
        if not answered:
            self.lose()
        return sent

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        self.spend()
        self.device.pull(remote, local, say)

    def facts(self) -> Facts:
        self.spend()
        return self.device.facts()

    def close(self) -> None:
        self.device.close()


@dataclass
class Scripted:
    """Answers by a function of argv; None lets the device behind it answer.  `seen`: every argv it was given."""

    device: Device
    answer: Callable[[Sequence[str]], Ran | None]
    told: Facts | None = None
    seen: list[list[str]] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return self.device.uri

    @property
    def traits(self) -> Traits:
        """Whatever lies behind it, it is another machine."""
        return replace(self.device.traits, here=False)

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        self.seen.append(list(argv))
        return self.answer(argv) or self.device.run(argv, timeout=timeout, stdin=stdin)

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        return self.device.push(local, remote, say)

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        self.device.pull(remote, local, say)

    def facts(self) -> Facts:
        return self.told or self.device.facts()

    def close(self) -> None:
        self.device.close()


@dataclass
class Line:
    """The stream of this machine as a device: cut after so many bytes, or with one byte turned over, on the way there or back."""

    cut: int | None = None
    flip: int | None = None
    backwards: bool = False
    sent: int = field(default=0, init=False)

    def damaged(self, chunk: bytes, at: int) -> bytes:
        if self.flip is not None and at <= self.flip < at + len(chunk):
            i = self.flip - at
            chunk = chunk[:i] + bytes([chunk[i] ^ 1]) + chunk[i + 1 :]
        return chunk if self.cut is None else chunk[: max(0, self.cut - at)]

    def __call__(self, argv: Sequence[str], *, feed: Iterable[bytes] = (), keep: Callable[[bytes], object] | None = None, stall: float = 30) -> Ran:
        def through() -> Iterable[bytes]:
            for chunk in feed:
                self.sent += len(chunk)
                yield self.damaged(chunk, self.sent - len(chunk)) if not self.backwards else chunk

        kept = keep and (lambda chunk: keep(self.damaged(chunk, 0) if self.backwards else chunk))
        ran = Local().stream(argv, feed=through(), keep=kept, stall=stall)
        if self.cut is not None and self.sent > self.cut:
            raise DeviceFailed("local", GONE)
        return ran


@dataclass
class Wired(Scripted):
    """A device behind such a line."""

    line: Line = field(default_factory=Line)

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        return push_over(self.line, self.uri, local, remote, say)

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        pull_over(self.line, self.uri, remote, local, say)
