"""The place where one node is taken apart: words that put new nodes in front of it, of its type, source line and scope.

`finish` turns the node itself into the last one, so that its value keeps its name and a layer can be compared with the original.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge.graph.rewrite import Attributes, add_constant, become, constant, fresh, insert_before, operand, shape

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]


class Refused(Exception):
    """The node has a form that no exact decomposition is known for: what it is, and what to write instead."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what} ({cure})")


class Unknown(Refused):
    """A shape is not known yet: it may be once the nodes before are taken apart."""


class Site:
    """One node under decomposition.  dtype: of its output, and of every constant that meets it."""

    def __init__(self, model: ir.Model, node: ir.Node) -> None:
        self.model, self.node = model, node
        self.name = node.outputs[0].name or node.op_type
        known = [value.dtype for value in (node.outputs[0], *node.inputs[:1]) if value is not None and value.dtype is not None]
        self.dtype = known[0].numpy() if known else np.dtype(np.float32)

    # ---- what the node has

    def input(self, index: int) -> ir.Value:
        """Input `index`, which the operator cannot do without."""
        value = operand(self.node, index)
        if value is None:
            self.refuse(f"has no input {index}", "export it again: the operator needs that input")
        return value

    def array(self, index: int, what: str) -> Array | None:
        """The constant that input `index` is; None when it is left out or empty, refused when it is computed."""
        value = operand(self.node, index)
        if value is None or shape(value) == (0,):
            return None
        found = constant(value)
        if found is None:
            self.refuse(f"its {what} is computed, not constant", "store it as an initializer")
        return found

    def refuse(self, what: str, cure: str) -> NoReturn:
        """Leave the node as it is, with the reason."""
        raise Refused(what, cure)

    # ---- new nodes

    def emit(self, op: str, inputs: Sequence[ir.Value | None], dims: Sequence[int], attributes: Attributes | None = None) -> ir.Value:
        """A new node's value of shape `dims`."""
        return insert_before(self.node, op, inputs, fresh(self.model, f"{self.name}_{op.lower()}"), dims, attributes)

    def constant(self, word: str, array: Array | float | Sequence[int]) -> ir.Value:
        """A constant: a list is int64, a number or an array of the node's type."""
        kept = np.int64 if isinstance(array, Sequence) else self.dtype
        return add_constant(self.model, f"{self.name}_{word}", np.array(array, kept))

    def unary(self, op: str, x: ir.Value, **attributes: float | str) -> ir.Value:
        """op(x), element by element."""
        return self.emit(op, [x], dims(x), attributes)

    def binary(self, op: str, a: ir.Value, b: ir.Value | float) -> ir.Value:
        """a op b with numpy's broadcasting; a number becomes a constant."""
        right = self.constant(op.lower(), b) if isinstance(b, int | float) else b
        return self.emit(op, [a, right], np.broadcast_shapes(dims(a), dims(right)))

    def clip(self, x: ir.Value, low: float, high: float) -> ir.Value:
        """min(max(x, low), high)"""
        return self.emit("Clip", [x, self.constant("low", float(low)), self.constant("high", float(high))], dims(x))

    def reduce(self, op: str, x: ir.Value, axes: Sequence[int]) -> ir.Value:
        """Reduced over `axes`, which stay as 1."""
        kept = [1 if axis in axes else n for axis, n in enumerate(dims(x))]
        return self.emit(op, [x, self.constant("axes", list(axes))], kept, {"keepdims": 1})

    def reshape(self, x: ir.Value, to: Sequence[int]) -> ir.Value:
        """The same elements under another shape."""
        known = constant(x)
        if known is not None and self._real(known):
            return self.constant("reshaped", known.reshape(tuple(to)))
        return x if dims(x) == tuple(to) else self.emit("Reshape", [x, self.constant("shape", list(to))], to)

    def transpose(self, x: ir.Value, perm: Sequence[int]) -> ir.Value:
        """Axes in another order."""
        known = constant(x)
        if known is not None and self._real(known):
            return self.constant("turned", known.transpose(tuple(perm)))
        return x if list(perm) == sorted(perm) else self.emit("Transpose", [x], [dims(x)[axis] for axis in perm], {"perm": tuple(perm)})

    def expand(self, x: ir.Value, to: Sequence[int]) -> ir.Value:
        """Axes of 1 repeated."""
        return x if dims(x) == tuple(to) else self.emit("Expand", [x, self.constant("shape", list(to))], to)

    def slice(self, x: ir.Value, axis: int, start: int, count: int, step: int = 1) -> ir.Value:
        """`count` elements along one axis from `start`, `step` apart (negative: backwards)."""
        to = list(dims(x))
        if (start, count, step) == (0, to[axis], 1):
            return x
        last = start + (count - 1) * step
        end = last + 1 if step > 0 else (last - 1 if last else -to[axis] - 1)
        to[axis] = count
        words = {"start": [start], "end": [end], "axis": [axis], "step": [step]}
        return self.emit("Slice", [x, *(self.constant(word, number) for word, number in words.items())], to)

    def concat(self, parts: Sequence[ir.Value], axis: int) -> ir.Value:
        """One after the other along an axis."""
        if len(parts) == 1:
            return parts[0]
        to = list(dims(parts[0]))
        to[axis] = sum(dims(part)[axis] for part in parts)
        return self.emit("Concat", parts, to, {"axis": axis})

    def matmul(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """a @ b, leading axes broadcast."""
        (*lead, m, _), (*other, _, n) = dims(a), dims(b)
        return self.emit("MatMul", [a, b], [*np.broadcast_shapes(tuple(lead), tuple(other)), m, n])

    # ---- the end

    def finish(self, value: ir.Value) -> bool:
        """Let the node itself compute `value`, whose maker goes.  Its further outputs must have been `deliver`ed."""
        maker, output = value.producer(), self.node.outputs[0]
        if shape(output) is None:  # onnx has operators without shape inference
            output.shape, output.type = value.shape, value.type or self.input(0).type
        if len(self.node.outputs) > 1:
            self.node.resize_outputs(1)
        if maker is None or value.uses() or value.is_graph_output() or maker.graph is not self.node.graph or not self._ours(value):
            become(self.node, "Identity", [value])
            return True
        attributes = {key: attribute.value for key, attribute in maker.attributes.items()}
        become(self.node, maker.op_type, list(maker.inputs), attributes)
        assert maker.graph is not None
        maker.graph.remove(maker, safe=True)
        return True

    def deliver(self, index: int, value: ir.Value) -> None:
        """`value` takes the name and the readers of the node's output `index`."""
        old = self.node.outputs[index]
        name, is_output = old.name, old.is_graph_output()
        old.name = None
        value.name = name
        old.replace_all_uses_with(value, replace_graph_outputs=is_output)

    def wanted(self, index: int) -> bool:
        """Does anybody read output `index`?"""
        outputs = self.node.outputs
        return index < len(outputs) and bool(outputs[index].uses() or outputs[index].is_graph_output())

    def _real(self, array: Array) -> bool:
        return array.dtype == self.dtype

    def _ours(self, value: ir.Value) -> bool:
        return (value.name or "").startswith(f"{self.name}_") and value not in self.node.inputs


def dims(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a value."""
    found = shape(value)
    if found is None:
        raise Unknown(f"the shape of '{value.name}' is not known", "fix the sizes of the inputs with --input-shape")
    return found


def flat(lead: Sequence[int]) -> int:
    """The number of elements of some axes."""
    return prod(lead)
