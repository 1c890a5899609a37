"""What a device that starts programs with pipes to them gets for nothing: facts, runs, and files over their stdin and stdout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

from edge.devices.arrival import pull_over
from edge.devices.device import Facts, Ran, Say, silent
from edge.devices.facts import facts_over
from edge.devices.transfer import STALL, push_over


class Piped(ABC):
    """A Device but for `start` and `close`."""

    uri: str

    @abstractmethod
    def start(
        self,
        argv: Sequence[str],
        *,
        feed: Iterable[bytes] = (),
        keep: Callable[[bytes], object] | None = None,
        timeout: float = 60.0,
        stall: float | None = None,
    ) -> Ran:
        """Runs argv; feed goes to its stdin, its stdout to keep.  stall: seconds without movement that end it, instead of timeout."""

    @cached_property
    def told(self) -> Facts:
        return facts_over(self.uri, self.run)

    def facts(self) -> Facts:
        return self.told

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        return self.start(argv, feed=[stdin], timeout=timeout)

    def stream(self, argv: Sequence[str], *, feed: Iterable[bytes] = (), keep: Callable[[bytes], object] | None = None, stall: float = STALL) -> Ran:
        return self.start(argv, feed=feed, keep=keep, stall=stall)

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        return push_over(self.stream, self.uri, local, remote, say)

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        pull_over(self.stream, self.uri, remote, local, say)
