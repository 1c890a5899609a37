"""A Conv or Gemm between -1 and 1 is edge.BinaryConv or edge.BinaryGemm, whose weights are bits: a word for 32 channels (edge/graph/bits.py).

- its input is -1 or 1: edge.Binarize, Sign, a constant times either, MaxPool, Reshape, Concat … of such values
- Pad with 0, 1 or -1 in front of a Conv, or its own pads: places outside count 0, 1 or -1
- each output channel's weights are +a or -a, up to NEAR (training code adds and takes away what should cancel)
- Sign is 0 at 0, a bit is not: only behind a bias or a BatchNorm, where 0 is rare; it counts as 1 there, which is noted
- Sign of what is never negative (Relu, Abs …) is 0 or 1: left alone
What has a sign in front or binary weights and stays a Conv or Gemm says why in the metadata `edge.float`; `notes` makes sentences of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import listed
from edge.graph.bit_sources import Source, source_of
from edge.graph.bits import EXACT_SUM, packed
from edge.graph.domain import DOMAIN, use
from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, integer, integers, is_op, operand, shape
from edge.ops.refusal import place
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)
NEAR = 1e-5  # of a: what the weights of one channel may be off it
FEW = 9  # weights a channel: with fewer, +a and -a alone are no sign of a binary layer
FLOAT, ZERO = "edge.float", "edge.zero"  # metadata: why a layer stays float32; that a sign of 0 counts as 1


def run(model: ir.Model) -> int:
    """Number of layers made binary."""
    return sum(_rewrite(model, node) for node in list(model.graph) if is_op(node, "Conv", "Gemm"))


def notes(model: ir.Model) -> list[str]:
    """What a user should know of the layers of a binarized network: one sentence for those that stay float32, one for signs of 0."""
    where, found = model.graph.name or "model", []
    stay = [f"{node.op_type} ({place(node)}) {node.metadata_props[FLOAT]}" for node in model.graph if FLOAT in node.metadata_props]
    if stay:
        what = f"{len(stay)} layer{'s' if len(stay) > 1 else ''} with signs or binary weights run{'' if len(stay) > 1 else 's'} in float32"
        found.append(f"{where}: {what}: {listed(stay, between='; ')}")
    zero = [node for node in model.graph if ZERO in node.metadata_props]
    if zero:
        what = f"in {len(zero)} binary layer{'s' if len(zero) > 1 else ''} ({place(zero[0])}) a sign of 0 counts as 1, in the model as 0"
        found.append(f"{where}: {what}: write torch.where(x >= 0, 1., -1.) to have it so in both")
    return found


def _rewrite(model: ir.Model, node: ir.Node) -> bool:
    weight = constant(node.inputs[1])
    if weight is None or weight.dtype != np.float32 or (node.op_type == "Gemm" and not integer(node, "transB", 0)):
        return False
    source, why = source_of(node.inputs[0])
    scale, off = scales(weight)
    if source is None:
        if off <= NEAR and weight[0].size >= FEW and np.unique(np.sign(weight)).size > 1:
            node.metadata_props[FLOAT] = why or "has binary weights, its input is not a sign"
        return False
    reason = _weights_reason(weight, off) or _shape_reason(node, weight, source)
    if reason:
        node.metadata_props[FLOAT] = reason
        return False
    _make(model, node, weight, scale, source)
    return True


def scales(weight: NDArray[np.generic]) -> tuple[NDArray[np.float64], float]:
    """One number a for each output channel whose weights are about +a and -a, and how far the worst one is off, relative to its a."""
    sizes = np.abs(weight.astype(np.float64).reshape(weight.shape[0], -1))
    a = np.where((sizes == sizes[:, :1]).all(axis=1), sizes[:, 0], sizes.mean(axis=1))
    apart = np.abs(sizes - a[:, None]).max(axis=1)
    return a, float((apart / np.where(a > 0, a, 1.0)).max())


def _weights_reason(weight: NDArray[np.generic], off: float) -> str:
    """Why its weights are no bits."""
    if off <= NEAR:
        return ""
    zeros = int((weight == 0).sum() - (weight.reshape(weight.shape[0], -1) == 0).all(axis=1).sum() * weight[0].size)
    if zeros:
        return f"has {zeros} weights of {weight.size} that are 0, not +a or -a"
    return f"has weights that are up to {100 * off:.3g} % off +a and -a"


def _shape_reason(node: ir.Node, weight: NDArray[np.generic], source: Source) -> str:
    """Why its form has no binary kernel."""
    if node.op_type == "Conv" and integer(node, "group", 1) != 1:
        return f"has {integer(node, 'group', 1)} groups"
    if weight.ndim not in (2, 4):
        return f"is a convolution over {weight.ndim - 2} axes"
    if weight[0].size > EXACT_SUM:
        return f"has sums of {weight[0].size} terms, more than float32 counts exactly"
    if source.border and (node.op_type == "Gemm" or any(integers(node, "pads", (0, 0, 0, 0)))):
        return f"pads with {source.border} and with 0"
    return ""


def _make(model: ir.Model, node: ir.Node, weight: NDArray[np.generic], scale: NDArray[np.float64], source: Source) -> None:
    base = getattr(node.inputs[1], "name", "") or "weight"
    bias = constant(operand(node, 2)) if operand(node, 2) is not None else None
    words = add_constant(model, f"{base}_bits", packed(np.sign(source.factor) * weight))
    factor = add_constant(model, f"{base}_scale", (scale * abs(source.factor)).astype(np.float32))
    term = add_constant(model, f"{base}_bias", np.zeros(scale.size, np.float32)) if bias is None else operand(node, 2)
    if source.zero:
        node.metadata_props[ZERO] = "1"
    given = [_signs(model, node, source), words, factor, term]
    if node.op_type == "Gemm":
        become(node, "BinaryGemm", given, domain=DOMAIN)
    else:
        pads = source.pads if any(source.pads) else integers(node, "pads", (0, 0, 0, 0))
        attributes: dict[str, int | tuple[int, ...]] = {
            "strides": integers(node, "strides", (1, 1)),
            "dilations": integers(node, "dilations", (1, 1)),
            "around": (0, 0, *pads[:2], 0, 0, *pads[2:]),
            "border": source.border,
        }
        become(node, "BinaryConv", given, attributes, domain=DOMAIN)
    use(model, node.op_type)


def _signs(model: ir.Model, node: ir.Node, source: Source) -> ir.Value:
    """The value of -1 and 1; standard Signs below it become edge.Binarize, or get one beside them where others read them too."""
    for sign in source.signs:
        use(model, "Binarize")
        if source.value is not sign.outputs[0]:
            become(sign, "Binarize", [sign.inputs[0]], domain=DOMAIN)
            continue
        x, output = sign.inputs[0], sign.outputs[0]
        assert x is not None
        known = [reader for reader, _ in x.uses() if is_op(reader, "Binarize", domain=DOMAIN)]
        if known:
            return known[0].outputs[0]
        made = insert_before(sign, "Binarize", [x], fresh(model, f"{output.name}_bits"), shape(output) or ())
        maker = made.producer()
        assert maker is not None
        maker.domain = DOMAIN
        return made
    return source.value
