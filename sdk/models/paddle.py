"""Paddle's .pdparams files without Paddle: a pickle of {name: numpy array}, read by an unpickler that can build nothing else.

Every class a pickle may name is replaced by one of ours, which only remembers; numpy sees the bytes when their size fits the shape.  Only opcodes
that `paddle.save` of a state dict needs (protocols 2 to 4) are executed: others take memory that the file does not hold.
"""

from __future__ import annotations

import io
import pickle
import pickletools

import numpy as np
from numpy.typing import NDArray

OPCODES = """
    PROTO FRAME STOP MARK MEMOIZE BINPUT LONG_BINPUT BINGET LONG_BINGET NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE
    SHORT_BINUNICODE BINBYTES SHORT_BINBYTES BINBYTES8 EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT SETITEM SETITEMS EMPTY_LIST APPEND APPENDS
    GLOBAL STACK_GLOBAL REDUCE BUILD"""
LETTERS = ("f2", "f4", "f8", "i4", "i8", "u2")  #: u2 is how Paddle keeps bfloat16


class Dtype:
    """Stands for numpy.dtype: dtype('f4', False, True) and its state (version, byte order, …)."""

    def __init__(self, letters: str, *_: object) -> None:
        self.letters, self.order = letters, "="

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = str(state[1])

    @property
    def value(self) -> np.dtype[np.generic]:
        if self.letters not in LETTERS or self.order not in "<>=":
            raise pickle.UnpicklingError(f"dtype {self.letters}")
        return np.dtype(self.order + self.letters)


class Array:
    """Stands for numpy.ndarray: its state is (version, shape, dtype, Fortran order, bytes)."""

    value: NDArray[np.generic]

    def __init__(self, *_: object) -> None:
        self.value = np.zeros(0)

    def __setstate__(self, state: tuple[int, tuple[int, ...], Dtype, bool, bytes]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, Dtype) or not isinstance(data, bytes):
            raise pickle.UnpicklingError("not an array of numbers")
        flat = np.frombuffer(data, dtype.value)
        self.value = bfloat16(flat).reshape(shape, order="F" if fortran else "C")


class Latin1:
    """Stands for _codecs.encode: how Python 3 puts bytes into a pickle of protocol 2."""

    def __new__(cls, text: str, encoding: str) -> bytes:  # type: ignore[misc]
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"encoding {encoding}")
        return text.encode("latin1")

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("bytes have no state")


KNOWN: dict[tuple[str, str], type] = {
    ("_codecs", "encode"): Latin1,
    ("collections", "OrderedDict"): dict,
    ("numpy", "dtype"): Dtype,
    ("numpy", "ndarray"): Array,
    ("numpy.core.multiarray", "_reconstruct"): Array,
    ("numpy._core.multiarray", "_reconstruct"): Array,
}


class Unpickler(pickle.Unpickler):
    """Knows six names; any other is refused before anything is imported."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"names {module}.{name}")
        return KNOWN[module, name]


def unpickle(data: bytes) -> object:
    """What the pickle holds, arrays as `Array`; raises what pickle raises."""
    known = set(OPCODES.split())
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in known:
            raise pickle.UnpicklingError(f"opcode {opcode.name}")
        if opcode.name == "LONG_BINPUT" and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError("memo larger than the file")  # the unpickler would clear that many slots
    return Unpickler(io.BytesIO(data)).load()


def bfloat16(flat: NDArray[np.generic]) -> NDArray[np.generic]:
    """uint16 halves of float32 -> float32; other arrays as they are."""
    return (flat.astype(np.uint32) << 16).view(np.float32) if flat.dtype.kind == "u" else flat
