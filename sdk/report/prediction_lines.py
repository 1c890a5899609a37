"""A prediction for a terminal.  Everything in it is modelled, and says so."""

from __future__ import annotations

from collections.abc import Callable

from edge.plan.prediction import Prediction, Range, StepCost
from edge.report.table import WHOLE, Column, Shown, amount, facts, ranked, size

LAYERS = (
    Column("ms", right=True), Column("between", extra=True), Column("mJ", right=True),
    Column("bound by"), Column("cores", right=True, extra=True), Column("MACs", right=True), Column("computed", right=True, wide=True),
    Column("cache", right=True, wide=True), Column("DRAM", right=True), Column("class", wide=True), Column("op", cut=True),
    Column("layer", cut=True), Column("value", wide=True),
)  # fmt: skip

ASSUMED = "8-bit multiply-adds at the rate of float32 ones: no profile has a rate of their own yet"


def prediction_text(found: Prediction, per_layer: bool = False, shown: Shown = WHOLE) -> str:
    """Facts, and a line a step where asked for."""
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    energy = found.energy_mj
    joules = f"none: {energy.source}"
    if energy.value is not None and energy.low is not None and energy.high is not None and energy.by_operations is not None:
        joules = f"{band(Range(energy.value, energy.low, energy.high), 'mJ')} of the board; {energy.by_operations:.3g} by counting operations"
    pairs = [
        ("model", f"{found.model}: {amount(found.macs)} multiply-adds in {len(found.layers)} steps"),
        ("target", f"{found.target}, level {found.level}, {threads}"),
        ("latency", f"{band(found.latency_ms, 'ms')}, modelled"),
        ("energy", f"{joules}{', modelled' if energy.kind else ''}"),
        ("memory", f"{size(found.ram_bytes)}: arena {size(found.arena_bytes)}, weights {size(found.weights_bytes)}"),
        ("bound by", ", ".join(f"{name} {share:.0%}" for name, share in bounds(found))),
    ]
    if any(layer.kernel.endswith("_s8") for layer in found.layers):
        pairs.append(("assumed", ASSUMED))
    return facts(pairs, shown.width) + "\n" + (f"\n{layers_table(found, shown)}\n" if per_layer else "")


def band(of: Range, unit: str) -> str:
    return f"{of.value:.3g} {unit} ({of.low:.3g} to {of.high:.3g})"


def bounds(found: Prediction) -> list[tuple[str, float]]:
    """What bounds the steps, by share of the whole time, the largest first."""
    shares = dict.fromkeys((layer.bound for layer in found.layers), 0.0)
    for layer in found.layers:
        shares[layer.bound] += layer.ms.value / found.latency_ms.value
    return sorted(shares.items(), key=lambda item: -item[1])


def layers_table(found: Prediction, shown: Shown) -> str:
    keys: dict[str, Callable[[StepCost], float]] = {
        "time": lambda layer: layer.ms.value,
        "macs": lambda layer: layer.macs,
        "bytes": lambda layer: sum(layer.bytes.values()),
        "energy": lambda layer: layer.mj.value if layer.mj else 0.0,
    }
    return ranked(LAYERS, found.layers, cells, keys, shown)


def cells(layer: StepCost) -> tuple[str, ...]:
    cached = sum(count for place, count in layer.bytes.items() if place != "dram")
    return (
        f"{layer.ms.value:.3f}",
        f"{layer.ms.low:.3f} and {layer.ms.high:.3f}",
        f"{layer.mj.value:.2f}" if layer.mj else "-",
        layer.bound,
        str(layer.cores),
        amount(layer.macs),
        amount(layer.computed),
        size(cached),
        size(layer.bytes["dram"]),
        layer.kernel_class,
        layer.op,
        layer.scope or layer.name,
        layer.name,
    )
