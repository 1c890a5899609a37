"""Model strings into C: one escaping function for string literals, one for comments.  Both take any text and give plain ASCII."""

from __future__ import annotations

import string
from collections.abc import Iterable

import numpy as np

PLAIN = frozenset(string.ascii_letters + string.digits + " _.,:;+-=<>()[]{}@#%&!$~^|'")
LONGEST = 200  #: characters kept of a hostile name


def c_string(text: str) -> str:
    """A C string literal; what is not plain ASCII becomes an octal escape of its UTF-8 bytes (octal ends after three digits, hex does not)."""
    return '"' + "".join(chr(b) if chr(b) in PLAIN else f"\\{b:03o}" for b in text.encode("utf-8", "replace")) + '"'


def c_comment(text: str) -> str:
    """Text that can neither end a comment nor continue a line."""
    return "".join(c if c in PLAIN or c == "/" else "_" for c in text)[:LONGEST].replace("//", "/_").replace("/ ", "/_")


def c_list(values: Iterable[object]) -> str:
    """`{1, 2, 3}`."""
    return "{" + ", ".join(str(value) for value in values) + "}"


def c_float(number: float) -> str:
    """A C float literal that reads back as the same float32."""
    with np.errstate(over="ignore"):
        value = float(np.float32(number))
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return f"{np.float32(value)!s}f" if np.isfinite(value) else "NAN"


def c_double(number: float) -> str:
    """A C double literal that reads back as the same float64."""
    if np.isinf(number):
        return "INFINITY" if number > 0 else "-INFINITY"
    return repr(float(number)) if np.isfinite(number) else "NAN"
