"""Element types: THE list.  To add one: 1. a member of Dtype, 2. its row in FACTS."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Dtype(StrEnum):
    """An element type by its numpy name; numpy has none for B1.  B1: -1 as a set bit, 1 as none, in words of 32."""

    F16 = "float16"
    F32 = "float32"
    F64 = "float64"
    BOOL = "bool"
    S8 = "int8"
    U8 = "uint8"
    S16 = "int16"
    U16 = "uint16"
    S32 = "int32"
    U32 = "uint32"
    S64 = "int64"
    U64 = "uint64"
    B1 = "bit"

    @property
    def bits(self) -> int:
        """Bits of one element."""
        return FACTS[self].bits

    @property
    def short(self) -> str:
        """The name that kernels carry: `f32` in `pointwise_f32`."""
        return FACTS[self].short

    def bytes_of(self, elements: int) -> int:
        """Bytes that `elements` elements take, rounded up to whole bytes."""
        return -(-elements * self.bits // 8)


@dataclass(frozen=True)
class Facts:
    """short: in the names of kernels.  bits: of one element.  c: the C type."""

    short: str
    bits: int
    c: str


FACTS = {
    Dtype.F16: Facts("f16", 16, "_Float16"),
    Dtype.F32: Facts("f32", 32, "float"),
    Dtype.F64: Facts("f64", 64, "double"),
    Dtype.BOOL: Facts("bool", 8, "uint8_t"),
    Dtype.S8: Facts("s8", 8, "int8_t"),
    Dtype.U8: Facts("u8", 8, "uint8_t"),
    Dtype.S16: Facts("s16", 16, "int16_t"),
    Dtype.U16: Facts("u16", 16, "uint16_t"),
    Dtype.S32: Facts("s32", 32, "int32_t"),
    Dtype.U32: Facts("u32", 32, "uint32_t"),
    Dtype.S64: Facts("s64", 64, "int64_t"),
    Dtype.U64: Facts("u64", 64, "uint64_t"),
    Dtype.B1: Facts("b1", 1, "uint32_t"),
}
