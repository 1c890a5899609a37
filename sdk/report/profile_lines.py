"""A profile on a terminal."""

from __future__ import annotations

from edge.errors import one_line
from edge.measure import Energy, Hygiene, Latency, Profile
from edge.report.table import millions, size, table


def profile_text(p: Profile) -> str:
    """Cold and steady state apart; then what it costs; then whether to believe it."""
    late, ms = p.latency_ms, milliseconds
    lines = [
        f"{one_line(p.artifact)}  {p.precision}, level {p.level}, {p.threads} thread{'s' * (p.threads != 1)}, on {p.device}: {p.machine.cpu}",
        "",
        f"init         {p.init_ms:10.3f} ms",
        f"first        {ms(p.first_ms):>10} ms",
        f"warm-up      {ms(p.warmup_ms):>10} ms    mean of {p.warmup}",
        f"steady p50   {ms(late.p50):>10} ms    p90 {ms(late.p90)}   p99 {ms(late.p99)}",
        *interval_lines(late),
        f"       min   {ms(late.min):>10} ms    mean {ms(late.mean)}   std {ms(late.std)}   {late.count} runs",
        f"speed        {p.macs / late.p50 / 1e6 if late.p50 else 0:10.2f} GMAC/s",
        f"memory       {p.peak_rss_mb:10.2f} MB peak    arena {size(p.arena_bytes)}, weights {size(p.weights_bytes)}, file {size(p.artifact_bytes)}",
        f"energy       {energy_words(p.energy_mj)}",
        f"stable       {'yes' if p.hygiene.stable else 'NO: ' + '; '.join(p.hygiene.reasons)}{quota_words(p.hygiene)}",
    ]
    if p.layers:
        lines += ["", layers_table(p)]
    return "\n".join(lines) + "\n"


def quota_words(hygiene: Hygiene) -> str:
    """Where a control group gives less than the machine has."""
    return "" if hygiene.quota is None else f" (the control group allows {hygiene.quota:g} of {hygiene.cpus} CPUs)"


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


def layers_table(p: Profile) -> str:
    whole = sum(layer.ms for layer in p.layers) or 1.0
    rows = [
        (
            f"{n.ms:.4f}",
            f"{n.ms / whole:.1%}",
            millions(n.macs),
            f"{n.macs / n.ms / 1e6:.1f}" if n.ms else "-",
            size(n.bytes),
            n.isa,
            n.precision,
            n.op,
            n.name,
        )
        for n in p.layers
    ]
    return table((">ms", ">share", ">MMAC", ">GMAC/s", ">bytes", "isa", "", "op", "name"), rows)
