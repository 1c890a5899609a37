"""Gemm (constant weight, transB = 1) and MatMul.  x (M, K), w (N, K), b (N) -> (M, N); MatMul broadcasts leading axes as numpy does."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.group import Group, input_name, refuse_computed
from edge.ops.lowering import Lowering


def gemm(build: Builder, group: Group) -> None:
    """Row by row against packed weights (N/B, K, B)."""
    node = group.node
    w, bias = rewrite.constant(node.inputs[1]), rewrite.operand(node, 2)
    if w is None:
        raise group.refused("its weight is computed, not constant", "write it as MatMul and Add")
    refuse_computed(group, (2,), "its bias is")
    factors = (rewrite.number(node, "alpha", 1.0), rewrite.number(node, "beta", 1.0))
    turned = (rewrite.integer(node, "transA", 0), rewrite.integer(node, "transB", 0))
    known = rewrite.constant(bias)
    rows = w.shape[0]
    if factors != (1.0, 1.0) or turned != (0, 1) or (known is not None and (known.size, known.shape[-1:]) != (rows, (rows,))):
        raise group.refused("this form has no kernel", "write it as MatMul and Add")
    name = (node.inputs[1].name or "") if node.inputs[1] is not None else ""
    bias_name = (bias.name if bias is not None else None) or ""
    _rows(build, group, w.astype(np.float32, copy=False), name, build.vector(known, bias_name), recipe=w.dtype == np.float32)


def _rows(build: Builder, group: Group, w: NDArray[np.float32], source: str, bias: str, *, recipe: bool) -> None:
    """x (…, K) times w (N, K) transposed."""
    out, k = w.shape
    name = input_name(group, 0)
    shape = build.shapes[name]
    rows = prod(shape[:-1])
    packed = build.matrix(w, source, recipe=recipe)
    build.step(
        group,
        "fc_f32",
        {"x": build.planar(name), "w": packed, "bias": bias, "residual": build.planar(group.residual) if group.residual else ""},
        {"rows": rows, "k": k, "n": out, "whole": 0, "x_row": k, "y_row": out},
        shape=(*shape[:-1], out),
        macs=rows * k * out,
    )


def matmul(build: Builder, group: Group) -> None:
    """Constant right side: rows against packed weights; else a batched product of two computed tensors."""
    node = group.node
    left, right = node.inputs[0], node.inputs[1]
    assert left is not None and right is not None
    w = rewrite.constant(right)
    if w is not None and w.ndim == 2:
        _rows(build, group, np.ascontiguousarray(w.T, dtype=np.float32), f"{right.name}@transposed", "", recipe=False)
        return
    x, z, y = (rewrite.shape(value) for value in (left, right, node.outputs[0]))
    assert x is not None and z is not None and y is not None
    batches = [prod(shape[:-2]) for shape in (x, z, y)]
    if min(len(x), len(z)) < 2 or any(b not in (1, batches[2]) for b in batches[:2]):
        raise group.refused(
            f"{x} by {z} has no kernel",
            "reshape both sides to the same leading axes",
        )
    build.step(
        group,
        "matmul_f32",
        {"x": build.planar(left.name or ""), "z": build.planar(right.name or "")},
        {"batch": batches[2], "m": x[-2], "k": x[-1], "n": z[-1]}
        | {"x_batch": x[-2] * x[-1] if batches[0] > 1 else 0, "z_batch": z[-2] * z[-1] if batches[1] > 1 else 0},
        shape=y,
        macs=prod(y) * x[-1],
    )


LOWERINGS = {"Gemm": Lowering(gemm, ("fc_f32",)), "MatMul": Lowering(matmul, ("fc_f32", "matmul_f32"))}
