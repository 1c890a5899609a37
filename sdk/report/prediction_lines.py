"""A prediction for a terminal.  Everything in it is modelled, and says so."""

from __future__ import annotations

from edge.errors import one_line
from edge.plan.prediction import Prediction, Range, StepCost
from edge.report.table import millions, size, table

ASSUMED = "8-bit multiply-adds at the rate of float32 ones: no profile has a rate of their own yet"


def prediction_text(found: Prediction, per_layer: bool = False) -> str:
    """Facts, and a line a step where asked for."""
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    energy = found.energy_mj
    joules = f"none: {energy.source}"
    if energy.value is not None and energy.low is not None and energy.high is not None and energy.by_operations is not None:
        joules = f"{band(Range(energy.value, energy.low, energy.high), 'mJ')} of the board; {energy.by_operations:.3g} by counting operations"
    facts = [
        ("model", f"{found.model}: {millions(found.macs)} MMAC in {len(found.layers)} steps"),
        ("target", f"{found.target}, level {found.level}, {threads}"),
        ("latency", f"{band(found.latency_ms, 'ms')}, modelled"),
        ("energy", f"{joules}{', modelled' if energy.kind else ''}"),
        ("memory", f"{size(found.ram_bytes)}: arena {size(found.arena_bytes)}, weights {size(found.weights_bytes)}"),
        ("bound by", ", ".join(f"{name} {share:.0%}" for name, share in bounds(found))),
    ]
    if any(layer.kernel.endswith("_s8") for layer in found.layers):
        facts.append(("assumed", ASSUMED))
    lines = [f"{key:<10}{one_line(text)}" for key, text in facts]
    return "\n".join(lines) + "\n" + (f"\n{layers_table(found)}\n" if per_layer else "")


def band(of: Range, unit: str) -> str:
    return f"{of.value:.3g} {unit} ({of.low:.3g} to {of.high:.3g})"


def bounds(found: Prediction) -> list[tuple[str, float]]:
    """What bounds the steps, by share of the whole time, the largest first."""
    shares = dict.fromkeys((layer.bound for layer in found.layers), 0.0)
    for layer in found.layers:
        shares[layer.bound] += layer.ms.value / found.latency_ms.value
    return sorted(shares.items(), key=lambda item: -item[1])


def layers_table(found: Prediction) -> str:
    header = (">ms", ">low", ">high", ">mJ", "bound by", ">cores", ">MMAC", ">computed", ">cache", ">DRAM", "class", "op", "name")
    return table(header, [cells(layer) for layer in found.layers])


def cells(layer: StepCost) -> tuple[str, ...]:
    ms = (f"{layer.ms.value:.3f}", f"{layer.ms.low:.3f}", f"{layer.ms.high:.3f}")
    mj = f"{layer.mj.value:.2f}" if layer.mj else "-"
    cached = sum(count for place, count in layer.bytes.items() if place != "dram")
    moved = (size(cached), size(layer.bytes["dram"]))
    return (*ms, mj, layer.bound, str(layer.cores), millions(layer.macs), millions(layer.computed), *moved, layer.kernel_class, layer.op, layer.name)
