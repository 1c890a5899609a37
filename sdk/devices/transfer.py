"""Files over anything that runs a shell line with a stdin: temporary name, checksum, rename; a broken transfer goes on where it broke off."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.devices.checksum import SUM, Sums, require_sum, sums_of
from edge.devices.device import Ran, Say
from edge.devices.scripts import failed, key_values, number, remote_path, script
from edge.errors import DeviceFailed

CHUNK = 1 << 18
STALL = 120.0  #: seconds in which nothing moves: a slow board takes some to hash what it got; a dead line is noticed by its transport
SAMPLE, WORTH = 1 << 18, 0.9  #: bytes looked at, and the ratio from which packing pays

#: dir, final, part, size, the two good sums -> "have=same", or "have=BYTES" of the part, and "gzip=yes"
LOOK = (
    SUM
    + """
edge_can_sum; mkdir -p "$1" || exit 1
case "$(edge_sum "$2" 2>/dev/null)" in "$5"|"$6") echo have=same; exit 0;; esac
[ -d "$2" ] && { echo "$2: Is a directory" >&2; exit 1; }
size=0; [ -f "$3" ] && size=$(wc -c <"$3"); [ "$size" -le "$4" ] || { rm -f "$3"; size=0; }
echo have=$((size)); command -v gzip >/dev/null 2>&1 && echo gzip=yes; exit 0
"""
)
#: final, part, the two good sums, size: the part becomes the file.  22: it is not what was sent.  23: there is more to come, and it stays.
KEEP = (
    SUM
    + """
[ "$(wc -c <"$2")" -ge "$5" ] || exit 23
case "$(edge_sum "$2")" in "$3"|"$4") ;; *) rm -f "$2"; exit 22;; esac
chmod 755 "$2" && mv -f "$2" "$1"
"""
)
#: the same with the file's rest on stdin, "gzip" or "" as sixth.  21: not written.
RECEIVE = 'if [ "$6" = gzip ]; then gzip -dc >>"$2"; else cat >>"$2"; fi || exit 21' + KEEP
NOT_WRITTEN, NOT_THE_SAME, SHORT = 21, 22, 23


class Stream(Protocol):
    """Runs argv on the device; feed goes to its stdin, its stdout to keep.  stall: seconds without movement that end it."""

    def __call__(
        self, argv: Sequence[str], *, feed: Iterable[bytes] = (), keep: Callable[[bytes], object] | None = None, stall: float = STALL
    ) -> Ran: ...


@dataclass(frozen=True)
class Wanted:
    """A file on its way.  have: bytes of it that are there.  gzip: can the device unpack?"""

    remote: str
    part: str
    sums: Sums
    have: int
    gzip: bool

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of KEEP."""
        return self.remote, self.part, *self.sums.lines, str(self.sums.size)


def look(stream: Stream, uri: str, local: Path, remote: str) -> Wanted | None:
    """What is there already: None when it is this very file.  Makes its folder."""
    remote, sums = remote_path(remote), sums_of(local)
    folder, _, name = remote.rpartition("/")
    part = f"{folder or '.'}/.{name}.{sums.sha256[:12]}.part"
    ran = stream(script(LOOK, folder or ".", remote, part, str(sums.size), *sums.lines))
    found = key_values(ran.stdout)
    require_sum(ran.code, uri)
    if ran.code or "have" not in found:
        raise failed(uri, ran, f"looking at {remote}")
    if found["have"] == "same":
        return None
    return Wanted(remote, part, sums, min(number(found["have"]), sums.size), "gzip" in found)


def push_over(stream: Stream, uri: str, local: Path, remote: str, say: Say, again: bool = True) -> int:
    """Sends a file.  A part that is there already is kept when, with the rest, it gives the right sum; else everything is sent once more.

    Gives how many of its bytes were sent.
    """
    wanted = look(stream, uri, local, remote)
    if wanted is None:
        return 0
    packed = wanted.gzip and pays(local)
    words = script(RECEIVE, *wanted.arguments, "gzip" * packed)
    ran = stream(words, feed=pieces(local, wanted.have, packed, say, wanted.sums.size))
    if ran.code == NOT_THE_SAME and wanted.have and again:
        return push_over(stream, uri, local, remote, say, again=False)
    if ran.code == NOT_WRITTEN:
        stream(["rm", "-f", wanted.part])
    arrived(ran, uri, local, remote)
    return wanted.sums.size - wanted.have


def arrived(ran: Ran, uri: str, local: Path, remote: str) -> None:
    """DeviceFailed when KEEP or RECEIVE did not end well."""
    if ran.code == NOT_THE_SAME:
        raise DeviceFailed(uri, f"{remote} did not arrive as it was sent", "the line or the disk damages data; send it again")
    if ran.code == SHORT:
        raise DeviceFailed(uri, f"{remote} broke off", "send it again: it goes on from there")
    if ran.code:
        raise failed(uri, ran, f"sending {local.name}")


def pieces(local: Path, have: int, packed: bool, say: Say, size: int) -> Iterator[bytes]:
    """The file from byte `have` on, gzipped when asked; tells how far it is."""
    pack = zlib.compressobj(1, zlib.DEFLATED, 31) if packed else None
    began, sent = time.monotonic(), 0
    with local.open("rb") as file:
        file.seek(have)
        while chunk := file.read(CHUNK):
            yield pack.compress(chunk) if pack else chunk
            sent += len(chunk)
            rate = sent / max(time.monotonic() - began, 1e-6)
            done = f"{(have + sent) / 1e6:.1f} of {size / 1e6:.1f} MB"
            say(f"sending {local.name}: {(have + sent) / size:.0%}, {done}, {rate / 1e6:.1f} MB/s, {(size - have - sent) / rate:.0f} s left")
    if pack:
        yield pack.flush()


def pays(local: Path) -> bool:
    """Does a piece from the middle shrink?  float32 weights hardly do, and packing them is slower than a cable."""
    with local.open("rb") as file:
        file.seek(max(0, local.stat().st_size // 2 - SAMPLE // 2))
        piece = file.read(SAMPLE)
    return len(zlib.compress(piece, 1)) < WORTH * len(piece)
