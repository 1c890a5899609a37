"""Einsum of one or two operands: sums, transposes and one MatMul.

- a label that one operand alone has, and the output has not   -> ReduceSum of that operand
- one operand      -> Transpose
- two operands     (batch…, left…, summed…) @ (batch…, summed…, right…), labels in the output's order by a Transpose behind
`…` stands for labels of its own, and must have the same sizes in both.  A label that comes twice in one operand (a diagonal), sizes that broadcast,
and three or more operands are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from string import ascii_letters
from typing import TYPE_CHECKING

from edge.graph.rewrite import text
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir


def einsum(site: Site) -> bool:
    """equation "ij,jk->ik" over the inputs."""
    values = [value for value in site.node.inputs if value is not None]
    terms, output = _terms(site, text(site.node, "equation", ""), [len(dims(value)) for value in values])
    if len(values) > 2:
        site.refuse(f"{len(values)} operands have no kernel", "multiply two at a time")
    sizes: dict[str, int] = {}
    for term, value in zip(terms, values, strict=True):
        for label, size in zip(term, dims(value), strict=True):
            if sizes.setdefault(label, size) != size or term.count(label) > 1:
                site.refuse(f"'{text(site.node, 'equation', '')}' repeats or broadcasts an axis", "take the diagonal, or expand, before")
    others = ["".join(terms[:index] + terms[index + 1 :]) + output for index in range(len(terms))]
    summed = [_sum(site, *one) for one in zip(values, terms, others, strict=True)]
    if len(summed) == 1:
        value, term = summed[0]
        return site.finish(site.transpose(value, [term.index(label) for label in output]))
    return site.finish(_product(site, summed[0], summed[1], output, sizes))


def _terms(site: Site, equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The labels of every operand and of the output, `…` spelled out."""
    plain = equation.replace(" ", "")
    left, arrow, right = plain.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        site.refuse(f"'{equation}' is not an equation of {len(ranks)} operands", "name the axes of every operand")
    free = [letter for letter in reversed(ascii_letters) if letter not in plain]
    hidden = {rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True) if "..." in term}
    if len(hidden) > 1 or any(count < 0 for count in hidden):
        site.refuse(f"'{equation}' has an ellipsis of several lengths", "name every axis")
    dots = "".join(free[: next(iter(hidden), 0)])
    if not arrow:
        named = left.replace("...", "").replace(",", "")
        right = "..." * ("..." in left) + "".join(sorted(label for label in set(named) if named.count(label) == 1))
    found = [term.replace("...", dots) for term in terms]
    if any(len(term) != rank for term, rank in zip(found, ranks, strict=True)):
        site.refuse(f"'{equation}' does not name every axis of its operands", "name every axis")
    return found, right.replace("...", dots)


def _sum(site: Site, value: ir.Value, term: str, kept: str) -> tuple[ir.Value, str]:
    """Without the labels that nobody else has."""
    gone = [axis for axis, label in enumerate(term) if label not in kept]
    for axis in reversed(gone):
        value = site.reduce("ReduceSum", value, (axis,))
    left = "".join(label for label in term if label in kept)
    return site.reshape(value, [size for axis, size in enumerate(dims(value)) if axis not in gone]), left


def _product(site: Site, first: tuple[ir.Value, str], second: tuple[ir.Value, str], output: str, sizes: dict[str, int]) -> ir.Value:
    (a, left), (b, right) = first, second
    batch = [label for label in output if label in left and label in right]
    inner = [label for label in left if label in right and label not in output]
    rows = [label for label in left if label not in right]
    columns = [label for label in right if label not in left]
    batches, m, k, n = (prod(sizes[label] for label in labels) for labels in (batch, rows, inner, columns))
    lead = (batches,) if batch else ()
    x = site.reshape(site.transpose(a, [left.index(label) for label in (*batch, *rows, *inner)]), (*lead, m, k))
    z = site.reshape(site.transpose(b, [right.index(label) for label in (*batch, *inner, *columns)]), (*lead, k, n))
    made = [*batch, *rows, *columns]
    y = site.reshape(site.matmul(x, z), [sizes[label] for label in made])
    return site.transpose(y, [made.index(label) for label in output])


RULES = {"Einsum": einsum}
