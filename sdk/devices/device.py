"""What a device is: a place that takes files, runs programs and gives files back.  One file a kind; only the URI differs.

A kind is a module here with `SCHEMES`, `open(uri, say) -> Device` and `find() -> Iterator[Found]`, and `EMULATED` where that is so;
`edge.devices.open_device` finds it by its scheme.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.devices.console.port import Port
    from edge.devices.framing import Marks

Say = Callable[[str], None]
MAX_OUTPUT_BYTES = 64 << 20  #: of what one program prints: a bench of 200,000 runs takes 3 MB
MAX_PULL_BYTES = 4 << 30


def silent(stage: str) -> None:
    """For those who need not know how far a transfer is."""


@dataclass(frozen=True)
class Ran:
    """How a program on the device ended.  code: its exit code, 128 + N when signal N ended it, as shells count."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Facts:
    """What a device says of itself; 0 and '' where it does not say.

    machine: `uname -m`.  model: the device tree's model, else the CPU's name.  features: the words of /proc/cpuinfo.
    free_bytes: for this user, in the folder that artifacts are installed in.  tools: those of `facts.TOOLS` that are there.
    """

    uri: str
    machine: str
    kernel: str
    model: str
    features: tuple[str, ...]
    cores: int
    memory_bytes: int
    free_bytes: int
    tools: tuple[str, ...]


@dataclass(frozen=True)
class Traits:
    """What is true of every device of a kind, so that nobody has to look at its URI.

    here: this machine.  emulated: its time is not a device's time.  parallel: it runs several commands at once.
    line: a protocol can be spoken with a program that runs there.
    """

    here: bool = False
    emulated: bool = False
    parallel: bool = True
    line: bool = False


@dataclass(frozen=True)
class Line:
    """How a program on a device is spoken with.

    words: of a process here whose stdin and stdout are the program's.  marks: what stands around its output there.
    port: or a console, on which the program is started by typing `typed`.
    """

    words: tuple[str, ...] = ()
    marks: Marks | None = None
    port: Port | None = None
    typed: str = ""


class Lined(Protocol):
    """What a device with the trait `line` has, unless it is this machine."""

    def line_to(self, argv: Sequence[str]) -> Line: ...


@dataclass(frozen=True)
class Found:
    """One line of `edge devices`: what is attached, and the URI that opens it."""

    uri: str
    what: str


class Device(Protocol):
    """One open device.  Every method raises DeviceFailed when the device goes away, refuses, or the time is over."""

    uri: str
    traits: Traits

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        """Put a file there: parents are made, a temporary name and a rename, mode 0755, checked by sha256; resumes where the transport can.

        Gives how many of the file's bytes had to be sent: 0 when it was there.
        """

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        """Get a file: it appears here whole or not at all, at most MAX_PULL_BYTES long, checked."""

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        """Run a program to its end.  No shell reads argv (transports quote it by `quoting.sh_line`); at most MAX_OUTPUT_BYTES come back."""

    def facts(self) -> Facts:
        """Asked once an open device."""

    def close(self) -> None:
        """May be called twice."""
