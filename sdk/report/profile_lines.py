"""A profile on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill

from edge.errors import one_line
from edge.measure import Energy, Hygiene, Latency, Layer, Profile
from edge.report.table import WHOLE, Column, Shown, amount, ranked, size

LAYERS = (
    Column("ms", right=True), Column("share", right=True), Column("MACs", right=True), Column("GMAC/s", right=True), Column("moved", right=True),
    Column("op", cut=True), Column("layer", cut=True), Column("isa", wide=True), Column("", wide=True), Column("value", wide=True),
)  # fmt: skip


def profile_text(p: Profile, shown: Shown = WHOLE) -> str:
    """Cold and steady state apart; then what it costs; then whether to believe it."""
    late, ms = p.latency_ms, milliseconds
    lines = [
        f"{one_line(p.artifact)}  {p.precision}, level {p.level}, {p.threads} thread{'s' * (p.threads != 1)}, on {p.device}: {p.machine.cpu}",
        "",
        f"init         {p.init_ms:10.3f} ms    opening the file, once",
        f"first        {ms(p.first_ms):>10} ms    the first inference, with cold caches",
        f"warm-up      {ms(p.warmup_ms):>10} ms    mean of the {p.warmup} inferences after it",
        f"steady p50   {ms(late.p50):>10} ms    p90 {ms(late.p90)}   p99 {ms(late.p99)}",
        *interval_lines(late),
        f"       min   {ms(late.min):>10} ms    mean {ms(late.mean)}   std {ms(late.std)}   {late.count} runs",
        f"speed        {p.macs / late.p50 / 1e6 if late.p50 else 0:10.2f} GMAC/s",
        f"memory       {p.peak_rss_mb:10.2f} MB    arena {size(p.arena_bytes)}, weights {size(p.weights_bytes)}, file {size(p.artifact_bytes)}",
        *spiking_lines(p),
        f"energy       {energy_words(p.energy_mj)}",
        f"stable       {'yes' if p.hygiene.stable else 'NO: ' + '; '.join(p.hygiene.reasons)}{quota_words(p.hygiene)}",
    ]
    lines = [folded(line, shown.width) for line in lines]
    if p.layers:
        lines += ["", layers_table(p, shown)]
    return "\n".join(lines) + "\n"


def spiking_lines(p: Profile) -> list[str]:
    """What spikes caused in one call; nothing of a network without spikes."""
    if p.spiking is None:
        return []
    one = p.spiking
    texts = f"{amount(one.synops)} synaptic operations, {amount(one.updates)} updates, {amount(one.spikes)} spikes"
    return [f"spikes       {texts} in the {one.steps_used} step{'s' * (one.steps_used != 1)} of a call"]


def quota_words(hygiene: Hygiene) -> str:
    """Where a control group gives less than the machine has."""
    return "" if hygiene.quota is None else f" (the control group allows {hygiene.quota:g} of {hygiene.cpus} CPUs)"


def folded(line: str, width: int) -> str:
    """A line that is too long goes on below its figures."""
    return fill(line, width, subsequent_indent=" " * 13, break_long_words=False, break_on_hyphens=False) if width and line else line


def milliseconds(value: float) -> str:
    """To the microsecond; below a tenth of a millisecond to the nanosecond, as a network of 5 us has no other digits."""
    return f"{value:.3f}" if value >= 0.1 or value == 0 else f"{value:.6f}"


def interval_lines(late: Latency) -> list[str]:
    """How sure the quantiles are; nothing for few runs."""
    named = (("p50", late.p50_ci95), ("p90", late.p90_ci95), ("p99", late.p99_ci95))
    spans = [f"{name} {milliseconds(span[0])} to {milliseconds(span[1])}" for name, span in named if span]
    return [f"  95 % sure  {'   '.join(spans)} ms"] if spans else []


def energy_words(e: Energy) -> str:
    """The figure, its kind and band; what it was made of."""
    if e.value is None:
        return f"         -       {e.source}"
    text = f"{e.value:10.4g} mJ    {e.kind}, {e.low:.4g} to {e.high:.4g}"
    if e.gross is not None:
        text += f"; gross {e.gross:.4g}" + ("" if e.idle is None else f", idle {e.idle:.4g}")
    if e.rate is not None:
        text += f"; {e.rate:.0f} readings a second"
    return f"{text}; {e.source}"


def layers_table(p: Profile, shown: Shown) -> str:
    whole = sum(layer.ms for layer in p.layers) or 1.0
    keys: dict[str, Callable[[Layer], float]] = {
        "time": lambda layer: layer.ms,
        "macs": lambda layer: layer.macs,
        "bytes": lambda layer: layer.bytes,
    }

    def cells(n: Layer) -> tuple[str, ...]:
        speed = f"{n.macs / n.ms / 1e6:.1f}" if n.ms else "-"
        times = (f"{n.ms:.4f}", f"{n.ms / whole:.1%}")
        return (*times, amount(n.macs), speed, size(n.bytes), n.op, n.scope or n.name, n.isa, n.precision, n.name)

    return ranked(LAYERS, p.layers, cells, keys, shown)
