"""The table of operators, for a terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import wrap

from edge.plan.operators import How, Operator
from edge.report.table import GAP, facts

#: what each path means, in the order of the summary
PATHS = {
    How.KERNEL: "a kernel written for it, in float32",
    How.LOOPS: "loops made for it, in any element type and rank; slower than a kernel",
    How.OTHERS: "other operators, which it becomes while the model is built",
    How.FOLDED: "nothing at run time: it is computed or dropped while the model is built",
    How.NO: "refused, with what to write instead",
}
INT8 = "between DequantizeLinear and QuantizeLinear it computes in 8-bit integers"
LEAST = 24  #: columns of a note
HEADER = ("operator", "path", "int8", "note")


def table(operators: Sequence[Operator], width: int) -> str:
    """One row an operator, its note folded below its own beginning, then what the words mean.  width: columns."""
    rows = [HEADER, *map(cells, operators)]
    wide = [max(len(row[i]) for row in rows) + len(GAP) for i in range(3)]
    room = max(LEAST, width - sum(wide))
    lines = []
    for *row, note in rows:
        first, *rest = wrap(note, room) or [""]
        start = "".join(cell.ljust(n) for cell, n in zip(row, wide, strict=True))
        lines += [f"{start}{first}".rstrip(), *(" " * sum(wide) + line for line in rest)]
    return "\n".join([lines[0], "-" * min(width, sum(wide) + LEAST), *lines[1:], "", *legend(operators)])


def page(one: Operator, width: int) -> str:
    """All that is known of one operator."""
    paths = [how for how in dict.fromkeys((one.how, one.also)) if how]
    return facts(
        [
            ("operator", one.name),
            *(("path" if how is one.how else "else", PATHS[how]) for how in paths),
            *([("kernels", ", ".join(one.kernels))] if one.kernels else []),
            *([("int8", INT8)] if one.integers else []),
            *([("note" if one.how is not How.NO else "instead", one.note)] if one.note else []),
        ],
        width,
    )


def cells(one: Operator) -> list[str]:
    """The operator in the words of the table."""
    path = f"{one.how}, else {one.also}" if one.also and one.also != one.how else str(one.how)
    return [one.name, path, "yes" if one.integers else "", one.note]


def legend(operators: Sequence[Operator]) -> list[str]:
    """How many operators go which way, and what a yes under int8 says."""
    found = Counter(one.how for one in operators)
    counts = [f"{found[how]:>4}  {how:<7} {text}" for how, text in PATHS.items() if found[how]]
    return [*counts, f"int8: {INT8}"]


PAGE = """# Operators

Made by `edge ops --markdown`, a part of `make docs`: change the tables that it reads, not this page.

{known} of the {all} operators of ONNX's default domain can be built; the CPU targets do not differ. An operator goes the first way that takes it:

{paths}

A form of an operator that is not supported (an attribute, a computed weight) is refused by `edge build` with the node, its source line and
a cure. [node_cases.md](node_cases.md) counts what becomes of ONNX's own test cases of each.

| operator | path | int8 | kernels | note, or what to write instead |
| --- | --- | --- | --- | --- |
{rows}
"""


def markdown(operators: Sequence[Operator]) -> str:
    """docs/ops.md."""
    found = Counter(one.how for one in operators)
    paths = "\n".join(f"- **{how}** ({found[how]}): {text}" for how, text in PATHS.items())
    rows = "\n".join(f"| {' | '.join([*cells(one)[:3], ', '.join(one.kernels), one.note])} |" for one in operators)
    return PAGE.format(known=len(operators) - found[How.NO], all=len(operators), paths=paths, rows=rows)


def as_json(operators: Sequence[Operator]) -> str:
    """A list of objects: name, how, also, integers, kernels, note."""
    return json.dumps([asdict(one) for one in operators], indent=1)
