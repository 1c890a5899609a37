"""Run the torch original: whole, or node by node under the names that the exported graph gives its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.converters.source import Layers, Run
from edge.errors import EdgeError

if TYPE_CHECKING:
    import torch
    from torch import nn

Array = NDArray[np.generic]


def runner(module: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> Run:
    """A function that calls the module itself (not the exported program) and names its outputs as the graph does."""

    def run(given: Mapping[str, Array]) -> dict[str, Array]:
        import torch
        from torch.utils._pytree import tree_leaves

        with torch.no_grad():
            leaves = [leaf for leaf in tree_leaves(module(*_tensors(given, inputs))) if isinstance(leaf, torch.Tensor)]
        return {name: leaf.detach().numpy() for name, leaf in zip(outputs, leaves, strict=True)}

    return run


def stepper(program: torch.export.ExportedProgram, inputs: Sequence[str], renamed: Mapping[str, str]) -> Layers:
    """A function that runs the decomposed program through torch.fx and keeps the tensor of each node asked for.

    renamed: names of nodes -> what the graph calls them.
    """

    def layers(given: Mapping[str, Array], names: Sequence[str] | None) -> dict[str, Array]:
        import torch

        wanted, kept = None if names is None else set(names), {}

        class Keeper(torch.fx.Interpreter):
            def run_node(self, n: torch.fx.Node) -> object:
                result = super().run_node(n)
                name = renamed.get(n.name, n.name)
                if isinstance(result, torch.Tensor) and n.op == "call_function" and (wanted is None or name in wanted):
                    kept[name] = result.detach().numpy()
                return result

        with torch.no_grad():
            Keeper(program.graph_module).run(*_lifted(program, _tensors(given, inputs)))
        return kept

    return layers


def _tensors(given: Mapping[str, Array], names: Sequence[str]) -> list[torch.Tensor]:
    import torch

    missing = [name for name in names if name not in given]
    if missing:
        raise EdgeError("inputs", f"input '{missing[0]}' is missing")
    return [torch.from_numpy(np.array(given[name])) for name in names]


def _lifted(program: torch.export.ExportedProgram, args: list[torch.Tensor]) -> list[object]:
    """Parameters, buffers and constants in the order of the program's placeholders, then the user's tensors."""
    from torch.export.graph_signature import InputKind

    users = iter(args)
    values: list[object] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            values.append(next(users))
        elif spec.target in program.state_dict:
            values.append(program.state_dict[spec.target])
        else:
            values.append(program.constants[str(spec.target)])
    return values
