"""Which aten ops of an exported program have no ONNX translation: all of them, with their source lines.

The registry is torch's own and not public; it is asked only after an export has failed, to explain the failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.converters.origins import line_of
from edge.converters.torch_quiet import quiet
from edge.errors import listed

if TYPE_CHECKING:
    import torch

SHOWN = 3  #: nodes of one op that are spelled out


#: a part of an op's name -> what to write instead; the first that fits.
CURES = {
    "cdist": "write sqrt(((a[:, None] - b[None]) ** 2).sum(-1))",
    "rrelu": "write a leaky ReLU, which it is in eval mode",
    "linalg": "compute it outside of the network",
    "special": "compute it outside of the network",
    "bessel": "compute it outside of the network",
    "fft": "multiply by constant matrices of cosines and sines",
    "complex": "keep real and imaginary parts as two tensors",
    "sparse": "make it dense",
    "quantized": "give the float32 network",
    "rand": "give the random numbers as an input",
    "bernoulli": "give the random numbers as an input",
    "multinomial": "draw outside of the network",
    "histc": "compute it outside of the network",
    "unique": "end the network before it",
    "lstm": "write one step by linear, sigmoid and tanh",
    "gru": "write one step by linear, sigmoid and tanh",
    "grid_sampler": "warp before the network",
    "ctc_loss": "export the model without its loss",
    "loss": "export the model without its loss",
}
OTHERWISE = "write it with other torch ops"


def cure_of(op: str) -> str:
    """What to write instead of an aten op without translation."""
    return next((cure for part, cure in CURES.items() if part in op), OTHERWISE)


def untranslated(program: torch.export.ExportedProgram, opset: int, root: Path | None) -> list[str]:
    """`aten.foo.default (node 'foo', net.py:12): cure` for each op without translation, with all its nodes."""
    import operator

    from torch.onnx._internal.exporter import _decomp, _registration

    with quiet():
        registry = _registration.ONNXRegistry.from_torchlib(opset_version=opset)
        table = _decomp.create_onnx_friendly_decomposition_table(set(_decomp.get_onnx_implemented_overloads(registry)))
        program = program.run_decompositions(table)
    found: dict[str, list[str]] = {}
    for node in program.graph.nodes:
        if node.op == "call_function" and node.target is not operator.getitem and not registry.get_decomps(node.target):
            line = line_of(node.meta.get("stack_trace") or "", root.resolve() if root else None)
            found.setdefault(str(node.target), []).append(f"node '{node.name}'{f', {line}' if line else ''}")
    return [f"{op} ({listed(found[op], SHOWN, '; ')}): {cure_of(op)}" for op in sorted(found)]
