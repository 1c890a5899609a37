"""LSTM, GRU and RNN as Scan: the products with the input for all time steps at once before it, one step of the state in its body.

    LSTM  i, o, f = sigmoid(W x + R h + b)   c~ = tanh(W x + R h + b)   c' = f c + i c~   h' = o tanh(c')          [Hochreiter 1997, Gers 2000]
    GRU   z, r = sigmoid(W x + R h + b)      n = tanh(W x + b + R (r h) + b')   or, with linear_before_reset, tanh(W x + b + r (R h + b'))
          h' = (1 - z) n + z h                                                                                    [Cho 2014]
    RNN   h' = tanh(W x + R h + b)                                                                                [Elman 1990]

- forward, reverse and bidirectional; time first or (layout 1) batch first; initial states or zeros; an RNN by sigmoid, tanh or relu
- sequence_lens are taken where they are constant and all equal to the length
Computed weights, peepholes, clip, input_forget, other activations and sequences of different lengths are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.rewrite import constant, fresh, integer, number, operand, shape, text
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


class Body:
    """The growing body of a Scan.  values: by what they are called in the formulas."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.nodes: list[ir.Node] = []

    def value(self, word: str, to: Sequence[int]) -> ir.Value:
        """A new value of the node's type."""
        import onnx_ir as ir

        name = fresh(self.site.model, f"{self.site.name}_{word}")
        return ir.Value(name=name, shape=ir.Shape(list(to)), type=ir.TensorType(ir.DataType.from_numpy(self.site.dtype)))

    def op(self, op: str, inputs: Sequence[ir.Value], to: Sequence[int] | None = None) -> ir.Value:
        """A new node; its result has the shape `to`, or that of the first input."""
        import onnx_ir as ir

        result = self.value(op.lower(), dims(inputs[0]) if to is None else to)
        self.nodes.append(ir.Node("", op, inputs, outputs=[result], name=result.name))
        return result

    def part(self, x: ir.Value, index: int, size: int) -> ir.Value:
        """Channels [index * size, (index + 1) * size) of (B, …)."""
        words = {"from": [index * size], "to": [(index + 1) * size], "axis": [1]}
        return self.op("Slice", [x, *(self.site.constant(word, numbers) for word, numbers in words.items())], (dims(x)[0], size))


@dataclass(frozen=True)
class Cell:
    """gates: of the weights.  states: carried values, the output first.  step: (body, x, states, constants) -> next states.

    x: W x + b for all gates of one time step, (B, gates * H).  weights: R transposed, (H, gates * H), and what else the cell reads.
    """

    gates: int
    states: int
    activations: tuple[str, ...]
    split: Callable[[Site, Array, Array, int], tuple[Array, list[ir.Value]]]
    step: Callable[[Body, ir.Value, list[ir.Value], list[ir.Value], tuple[str, ...]], list[ir.Value]]


def _joined(site: Site, recurrent: Array, bias: Array, hidden: int) -> tuple[Array, list[ir.Value]]:
    """Both biases are added before the loop."""
    return bias[0] + bias[1], [site.constant("recurrent", recurrent.T)]


def _gru_split(site: Site, recurrent: Array, bias: Array, hidden: int) -> tuple[Array, list[ir.Value]]:
    """The second bias of n stands inside the reset where linear_before_reset says so."""
    before = integer(site.node, "linear_before_reset", 0)
    outside = bias[0] + bias[1]
    if not before:
        gates, new = recurrent[: 2 * hidden].T, recurrent[2 * hidden :].T
        return outside, [site.constant("recurrent", gates), site.constant("recurrent_new", new)]
    outside[2 * hidden :] = bias[0][2 * hidden :]
    inside = np.concatenate([np.zeros(2 * hidden, bias.dtype), bias[1][2 * hidden :]])
    return outside, [site.constant("recurrent", recurrent.T), site.constant("recurrent_bias", inside)]


def _lstm_step(b: Body, x: ir.Value, states: list[ir.Value], weights: list[ir.Value], acts: tuple[str, ...]) -> list[ir.Value]:
    (h, c), size = states, dims(states[0])[1]
    gates = b.op("Add", [x, b.op("MatMul", [h, weights[0]], dims(x))])
    i, o, f = (b.op(acts[0], [b.part(gates, index, size)]) for index in range(3))
    new = b.op(acts[1], [b.part(gates, 3, size)])
    after = b.op("Add", [b.op("Mul", [f, c]), b.op("Mul", [i, new])])
    return [b.op("Mul", [o, b.op(acts[2], [after])]), after]


def _gru_step(b: Body, x: ir.Value, states: list[ir.Value], weights: list[ir.Value], acts: tuple[str, ...]) -> list[ir.Value]:
    h, size, before = states[0], dims(states[0])[1], integer(b.site.node, "linear_before_reset", 0)
    product = b.op("MatMul", [h, weights[0]], (dims(h)[0], dims(weights[0])[1]))
    if before:
        product = b.op("Add", [product, weights[1]])
    z, r = (b.op(acts[0], [b.op("Add", [b.part(x, index, size), b.part(product, index, size)])]) for index in range(2))
    inner = b.op("Mul", [r, b.part(product, 2, size)]) if before else b.op("MatMul", [b.op("Mul", [r, h]), weights[1]])
    new = b.op(acts[1], [b.op("Add", [b.part(x, 2, size), inner])])
    kept = b.op("Sub", [b.site.constant("one", np.ones(1)), z], dims(z))
    return [b.op("Add", [b.op("Mul", [kept, new]), b.op("Mul", [z, h])])]


def _rnn_step(b: Body, x: ir.Value, states: list[ir.Value], weights: list[ir.Value], acts: tuple[str, ...]) -> list[ir.Value]:
    return [b.op(acts[0], [b.op("Add", [x, b.op("MatMul", [states[0], weights[0]], dims(x))])])]


CELLS = {
    "LSTM": Cell(4, 2, ("sigmoid", "tanh", "tanh"), _joined, _lstm_step),
    "GRU": Cell(3, 1, ("sigmoid", "tanh"), _gru_split, _gru_step),
    "RNN": Cell(1, 1, ("tanh",), _joined, _rnn_step),
}


def recurrent(site: Site) -> bool:
    """X (T, B, I) -> Y (T, D, B, H), Y_h (D, B, H) and for an LSTM Y_c; D directions."""
    node, cell = site.node, CELLS[site.node.op_type]
    _check(site)
    batch_first = integer(node, "layout", 0)
    x = site.transpose(site.input(0), (1, 0, 2)) if batch_first and len(dims(site.input(0))) == 3 else site.input(0)
    w, r, bias = (site.array(index, what) for index, what in ((1, "W"), (2, "R"), (3, "bias")))
    ways, hidden = _form(site, cell, dims(x), [None if array is None else array.shape for array in (w, r, bias)])
    assert w is not None and r is not None
    steps, batch, width = dims(x)
    both = np.zeros((ways, 2, cell.gates * hidden), w.dtype) if bias is None else bias.reshape(ways, 2, -1)
    starts = [_start(site, index, (ways, batch, hidden), batch_first) for index in (5, 6)[: cell.states]]
    flat = site.reshape(x, (steps * batch, width))
    acts = _activations(site, cell, ways)
    found = []
    for way in range(ways):
        outside, weights = cell.split(site, r[way], both[way].copy(), hidden)
        product = site.binary("Add", site.matmul(flat, site.constant("weights", w[way].T)), site.constant("bias", outside))
        begin = [site.reshape(site.slice(start, 0, way, 1), (batch, hidden)) for start in starts]
        backwards = text(node, "direction", "forward") == "reverse" or way == 1
        gates = site.reshape(product, (steps, batch, cell.gates * hidden))
        found.append(_loop(site, cell, gates, begin, weights, acts[way], backwards=backwards))
    y = site.concat([site.reshape(results[-1], (steps, 1, batch, hidden)) for results in found], 1)
    lasts = [site.concat([site.reshape(results[i], (1, batch, hidden)) for results in found], 0) for i in range(cell.states)]
    if batch_first:
        y, lasts = site.transpose(y, (2, 0, 1, 3)), [site.transpose(last, (1, 0, 2)) for last in lasts]
    for index, last in enumerate(lasts, 1):
        if site.wanted(index):
            site.deliver(index, site.emit("Identity", [last], dims(last)))
    return site.finish(y)


def _check(site: Site) -> None:
    """Refuse the forms that are not known."""
    node = site.node
    lengths, x = operand(node, 4), dims(site.input(0))
    known = constant(lengths)
    if lengths is not None and (known is None or len(x) != 3 or bool(np.any(known != x[integer(node, "layout", 0)]))):
        site.refuse("sequence_lens other than the whole length are not supported", "pad to one length and leave sequence_lens out")
    if operand(node, 7) is not None and (constant(operand(node, 7)) is None or bool(np.any(constant(operand(node, 7)) != 0))):
        site.refuse("peepholes (P) are not supported", "write one step by matmul, sigmoid and tanh in a Scan")
    if number(node, "clip", 0.0) or integer(node, "input_forget", 0):
        site.refuse("clip and input_forget are not supported", "export it without them")


def _form(site: Site, cell: Cell, x: tuple[int, ...], weights: list[tuple[int, ...] | None]) -> tuple[int, int]:
    """Directions and hidden size; refused where the shapes of x, W, R, B and the initial states contradict each other."""
    w, r, bias = weights
    if len(x) != 3 or w is None or r is None or len(w) != 3 or len(r) != 3:
        site.refuse("its input and weights do not have three axes", "export the model again: the file is damaged")
    ways, hidden = 2 if text(site.node, "direction", "forward") == "bidirectional" else 1, r[2]
    rows, batch = cell.gates * hidden, x[1]
    wanted = [(w, (ways, rows, x[2])), (r, (ways, rows, hidden)), (bias or (ways, 2 * rows), (ways, 2 * rows))]
    begin = (batch, ways, hidden) if integer(site.node, "layout", 0) else (ways, batch, hidden)
    starts = [operand(site.node, index) for index in (5, 6)[: cell.states]]
    wanted += [(dims(start), begin) for start in starts if start is not None and shape(start) != (0,)]
    if any(found != to for found, to in wanted) or integer(site.node, "hidden_size", hidden) != hidden:
        site.refuse(f"its weights do not suit an input of {x[2]} and a state of {hidden} numbers", "export the model again: the file is damaged")
    return ways, hidden


def _activations(site: Site, cell: Cell, ways: int) -> list[tuple[str, ...]]:
    """The ops of each direction."""
    named = list(site.node.attributes["activations"].as_strings()) if "activations" in site.node.attributes else list(cell.activations) * ways
    usual = list(cell.activations) * ways
    known = [name.lower() for name in named] == usual or (cell is CELLS["RNN"] and all(name.lower() in ACTIVATIONS for name in named))
    if not known or len(named) != len(usual):  # onnx.reference, which judges what is built, takes the others for the usual ones
        site.refuse(f"activations {', '.join(named)} are not supported", f"use {', '.join(cell.activations)}")
    ops, each = [ACTIVATIONS[name.lower()] for name in named], len(cell.activations)
    return [tuple(ops[way * each : (way + 1) * each]) for way in range(ways)]


def _start(site: Site, index: int, to: tuple[int, ...], batch_first: int) -> ir.Value:
    """An initial state (D, B, H), zeros where there is none."""
    given = operand(site.node, index)
    if given is None or shape(given) == (0,):
        return site.constant("start", np.zeros(to))
    return site.transpose(given, (1, 0, 2)) if batch_first else given


def _loop(
    site: Site, cell: Cell, gates: ir.Value, begin: list[ir.Value], weights: list[ir.Value], acts: tuple[str, ...], *, backwards: bool
) -> list[ir.Value]:
    """The Scan: final states, then the output of every time step (T, B, H)."""
    import onnx_ir as ir

    body = Body(site)
    steps, batch, hidden = dims(gates)[0], *dims(begin[0])
    states = [body.value("state", (batch, hidden)) for _ in begin]
    x = body.value("input", dims(gates)[1:])
    after = cell.step(body, x, states, weights, acts)
    after.append(body.op("Identity", [after[0]]))
    inside = ir.Graph([*states, x], after, nodes=body.nodes, name=f"{site.name}_step")
    ends = [body.value("last", (batch, hidden)) for _ in begin] + [body.value("all", (steps, batch, hidden))]
    way = [int(backwards)]
    attributes = [ir.AttrGraph("body", inside), ir.AttrInt64("num_scan_inputs", 1)]
    attributes += [ir.AttrInt64s(f"scan_{side}_directions", way) for side in ("input", "output")]
    scan = ir.Node("", "Scan", [*begin, gates], attributes, outputs=ends, name=f"{site.name}_scan{way[0]}")
    scan.metadata_props.update(site.node.metadata_props)
    assert site.node.graph is not None
    site.node.graph.insert_before(site.node, scan)
    return ends


RULES = dict.fromkeys(CELLS, recurrent)
