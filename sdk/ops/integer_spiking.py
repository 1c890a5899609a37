"""Spiking neurons on integers: edge.QSpike… and edge.QLeak behind edge.SynapseConv or SynapseDense, driven by lists of spikes.

| synapses | kernel | weights in memory |
| SynapseConv | conv_events_s8 | (C, kh, kw, O/B, B); of groups (C, kh, kw, outputs of a group) |
| SynapseDense | fc_events_s8 | (K, N/B, B) |

Sums of 16 bits are exact where no set of spikes can leave them; where one can, sums have 32 bits.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph import rewrite
from edge.graph.integer_neurons import MANY, ONE, QLEAK, words_of
from edge.kernels.spiking import Reset
from edge.ops.builder import Builder
from edge.ops.convolution import window
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.ops.spiking import Cell, blocked, plane_of, static, table_of, taps, write_cells
from edge.words.dtype import Dtype
from edge.words.step import Number

if TYPE_CHECKING:
    import onnx_ir as ir

S16 = 32767


def neuron(build: Builder, group: Group) -> None:
    """The synapses that `group` begins with and their neurons."""
    node, synapses = group.cell, group.node
    if node is None:
        raise group.refused("it stands apart from the neurons that it charges", "a mistake of ours: the passes put them together")
    w = _integers(synapses.inputs[1])
    most = rewrite.integer(synapses, "most", 1)
    dense = synapses.op_type == "SynapseDense"
    sums = w.astype(np.int64) if dense else np.moveaxis(w.astype(np.int64), 0, -1)
    sums = sums.reshape(-1, sums.shape[-1])
    wide = int(most * max(np.maximum(sums, 0).sum(axis=0).max(), -np.minimum(sums, 0).sum(axis=0).min()) > S16)
    x = build.listed(input_name(group, 0))
    size = 4 if wide else 2
    if dense:
        (k, n), table = w.shape, dict[str, str]()
        more = -n % build.block
        packed = build.constant(w, input_name(group, 1), pads=(0, more), split=(k, n + more), tag="@rows")
        numbers: dict[str, Number] = build.list_numbers(x) | {"pixels": prod(x.shape[2:]), "n": n, "wide": wide}
        scratch, macs = size * (n + more), x.shape[0] * k * n
    else:
        y, groups = static(synapses.outputs[0]), rewrite.integer(synapses, "group", 1)
        lanes = -(-w.shape[0] // build.block) * build.block
        packed = taps(build, w, input_name(group, 1), groups)
        sizes = window(group, static(synapses.inputs[0]), y, w.shape[2:])
        sizes.pop("images")
        plane = plane_of(sizes)
        numbers = build.list_numbers(x) | {"outputs": w.shape[0], "groups": groups, "wide_sums": wide} | sizes | plane
        table = table_of(build, group, sizes, plane, lanes, groups)
        scratch, macs = size * lanes * plane["plane_rows"] * plane["plane_wide"], prod(y) * prod(w.shape[1:])
    leak = node.op_type.startswith(QLEAK)
    compare, reset = ("gt", "none") if leak else words_of(node.op_type)
    rows = [_integers(value) for value in node.inputs[2 : 4 if leak else 6]]
    gain, low, high = (rewrite.scalar(value) for value in node.inputs[-3:])
    assert gain is not None and low is not None and high is not None
    data, each = _parameters(build, rows, static(node.outputs[0]))
    numbers |= {"shift": int(np.log2(gain)), "decays": int(rows[0].any()), "low": int(low), "high": int(high)}
    numbers |= {"each": each, "leak": int(leak), "above": int(compare == "gt"), "reset": Reset[reset.upper()]}
    kernel = "fc_events_s8" if dense else "conv_events_s8"
    write_cells(
        build,
        group,
        Cell(node, kernel, data, Dtype.S16, leak, False),
        {"x": x.name, "w": packed} | table,
        numbers,
        scratch=-(-scratch // 4),
        macs=macs,
    )


def _parameters(build: Builder, rows: list[NDArray[np.int16]], y: tuple[int, ...]) -> tuple[NDArray[np.int16], int]:
    """Rows as the kernels read them, and how many numbers a row has: one (0), one a channel (1), one a neuron (2)."""
    shape = (1, *y[1:])
    whole = [np.broadcast_to(row, shape)[0].reshape(y[1], -1) for row in rows] + [np.zeros((y[1], prod(y[2:])), np.int16)] * (4 - len(rows))
    blocks = -(-y[1] // build.block)
    if all((row == row.flat[0]).all() for row in whole):
        return np.array([row.flat[0] for row in whole], np.int16), 0
    if all((row == row[:, :1]).all() for row in whole):
        return blocked(np.stack([row[:, :1] for row in whole]), blocks, build.block), 1
    return blocked(np.stack(whole), blocks, build.block), 2


def spikes(build: Builder, group: Group) -> None:
    """edge.Spikes: a list of what is above one half."""
    name = input_name(group, 0)
    build.hold_list(group.output, build.scanned(name, group.output, spikes=True), build.shapes[name])


def _integers(value: ir.Value | None) -> NDArray[np.int16]:
    found = rewrite.constant(value)
    assert found is not None and found.dtype.kind == "i"
    whole: NDArray[np.int16] = np.asarray(found)
    return whole


KERNELS = ("fc_events_s8", "conv_events_s8")
LOWERINGS = {op: Lowering(neuron, KERNELS) for op in (*ONE, *MANY, "SynapseConv", "SynapseDense")} | {"Spikes": Lowering(spikes, ("events_f32",))}
