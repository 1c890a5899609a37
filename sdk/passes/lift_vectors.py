"""MatMul by numpy's rule: a vector is a row on the left and a column on the right, and the axis of 1 is taken away again.

- vector by matrices, matrices by vector, vector by vector   -> Reshape, MatMul, Reshape
- constant matrix by vector                                   -> the vector as a row times the matrix transposed: a dense layer
- leading axes that broadcast in both operands, (2, 1) by (3) -> Expand of what lacks some
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, is_op, shape
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)


def run(model: ir.Model) -> int:
    """Number of products rewritten."""
    return sum(_rewrite(model, node) for node in list(model.graph) if is_op(node, "MatMul"))


def _rewrite(model: ir.Model, node: ir.Node) -> bool:
    left, right = node.inputs
    x, z, out = shape(left), shape(right), shape(node.outputs[0])
    if left is None or right is None or x is None or z is None or out is None:
        return False
    if min(len(x), len(z)) > 1:
        return _same_batch(model, node, left, right)
    weight = constant(left)
    if weight is not None and len(x) == 2:
        turned = add_constant(model, f"{left.name}_transposed", np.ascontiguousarray(weight.T))
        return _as_matrices(model, node, _to(model, node, right, (1, *z)), turned, (1, x[0]), out)
    lifted = _to(model, node, left, (1, *x)) if len(x) == 1 else left
    column = _to(model, node, right, (*z, 1)) if len(z) == 1 else right
    rows, columns = (1,) if len(x) == 1 else (x[-2],), (1,) if len(z) == 1 else (z[-1],)
    return _as_matrices(model, node, lifted, column, (*x[:-2], *z[:-2], *rows, *columns), out)


def _as_matrices(model: ir.Model, node: ir.Node, left: ir.Value, right: ir.Value, dims: tuple[int, ...], out: tuple[int, ...]) -> bool:
    name = node.outputs[0].name or "product"
    product = insert_before(node, "MatMul", [left, right], fresh(model, f"{name}_matrix"), dims)
    become(node, "Reshape", [product, add_constant(model, f"{name}_shape", np.array(out, np.int64))])
    return True


def _to(model: ir.Model, node: ir.Node, value: ir.Value, dims: tuple[int, ...], op: str = "Reshape") -> ir.Value:
    """The value in another shape; a constant at once."""
    known, name = constant(value), f"{value.name}_{'x'.join(map(str, dims))}"
    if known is not None and op == "Reshape":
        return add_constant(model, name, known.reshape(dims))
    target = add_constant(model, f"{name}_shape", np.array(dims, np.int64))
    return insert_before(node, op, [value, target], fresh(model, name), dims)


def _same_batch(model: ir.Model, node: ir.Node, left: ir.Value, right: ir.Value) -> bool:
    """The kernel walks one batch for all, or as many as the result has."""
    out, changed = shape(node.outputs[0]), False
    assert out is not None
    for index, value in enumerate((left, right)):
        dims = shape(value)
        assert dims is not None
        if prod(dims[:-2]) not in (1, prod(out[:-2])):
            node.replace_input_with(index, _to(model, node, value, (*out[:-2], *dims[-2:]), "Expand"))
            changed = True
    return changed
