"""Which aten ops of an exported program have no ONNX translation: all of them, with their source lines.

The registry is torch's own and not public; it is asked only after an export has failed, to explain the failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.converters.origins import line_of
from edge.converters.torch_quiet import quiet

if TYPE_CHECKING:
    import torch


def untranslated(program: torch.export.ExportedProgram, opset: int, root: Path | None) -> list[str]:
    """`aten.foo.default (node 'foo', net.py:12)` for each op without translation, once an op."""
    import operator

    from torch.onnx._internal.exporter import _decomp, _registration

    with quiet():
        registry = _registration.ONNXRegistry.from_torchlib(opset_version=opset)
        table = _decomp.create_onnx_friendly_decomposition_table(set(_decomp.get_onnx_implemented_overloads(registry)))
        program = program.run_decompositions(table)
    found: dict[str, str] = {}
    for node in program.graph.nodes:
        if node.op == "call_function" and node.target is not operator.getitem and not registry.get_decomps(node.target):
            line = line_of(node.meta.get("stack_trace") or "", root.resolve() if root else None)
            found.setdefault(str(node.target), f"{node.target} (node '{node.name}'{f', {line}' if line else ''})")
    return [found[op] for op in sorted(found)]
