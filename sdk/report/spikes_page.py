"""Spikes and potentials over time as one HTML page: inline SVG, without scripts.  Names from the model are escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.measure.spike_trains import Train

F32 = NDArray[np.float32]
MOST_LAYERS, MOST_NEURONS, MOST_TRACES, MOST_MARKS = 24, 128, 4, 40_000
WIDTH, ROW, TRACE = 900, 4, 70  #: pixels: of a plot, of a neuron's row, of a potential's height
COLOURS = ("#1b6ca8", "#c0392b", "#27864a", "#8e44ad")
STYLE = (
    "body{font:14px sans-serif;margin:20px}h2{font-size:15px;margin:18px 0 4px}svg{background:#fafafa;border:1px solid #ddd}"
    "p{margin:2px 0;color:#444}text{font:10px sans-serif;fill:#666}"
)


def spikes_html(title: str, trains: Sequence[Train]) -> str:
    """A raster a layer, and the potentials of its busiest neurons; what is left out is said beside it.

    title: what was computed, and from what.  Time goes from left to right, a neuron is a row.
    """
    shown = trains[:MOST_LAYERS]
    left = f"<p>{len(trains) - len(shown)} more layers are not shown.</p>" if len(trains) > len(shown) else ""
    parts = "".join(_layer(train) for train in shown)
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>\n'
        f"<h1>{html.escape(title)}</h1>\n<p>Computed by the file's graph in float32, step by step from a reset; not measured on a device.</p>\n"
        f"{parts}{left}\n"
    )


def _layer(train: Train) -> str:
    rows = train.spikes if train.spikes is not None else train.potentials
    assert rows is not None
    steps, count = rows.shape
    facts = [f"{count} neurons", f"{steps} steps"]
    body = ""
    if train.spikes is not None:
        total = int(train.spikes.sum())
        facts.append(f"{total} spikes, {total / max(1, steps * count):.4f} a neuron and step")
        body += _raster(train.spikes)
    if train.potentials is not None:
        body += _potentials(train.potentials, train.spikes, train.thresholds)
    return f"<h2>{html.escape(train.name)} ({html.escape(train.kind)})</h2>\n<p>{', '.join(facts)}</p>\n{body}"


def _sampled(count: int, most: int) -> NDArray[np.intp]:
    """Evenly chosen neurons, all where there are few."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _raster(spikes: F32) -> str:
    steps, count = spikes.shape
    chosen = _sampled(count, MOST_NEURONS)
    at, row = np.nonzero(spikes[:, chosen])
    cut = len(at) > MOST_MARKS
    at, row = at[:MOST_MARKS], row[:MOST_MARKS]
    wide = WIDTH / steps
    marks = "".join(f"M{t * wide + wide / 2:.1f} {n * ROW}v{ROW - 1}" for t, n in zip(at.tolist(), row.tolist(), strict=True))
    note = f"{len(chosen)} of {count} neurons, evenly chosen" if len(chosen) < count else "all neurons"
    note += f"; the first {MOST_MARKS} spikes" if cut else ""
    high = len(chosen) * ROW
    width = max(1.0, min(6.0, wide * 0.8))
    return (
        f'<svg width="{WIDTH}" height="{high}" role="img"><path d="{marks}" stroke="#222" stroke-width="{width:.1f}" fill="none"/></svg>\n'
        f"<p>Spikes: {note}.</p>\n"
    )


def _potentials(potentials: F32, spikes: F32 | None, thresholds: F32 | None) -> str:
    """Lines of the neurons that spike most, or else move most; a dashed line is a neuron's threshold."""
    count = potentials.shape[1]
    busy = spikes.sum(axis=0) if spikes is not None and spikes.any() else np.nan_to_num(np.ptp(potentials, axis=0))
    chosen = np.argsort(-busy, kind="stable")[:MOST_TRACES]
    plots = "".join(
        _trace(potentials[:, n], None if thresholds is None else float(thresholds[n]), COLOURS[i], f"neuron {n}") for i, n in enumerate(chosen)
    )
    return f"{plots}<p>Potentials after each step: {len(chosen)} of {count} neurons, the busiest.</p>\n"


def _trace(line: F32, threshold: float | None, colour: str, label: str) -> str:
    values = np.nan_to_num(line.astype(np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
    marks = [*values.tolist(), *([threshold] if threshold is not None and np.isfinite(threshold) else [])]
    low, high = min(marks), max(marks)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return float(TRACE - 6 - (value - low) / span * (TRACE - 12))

    wide = WIDTH / len(values)
    points = " ".join(f"{t * wide + wide / 2:.1f},{y(v):.1f}" for t, v in enumerate(values.tolist()))
    dashed = ""
    if threshold is not None and np.isfinite(threshold):
        dashed = f'<path d="M0 {y(threshold):.1f}H{WIDTH}" stroke="#999" stroke-dasharray="4 3"/>'
    text = f'<text x="4" y="11">{html.escape(label)}: {low:.3g} to {high:.3g}</text>'
    return f'<svg width="{WIDTH}" height="{TRACE}" role="img">{dashed}<polyline points="{points}" fill="none" stroke="{colour}"/>{text}</svg><br>\n'
