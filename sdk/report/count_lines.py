"""Instruction counts on a terminal."""

from __future__ import annotations

from edge.errors import one_line
from edge.measure import CountedLayer, Counts
from edge.report.table import millions, table

COLUMNS = (">", "op", ">MMAC", ">instructions", ">instr/MAC", ">lanes/MAC", ">loads/MAC", ">bytes/MAC", ">stacked/MAC", "name")


def counts_text(c: Counts) -> str:
    """A line a layer, the total, then what kinds of instructions it is made of.  lanes/MAC above 1 is work on padding; stacked/MAC is vector
    registers that did not suffice.
    """
    rows = [(str(number), *cells(layer)) for number, layer in enumerate(c.layers)]
    kinds = sorted(c.total.executed.classes().items(), key=lambda item: -item[1])
    share = [(name, f"{count:,}", f"{count / max(1, c.total.instructions):.1%}") for name, count in kinds if count]
    lines = [
        f"{one_line(c.artifact)}  target {one_line(c.target)}, level {one_line(c.level)}, counted under {c.emulator} -cpu {one_line(c.cpu)}",
        "",
        table(COLUMNS, [*rows, ("", *cells(c.total))]),
        "",
        table(("class", ">instructions", ">share"), share),
    ]
    return "\n".join(lines) + "\n"


def cells(layer: CountedLayer) -> tuple[str, ...]:
    e = layer.executed
    ratios = (layer.instructions, e.mac_lanes, e.load, e.loaded_bytes, e.stacked_vectors)
    each = [f"{figure / layer.macs:.3f}" if layer.macs else "-" for figure in ratios]
    return (layer.op, millions(layer.macs), f"{layer.instructions:,}", *each, layer.name)
