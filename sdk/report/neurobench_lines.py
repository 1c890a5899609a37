"""The metrics of NeuroBench on a terminal."""

from __future__ import annotations

from edge.measure.neurobench import Layer, Neurobench
from edge.report.table import WHOLE, Column, Shown, amount, facts, ranked, size

COLUMNS = (
    Column("layer", cut=True), Column("op", cut=True), Column("MACs", right=True), Column("ACs", right=True), Column("dense", right=True),
    Column("zeros", right=True), Column("updates", right=True),
)  # fmt: skip
SORTS = ("order", "macs")  #: macs: the dense products
LEGEND = "A sample: MACs, ACs: products of what is not 0, of numbers and of spikes.  zeros: of the outputs.  updates: potentials that changed."


def neurobench_text(n: Neurobench, view: Shown = WHOLE) -> str:
    """The metrics, a row a layer, and what they leave out."""
    parts = ", ".join(f"{size(count)} {name}" for name, count in n.footprint_parts.items())
    synops = n.synaptic_operations
    head = facts(
        [
            ("inputs", f"{n.samples} samples, {n.calls} calls"),
            ("footprint", f"{size(n.footprint)} ({parts})"),
            ("connection sparsity", f"{n.connection_sparsity:.4f}"),
            ("activation sparsity", f"{n.activation_sparsity:.4f}"),
            ("synaptic operations", f"{synops['Effective_MACs']:.1f} MACs, {synops['Effective_ACs']:.1f} ACs, {synops['Dense']:.1f} dense"),
            ("membrane updates", f"{n.membrane_updates:.1f}"),
            *([("not counted", ", ".join(n.left_out))] if n.left_out else []),
        ]
    )
    rows = ranked(COLUMNS, n.layers, lambda layer: row(layer, n.samples), {"macs": lambda layer: layer.dense or 0}, view)
    return f"{head}\n\n{rows}\n{LEGEND}"


def row(layer: Layer, samples: int) -> list[str]:
    counts = (layer.effective_macs, layer.effective_acs, layer.dense)
    sparsity = f"{(layer.zeros or 0) / layer.outputs:.4f}" if layer.outputs else ""
    updates = "" if layer.updates is None else amount(layer.updates / samples)
    return [layer.name, layer.op, *("" if count is None else amount(count / samples) for count in counts), sparsity, updates]
