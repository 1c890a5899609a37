"""A network that is quantized already (QDQ) computes in integers: what lies between DequantizeLinear and QuantizeLinear becomes one integer op.

- QLinearConv, QLinearMatMul                        -> DequantizeLinear, the op, QuantizeLinear
- QuantizeLinear of a constant                      -> integers
- Conv, Gemm, MatMul with constant weights (+ Relu, Clip)  -> edge.QConv, edge.QGemm; the activation is a clamp of the integers
- GlobalAveragePool, AveragePool whose windows are all full -> edge.QConv with weights of one
- Add, Mul (+ Relu, Clip)                           -> edge.QAdd, edge.QMul
- MaxPool, Concat, Reshape, Transpose, Slice, …     -> the same op on integers; edge.QTable first where the scales differ
- Reshape, Transpose, … in front of QuantizeLinear  -> behind it
- functions of one number, a change of scale        -> edge.QTable: 256 entries
- anything else stays DequantizeLinear -> op in float32 -> QuantizeLinear; its constants are then float32

edge.words.quant defines what each computes: within one step of what ONNX's float32 arithmetic gives.
To absorb another op: one function (Site) -> bool in a family file, one row in its table RULES.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.quantization import check
from edge.graph.rewrite import is_op, sweep
from edge.passes import canonicalise_pool, explicit_padding, fold_constants
from edge.passes.absorb_quantization import elementwise, layers, moving
from edge.passes.absorb_quantization.site import Site, note, site_of
from edge.passes.absorb_quantization.spelling import as_integers, as_real, spelled_out
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(2e-2)  # a step of a coarse scale is far more than a rounding
RULES = {**layers.RULES, **elementwise.RULES, **moving.RULES}


def run(model: ir.Model) -> int:
    """Number of nodes that compute in integers now, and of constants that are float32 now."""
    check(model)
    count = sum(spelled_out(model, node) for node in list(model.graph) if is_op(node, "QLinearConv", "QLinearMatMul"))
    if not any(is_op(node, "QuantizeLinear", "DequantizeLinear") for node in model.graph):
        return count
    for other in (canonicalise_pool, explicit_padding):
        other.run(model)
    count += sum(as_integers(model, node) for node in list(model.graph) if is_op(node, "QuantizeLinear"))
    count += sum(moving.lifted(model, node) for node in reversed(list(model.graph)) if is_op(node, "QuantizeLinear"))
    for node in [node for node in model.graph if is_op(node, "QuantizeLinear", "DequantizeLinear")]:
        note(node)
    for node in [node for node in model.graph if is_op(node, "QuantizeLinear")]:
        site = site_of(model, node)
        count += site is not None and _absorbed(site)
    sweep(model)
    real = sum(as_real(model, node) for node in list(model.graph) if is_op(node, "DequantizeLinear"))
    if real:
        fold_constants.run(model)  # a weight may be turned or reshaped behind its DequantizeLinear
    return count + real


def _absorbed(site: Site) -> bool:
    rule = RULES.get(site.core.op_type) if site.core is not None else elementwise.table
    return rule is not None and rule(site)
