"""A benchmark by the MLPerf Tiny protocol on a terminal."""

from __future__ import annotations

from edge.errors import one_line
from edge.measure.mlperf_figures import Benchmark
from edge.report.table import table


def mlperf_text(b: Benchmark) -> str:
    """The median first; then its runs; then whether to believe it, and whether it was measured by the rules."""
    energy = "-" if b.energy_mj.value is None else f"{b.energy_mj.value:.4g} mJ ({b.energy_mj.kind})"
    lines = [
        f"{one_line(b.artifact or b.model)}  on {b.device}: {one_line(b.dut)}, model {one_line(b.model)}, by MLPerf Tiny's protocol",
        "",
        f"throughput   {b.throughput:10.3f} inferences/s    median of {len(b.runs)}, {b.timer}'s clock",
        f"latency      {b.latency_ms:10.3f} ms",
        f"energy       {energy}    {b.energy_mj.source}",
    ]
    if b.accuracy:
        lines += [f"accuracy     {b.accuracy.top1:10.2%}    {b.accuracy.right} of {b.accuracy.count}, top 1"]
    lines += [
        "stable       yes" if b.stable else f"stable       NO: {'; '.join(b.reasons)}",
        "by the rules yes" if b.rules_met else f"by the rules NO: {'; '.join(b.rules_broken)}",
        f"             {b.note}",
        "",
        table((">inferences", ">seconds", ">a second", ">mJ", "input"), [row(b, number) for number in range(len(b.runs))]),
    ]
    return "\n".join(lines) + "\n"


def row(b: Benchmark, number: int) -> tuple[str, ...]:
    w = b.runs[number]
    energy = "-" if w.energy_mj.value is None else f"{w.energy_mj.value:.4g}"
    return (str(w.inferences), f"{w.seconds:.3f}", f"{w.throughput:.3f}", energy, one_line(w.input))
