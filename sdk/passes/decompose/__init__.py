"""Operators without a kernel of their own become operators that have one: one table, a file a family, whose docstring is the case analysis.

A rule is `rule(site) -> bool`: it puts new nodes in front of the node (`site.emit`, …) and ends with `site.finish`; False leaves the node alone.
Readers come before what they read, so that a pattern of several nodes is seen whole.
A form that no exact decomposition is known for stays as it is and carries the reason, which `edge build` shows beside the node.

Add a decomposition: 1 a rule in the family's file, with its line in the docstring; 2 its line in that file's RULES; 3 a row in
tests/test_decompose.py and a random case against ONNX Runtime in tests/test_decompose_random.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge import graph
from edge.graph.rewrite import REFUSED, is_op
from edge.passes.decompose import activation, attention, choosing, conv_transpose, einsum, moving, normalization, recurrent, reduction, resize, rounds
from edge.passes.decompose.site import Refused, Site, Unknown
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)
FAMILIES = (activation, attention, choosing, conv_transpose, einsum, moving, normalization, recurrent, reduction, resize, rounds)
OPSET = 23  #: what the rules know; onnx has them all by then
LATER = {"SpaceToDepth": {"mode"}}  #: what came later and is known too
#: op -> how it is taken apart.
RULES: dict[str, Callable[[Site], bool]] = {op: rule for family in FAMILIES for op, rule in family.RULES.items()}


def run(model: ir.Model) -> int:
    """Number of nodes taken apart; shapes are inferred anew while that lets more be."""
    total, count, waiting = 0, 1, True
    while waiting and count:
        results = [_decompose(model, node) for node in reversed(list(model.graph)) if is_op(node, *RULES)]
        count, waiting = results.count(True), None in results
        total += count
        if waiting and count:
            graph.infer(model, strict=False)
    return total


def _check_version(site: Site) -> None:
    """Refuse attributes and inputs that came after the rules were written: their meaning is not known here."""
    import onnx

    node = site.node
    schema = onnx.defs.get_schema(node.op_type, OPSET, "")
    later = sorted(set(node.attributes) - set(schema.attributes) - LATER.get(node.op_type, set()))
    if schema.max_input < len(node.inputs) and any(value is not None for value in node.inputs[schema.max_input :]):
        later.append(f"input {schema.max_input}")
    if later:
        site.refuse(f"{', '.join(later)} came after opset {OPSET}", f"export it with opset {OPSET}")


def _decompose(model: ir.Model, node: ir.Node) -> bool | None:
    """Was it taken apart?  None: a shape is not known yet."""
    site = Site(model, node)
    try:
        _check_version(site)
        return RULES[node.op_type](site)
    except Unknown:
        return None
    except Refused as refused:
        node.metadata_props[REFUSED] = str(refused)
        return False
