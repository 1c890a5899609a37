"""Public ssh keys, decoded: a key that is cut, of another type than it says, or of zeros locks its user out.

[RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4; OpenSSH PROTOCOL.u2f]
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Mapping, Sequence

LEAST_RSA_BITS = 1024  #: sshd accepts no fewer
Fields = Sequence[bytes]


def whole(line: str) -> bool:
    """Is `type base64 comment` a key that sshd can use?"""
    kind, blob = line.split(" ")[:2]
    try:
        fields = fields_of(base64.b64decode(blob, validate=True))
    except (binascii.Error, ValueError):
        return False
    return kind in SHAPES and bool(fields) and fields[0] == kind.encode() and SHAPES[kind](fields[1:])


def fields_of(blob: bytes) -> list[bytes]:
    """The strings of an ssh blob, each behind its length; ValueError for what is left over or missing."""
    fields, at = [], 0
    while at < len(blob):
        if at + 4 > len(blob):
            raise ValueError("a length is cut")
        (size,) = struct.unpack_from(">I", blob, at)
        if at + 4 + size > len(blob):
            raise ValueError("a string is cut")
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return fields


def varied(data: bytes) -> bool:
    """Not the same byte over and over."""
    return len(set(data)) > 1


def edwards(fields: Fields) -> bool:
    return len(fields) == 1 and len(fields[0]) == 32 and varied(fields[0])


def rsa(fields: Fields) -> bool:
    """Exponent and modulus, both odd; positive numbers, so their first bit is 0."""
    if len(fields) != 2 or any(not one or one[0] & 0x80 for one in fields):
        return False
    exponent, modulus = (int.from_bytes(one) for one in fields)
    return exponent > 2 and exponent % 2 == 1 and modulus % 2 == 1 and LEAST_RSA_BITS <= modulus.bit_length() <= 16384


def curve(name: str, size: int) -> Callable[[Fields], bool]:
    """The curve's name and an uncompressed point."""

    def fits(fields: Fields) -> bool:
        return len(fields) == 2 and fields[0] == name.encode() and len(fields[1]) == 2 * size + 1 and fields[1][0] == 4 and varied(fields[1][1:])

    return fits


def on_a_token(inner: Callable[[Fields], bool]) -> Callable[[Fields], bool]:
    """The key's fields, and the application it is for."""
    return lambda fields: bool(fields) and bool(fields[-1]) and inner(fields[:-1])


SHAPES: Mapping[str, Callable[[Fields], bool]] = {
    "ssh-ed25519": edwards,
    "ssh-rsa": rsa,
    "ecdsa-sha2-nistp256": curve("nistp256", 32),
    "ecdsa-sha2-nistp384": curve("nistp384", 48),
    "ecdsa-sha2-nistp521": curve("nistp521", 66),
    "sk-ssh-ed25519@openssh.com": on_a_token(edwards),
    "sk-ecdsa-sha2-nistp256@openssh.com": on_a_token(curve("nistp256", 32)),
}
