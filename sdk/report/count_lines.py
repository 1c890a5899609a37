"""Instruction counts on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge.measure import CountedLayer, Counts
from edge.report.table import ORDER, WHOLE, Column, Shown, amount, facts, ranked, table

COLUMNS = (
    Column("step", right=True), Column("layer", cut=True), Column("op", cut=True), Column("MACs", right=True), Column("instructions", right=True),
    Column("instr/MAC", right=True), Column("lanes/MAC", right=True, extra=True), Column("loads/MAC", right=True, extra=True),
    Column("bytes/MAC", right=True, extra=True), Column("stacked/MAC", right=True, extra=True), Column("value", wide=True),
)  # fmt: skip
SORTS = ("order", "macs", "instructions")


def counts_text(c: Counts, shown: Shown = WHOLE) -> str:
    """A line a layer, the total, then what kinds of instructions it is made of.  lanes/MAC above 1 is work on padding; stacked/MAC is vector
    registers that did not suffice.
    """
    keys: dict[str, Callable[[tuple[str, CountedLayer]], float]] = {
        "macs": lambda row: row[1].macs,
        "instructions": lambda row: row[1].instructions,
    }
    rows = [(str(number), layer) for number, layer in enumerate(c.layers)]
    kinds = sorted(c.total.executed.classes().items(), key=lambda item: -item[1])
    share = [(name, f"{count:,}", f"{count / max(1, c.total.instructions):.1%}") for name, count in kinds if count]
    pairs = (
        ("file", f"{c.artifact}, target {c.target}, level {c.level}"),
        ("counted", f"under {c.emulator} -cpu {c.cpu}"),
        ("whole", f"{c.total.instructions:,} instructions for {amount(c.total.macs)} multiply-adds"),
    )
    lines = [
        facts(pairs, shown.width),
        "",
        ranked(COLUMNS, [*rows, ("", c.total)] if shown == replace(shown, top=None, sort=ORDER) else rows, cells, keys, shown),
        "",
        table(("class", ">instructions", ">share"), share),
    ]
    return "\n".join(lines) + "\n"


def cells(row: tuple[str, CountedLayer]) -> tuple[str, ...]:
    number, layer = row
    e = layer.executed
    ratios = (layer.instructions, e.mac_lanes, e.load, e.loaded_bytes, e.stacked_vectors)
    each = [f"{figure / layer.macs:.3f}" if layer.macs else "-" for figure in ratios]
    return (number, layer.scope or layer.name, layer.op, amount(layer.macs), f"{layer.instructions:,}", *each, layer.name)
