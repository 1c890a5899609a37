"""Files over the shell: compressed, chunk by chunk, each checked; what arrived stays and is not sent again."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from edge.devices.blocks import BLOCK_BYTES, read_sums, recipe_for
from edge.devices.console.dialect import CHUNK_BYTES, Answer, call, short_sum
from edge.devices.console.shell import Shell
from edge.devices.device import Say, silent
from edge.errors import DeviceFailed, unwritable

GZIP = 16 + zlib.MAX_WBITS  #: zlib's word for gzip's frame; its header holds no time, so an interrupted stream can be taken up again
FINISH_SECONDS = 600.0  #: unpacking and syncing on a slow card
OLD_FILES = 3  #: whose blocks are listed, two processes and eleven bytes each
WORTH_LOOKING = 2 * BLOCK_BYTES  #: shorter files are quickly sent
WORTH_PATCHING = 0.9  #: of the file's bytes: patching needs more room there
MAX_SUMS_BYTES = 1 << 20  #: of 6 GB


def push(shell: Shell, data: bytes, remote: str, say: Say = silent) -> int:
    """`data` becomes the file `remote` (a checked path), mode 0755, whole or not at all.

    Blocks that an old file on the board has are taken from there.  Gives how many of the bytes had to be sent.
    """
    name, sha256 = place(remote), hashlib.sha256(data).hexdigest()
    say("looking at what is there")
    looked = worked(shell, "look_", name, sha256, str(OLD_FILES if len(data) >= WORTH_LOOKING else 0))
    if looked.word == "same":
        return 0
    packs = looked.rest[:1] == ("gzip",)
    recipe = recipe_for(data, old_sums(shell, looked))
    if len(recipe.sent) < WORTH_PATCHING * len(data):
        put(shell, "recipe", recipe.text.encode())
        if arrived(shell, name, sha256, recipe.sent, packs, "patch_ ", say):
            return len(recipe.sent)
        say("what is there has changed: sending everything")
    for _ in range(2):
        if arrived(shell, name, sha256, data, packs, "", say):
            return len(data)
    raise DeviceFailed(shell.port.name, f"{remote} arrived damaged twice", "is the board's disk or memory failing?")


def old_sums(shell: Shell, looked: Answer) -> list[list[str]]:
    """Of the blocks of files that are there, as `look_` listed them."""
    size = looked.rest[1] if len(looked.rest) == 2 else ""
    if not size.isdecimal() or int(size) > MAX_SUMS_BYTES:
        return []
    return read_sums(b"".join(shell.fetch(f"{shell.folder}/sums", int(size))))


def arrived(shell: Shell, name: str, sha256: str, data: bytes, packs: bool, patch: str, say: Say) -> bool:
    """Sends the data, packed where that gains.  Did they, or with `patch` the file that is made with them, have that sum?"""
    stream = compressed(data) if packs else data
    part = f"{name}.{short_sum(stream)}.part"
    shell.ask(call("part_", name, part))
    send_rest(shell, stream, part, say)
    say("checking what arrived")
    unpack = "cat" if stream is data else "gzip -dc"
    return worked(shell, "done_", name, sha256, patch + unpack, part).word == "done"


def put(shell: Shell, name: str, data: bytes) -> str:
    """The bytes as a file in the session's folder; its path there."""
    path = f"{shell.folder}/{name}"
    shell.ask(call("cut_", path, 0))
    for at in range(0, len(data), CHUNK_BYTES):
        shell.send(data[at : at + CHUNK_BYTES], path, at)
    return path


def worked(shell: Shell, *words: str) -> Answer:
    """The answer to something that reads or writes a whole file there."""
    said = shell.ask(call("long_", *words), FINISH_SECONDS, lives=True)
    if said.word == "late":
        raise shell.lost()
    return said


def place(remote: str) -> str:
    """A path that no tool takes for an option."""
    return remote if remote.startswith("/") else f"./{remote}"


def compressed(data: bytes) -> bytes:
    """As gzip would; data itself when that gains nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    small = packer.compress(data) + packer.flush()
    return small if len(small) < len(data) else data


def send_rest(shell: Shell, stream: bytes, part: str, say: Say) -> None:
    """Sends what `part` does not hold of the stream."""
    start, begun = kept(shell, stream, part), time.monotonic()
    for at in range(start, len(stream), CHUNK_BYTES):
        say(progress(at, len(stream), start, time.monotonic() - begun, shell.port.baud))
        shell.send(stream[at : at + CHUNK_BYTES], part, at)


def kept(shell: Shell, stream: bytes, part: str) -> int:
    """How many bytes of `part` are the stream's, in whole chunks; the rest is cut off.  A power cut may have left anything at the end."""

    def same(chunks: int) -> bool:
        count = chunks * CHUNK_BYTES
        return shell.ask(call("kept_", part, count)).rest[-1:] == (short_sum(stream[:count]),)

    words = shell.ask(call("kept_", part, 0)).rest
    size = int(words[0]) if words and words[0].isdecimal() else 0
    good, most = 0, min(size, len(stream)) // CHUNK_BYTES
    probe = most  # usually everything is good: look there first
    while good < most:
        if same(probe):
            good = probe
        else:
            most = probe - 1
        probe = (good + most + 1) // 2
    if size > good * CHUNK_BYTES:
        shell.ask(call("cut_", part, good * CHUNK_BYTES))
    return good * CHUNK_BYTES


def progress(at: int, total: int, start: int, seconds: float, baud: int) -> str:
    """What is sent, how fast, how long it will still take; before anything has been measured, the wire's own rate."""
    rate = (at - start) / seconds if at > start and seconds > 0 else baud / 10
    left = round((total - at) / rate)
    return f"sending, {at / total:.0%} of {total / 1e3:.0f} kB, {rate / 1e3:.1f} kB/s, {left // 60}:{left % 60:02} left"


def pull(shell: Shell, remote: str, limit: int, say: Say = silent) -> Iterator[bytes]:
    """The file's bytes, chunk by chunk, each checked; DeviceFailed for more than `limit`."""
    words = worked(shell, "pack_", place(remote)).rest
    if len(words) != 3 or not (words[1].isdecimal() and words[2].isdecimal()):
        raise DeviceFailed(shell.port.name, f"no good answer about {remote}", "is its shell a POSIX one?")
    kind, size, plain = words[0], int(words[1]), int(words[2])
    if max(size, plain) > limit:
        raise DeviceFailed(shell.port.name, f"{remote} is larger than {limit >> 20} MiB", "is it the right file?")
    unpacker, count, begun = zlib.decompressobj(GZIP), 0, time.monotonic()
    for index, chunk in enumerate(shell.fetch(f"{shell.folder}/packed", size)):
        try:
            data = unpacker.decompress(chunk, plain - count + 1) if kind == "gzip" else chunk
        except zlib.error:
            break
        count += len(data)
        yield data
        at = min((index + 1) * CHUNK_BYTES, size)
        say(progress(at, size, 0, time.monotonic() - begun, shell.port.baud).replace("sending", "getting"))
    if count != plain:
        raise DeviceFailed(shell.port.name, f"{remote} changed while it was read", "run the same again")


def save(chunks: Iterator[bytes], local: Path) -> None:
    """The chunks become that file, whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=local.parent, prefix=f".{local.name}.", delete=False) as file:
            temporary = Path(file.name)
            try:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(local)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(local, error) from None
