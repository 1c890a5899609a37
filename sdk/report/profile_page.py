"""A profile as CSV (one line a layer, the whole first) and as one HTML page without scripts."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import replace

from edge.measure import Profile
from edge.report.profile_lines import profile_text

COLUMNS = ("artifact", "target", "device", "precision", "threads", "layer", "op", "ms", "macs", "bytes", "isa")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  #: a cell that begins so is run by spreadsheets


def profile_csv(p: Profile) -> str:
    """layer "" is the whole network, its ms the p50."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    common = [cell(word) for word in (p.artifact, p.target, p.device, p.precision)] + [str(p.threads)]
    writer.writerow([*common, "", "", f"{p.latency_ms.p50:.6f}", p.macs, "", p.level])
    for layer in p.layers:
        common[3] = layer.precision or p.precision
        writer.writerow([*common, cell(layer.name), cell(layer.op), f"{layer.ms:.6f}", layer.macs, layer.bytes, layer.isa])
    return out.getvalue()


def cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def profile_html(p: Profile) -> str:
    """The terminal's report with a bar a layer."""
    most = max((layer.ms for layer in p.layers), default=1.0) or 1.0
    bars = "".join(
        f'<tr><td>{html.escape(n.scope or n.name)}</td><td>{html.escape(n.op)}</td><td class="n">{n.ms:.4f}</td>'
        f'<td class="n">{n.macs / 1e6:.3f}</td><td><i style="width:{200 * n.ms / most:.0f}px"></i></td></tr>\n'
        for n in p.layers
    )
    rows = f"<table><tr><th>layer</th><th>op</th><th>ms</th><th>MMAC</th><th></th></tr>\n{bars}</table>" if p.layers else ""
    head = profile_text(replace(p, layers=()))
    style = "body{font:14px sans-serif}td,th{padding:1px 8px;text-align:left}.n{text-align:right}i{display:block;height:10px;background:#47a}"
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(p.artifact)}</title><style>{style}</style>\n'
        f"<pre>{html.escape(head)}</pre>\n{rows}\n"
    )
