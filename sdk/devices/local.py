"""`local`: this machine as a device.  Programs start here; files are copied, with the same care as over a cable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from edge.devices.device import Device, Found, Ran, Say, Traits, silent
from edge.devices.piped import Piped
from edge.devices.process import run_limited
from edge.devices.uri import parse_uri
from edge.errors import DeviceFailed

SCHEMES = ("local",)


class Local(Piped):
    """Relative paths begin where `edge` was started."""

    traits = Traits(here=True, line=True)

    def __init__(self) -> None:
        self.uri = "local"

    def start(
        self,
        argv: Sequence[str],
        *,
        feed: Iterable[bytes] = (),
        keep: Callable[[bytes], object] | None = None,
        timeout: float = 60.0,
        stall: float | None = None,
    ) -> Ran:
        """As a shell would answer: 127 for a program that is not there, 126 for one that cannot be run."""
        try:
            environment = {**os.environ, "LC_ALL": "C"}  # what tools complain of is read by `scripts.failed`
            return run_limited(self.uri, argv, feed=feed, keep=keep, timeout=timeout, stall=stall, environment=environment)
        except FileNotFoundError as error:
            return Ran(127, b"", f"{argv[0]}: {error.strerror}".encode())
        except OSError as error:
            return Ran(126, b"", f"{argv[0]}: {error.strerror}".encode())
        except ValueError:
            raise DeviceFailed(self.uri, f"cannot run '{argv[0]}': a NUL character in its words", "choose another name") from None

    def close(self) -> None:
        """Nothing is held."""


def open(uri: str, say: Say = silent) -> Device:
    parse_uri(uri)
    return Local()


def find() -> Iterator[Found]:
    yield Found("local", f"this machine, {os.uname().machine}")
