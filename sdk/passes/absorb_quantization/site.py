"""One place where integers could be computed: a QuantizeLinear, the op in front of it, and what that op reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.domain import DOMAIN, use
from edge.graph.rewrite import (
    SCALE,
    ZERO,
    add_constant,
    become,
    constant,
    fresh,
    insert_before,
    integer,
    is_op,
    made_by,
    operand,
    scalar,
    shape,
    sole_use,
)
from edge.words.quant import EIGHT, Array, bounds

if TYPE_CHECKING:
    import onnx_ir as ir

Attributes = dict[str, int | float | str | tuple[int, ...]]
CLAMPS = ("Relu", "Clip")
FAR = 1_000_000  #: steps: further than any 8-bit integer


@dataclass(frozen=True)
class Stored:
    """Integers behind a DequantizeLinear.  scale, zero: 0-d, or 1-d along `axis`.  kind: numpy name of their type."""

    value: ir.Value
    scale: Array
    zero: Array
    axis: int

    @property
    def kind(self) -> str:
        """The integers' type."""
        return self.zero.dtype.name

    @property
    def whole(self) -> bool:
        """Does one scale serve the whole tensor?"""
        return self.scale.size == 1

    @property
    def real(self) -> float:
        """The scale of the whole tensor, exact."""
        return float(self.scale.reshape(-1)[0])

    @property
    def offset(self) -> int:
        """The zero point of the whole tensor."""
        return int(self.zero.reshape(-1)[0])

    @property
    def data(self) -> Array | None:
        """The integers themselves, where they are a constant."""
        return constant(self.value)


@dataclass(frozen=True)
class Site:
    """last: the QuantizeLinear.  core: the op whose result it quantizes, None for a change of scale; clamps: Relu and Clip between, first first.

    result: what the QuantizeLinear makes.  low, high: bounds of the result in steps from its zero point, the clamps among them.
    """

    model: ir.Model
    last: ir.Node
    core: ir.Node | None
    clamps: tuple[ir.Node, ...]
    result: Stored
    low: int
    high: int

    @property
    def name(self) -> str:
        """The name of the value that is made."""
        return self.last.outputs[0].name or "quantized"

    @property
    def node(self) -> ir.Node:
        """The op that is absorbed."""
        assert self.core is not None
        return self.core

    def read(self, index: int) -> Stored | None:
        """The 8-bit integers behind input `index` of the op, one scale for all of them; None where it reads something else."""
        found = stored(operand(self.node, index))
        return found if found is not None and found.whole and found.kind in EIGHT else None

    def number(self, word: str, value: Array | float | int | tuple[int, ...], kind: str = "float32") -> ir.Value:
        """A new constant of this site."""
        return add_constant(self.model, f"{self.name}_{word}", np.asarray(value, kind))

    def ends(self) -> list[ir.Value]:
        """The zero point and the bounds, as every integer op takes them."""
        zero = self.number("zero", self.result.zero.reshape(()), self.result.kind)
        return [zero, self.number("low", self.low), self.number("high", self.high)]

    def become(self, op: str, inputs: list[ir.Value], attributes: Attributes | None = None) -> bool:
        """The QuantizeLinear turns into an integer op of our domain; always True."""
        use(self.model, op)
        become(self.last, op, inputs, attributes, domain=DOMAIN, like=self.core)
        return True

    def reshaped(self, source: Stored, dims: tuple[int, ...]) -> ir.Value:
        """The integers of `source` in another shape."""
        value = insert_before(self.last, "Reshape", [source.value, self.number("dims", dims, "int64")], fresh(self.model, f"{self.name}_row"), dims)
        value.type = source.value.type
        remember(value, source)
        return value

    def become_reshaped(self, op: str, inputs: list[ir.Value], attributes: Attributes, dims: tuple[int, ...]) -> bool:
        """An integer op of our domain that makes `dims`, and a Reshape to the result's own shape; always True."""
        use(self.model, op)
        value = insert_before(self.last, op, inputs, fresh(self.model, f"{self.name}_row"), dims, attributes)
        made, own = value.producer(), shape(self.last.outputs[0])
        assert made is not None and own is not None
        made.domain = DOMAIN
        if self.core is not None:
            made.metadata_props.update(self.core.metadata_props)
        remember(value, self.result)
        become(self.last, "Reshape", [value, self.number("shape", own, "int64")], like=self.core)
        return True

    def insert(self, op: str, inputs: list[ir.Value | None], like: Stored, shape: tuple[int, ...]) -> ir.Value:
        """An integer op in front of the QuantizeLinear, whose result has the type and the meaning of `like`."""
        value = insert_before(self.last, op, inputs, fresh(self.model, f"{self.name}_moved"), shape)
        if self.core is not None:
            made = value.producer()
            assert made is not None
            for name, attribute in self.core.attributes.items():
                made.attributes[name] = attribute
        value.type = like.value.type
        remember(value, like)
        return value


def stored(value: ir.Value | None) -> Stored | None:
    """What a value that a DequantizeLinear makes stands for; None for any other, or a scale a block."""
    node = made_by(value, "DequantizeLinear")
    return parameters(node) if node is not None and node.inputs[0] is not None and not integer(node, "block_size", 0) else None


def parameters(node: ir.Node) -> Stored | None:
    """Scale and zero point of a DequantizeLinear or QuantizeLinear, when they are constant."""
    quantizes = is_op(node, "QuantizeLinear")
    value = node.outputs[0] if quantizes else node.inputs[0]
    scale, zero = constant(node.inputs[1]), constant(operand(node, 2))
    if scale is None or scale.dtype != np.float32 or value is None or value.dtype is None or (operand(node, 2) is not None and zero is None):
        return None
    if not integer(node, "saturate", 1) or value.dtype.numpy().kind not in "iu":
        return None
    known = zero if zero is not None else np.zeros(scale.shape, value.dtype.numpy())
    return Stored(value, scale, known, integer(node, "axis", 1))


def remember(value: ir.Value, meaning: Stored) -> None:
    """Write scale and zero point to an integer value; the plan's buffers take them over."""
    if meaning.whole:
        value.metadata_props[SCALE], value.metadata_props[ZERO] = repr(meaning.real), str(meaning.offset)


def note(node: ir.Node) -> None:
    """Let the integer side of a QuantizeLinear or DequantizeLinear know what it stands for."""
    found = parameters(node)
    if found is not None and constant(found.value) is None:
        remember(found.value, found)


def site_of(model: ir.Model, node: ir.Node) -> Site | None:
    """The site of a QuantizeLinear; None where it has a scale a channel, another type, or parameters that are computed."""
    result = parameters(node)
    if result is None or not result.whole or result.kind not in EIGHT or integer(node, "block_size", 0):
        return None
    value = node.inputs[0]
    clamps: list[ir.Node] = []
    if value is None or (stored(value) is None and not sole_use(value)):
        return None
    core = value.producer()
    while core is not None and is_op(core, *CLAMPS) and core.inputs[0] is not None and _bounds(core) is not None:
        before = core.inputs[0]
        if stored(before) is not None or not sole_use(before) or before.producer() is None:
            break  # a clamp alone is a function of one number
        clamps.insert(0, core)
        core = before.producer()
    if core is None or not is_op(core, core.op_type):
        return None
    if is_op(core, "DequantizeLinear"):
        core = None
    low, high = -FAR, FAR
    for least, most in [*((_steps(b, result) for b in _bounds(clamp) or ()) for clamp in clamps), (b - result.offset for b in bounds(result.kind))]:
        low, high = min(max(low, least), most), min(max(high, least), most)
    return Site(model, node, core, tuple(clamps), result, low, high)


def _bounds(clamp: ir.Node) -> tuple[float, float] | None:
    """Between which reals a Relu or Clip keeps its input."""
    if is_op(clamp, "Relu"):
        return 0.0, np.inf
    given = [operand(clamp, i) for i in (1, 2)]
    found = [scalar(value) for value in given]
    if any(value is not None and number is None for value, number in zip(given, found, strict=True)):
        return None
    low, high = -np.inf if found[0] is None else found[0], np.inf if found[1] is None else found[1]
    return (low, high) if low <= high else None


def _steps(bound: float, result: Stored) -> int:
    """A real bound in steps from the zero point, rounded as the real itself would be."""
    with np.errstate(over="ignore"):
        steps = np.rint(np.float32(bound) / np.float32(result.real))
    return int(np.clip(np.nan_to_num(steps, posinf=FAR, neginf=-FAR), -FAR, FAR))
