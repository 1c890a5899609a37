"""Graph to graph: many ways of saying the same thing become one.  The order of PASSES is the design; each file states what it does and keeps.

Add a pass: one file with `PRESERVES` and `run(model) -> number of rewrites`, one line in PASSES, one entry in tests/test_passes.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from edge import graph
from edge.graph.bodies import as_model, bodies, name_apart
from edge.graph.rewrite import is_op, sweep
from edge.graph.scans import enter, leave

if TYPE_CHECKING:
    import onnx_ir as ir

    from edge.passes.preserves import Preserves

#: The order.  Shapes may be open until the first OPENING have run; then every value is static.
#: Activations are recognised before constants are folded into weights, which would swallow their +3 and /6; the hard sigmoid last of
#: them, as it takes in any scale of its input, which may be the end of another activation.
PASSES = (
    "cancel_straight_through",
    "fold_constants",
    "spell_out_neurons",
    "recognise_sign",
    "split_to_slices",
    "decompose",
    "absorb_quantization",
    "crop_before_pad",
    "gather_to_slices",
    "tile_to_expand",
    "two_at_a_time",
    "drop_identity",
    "partial_conv",
    "lift_to_pictures",
    "lift_vectors",
    "canonicalise_reshape",
    "explicit_padding",
    "pad_into_conv",
    "canonicalise_pool",
    "split_reductions",
    "canonicalise_clip",
    "recognise_gelu",
    "recognise_hard_swish",
    "recognise_silu",
    "recognise_hard_sigmoid",
    "canonicalise_linear",
    "fold_batch_norm",
    "fold_affine",
    "binarize",
    "squeeze_excite",
    "drop_unused",
)
OPENING = 6


class Pass(Protocol):
    """What a pass module offers."""

    PRESERVES: Preserves

    def run(self, model: ir.Model) -> int: ...


def load(name: str) -> Pass:
    """The pass of that name."""
    return cast("Pass", importlib.import_module(f"edge.passes.{name}"))


def optimize(model: ir.Model, dump: Path | None = None) -> ir.Model:
    """A new graph of canonical ops only (docs/design.md) that computes the same; `model` stays as it is.

    dump: a folder that gets `NN_name.onnx` for the graph as read (00) and after each pass.  The graph is checked after each.
    """
    model = model.clone()
    name_apart(model)
    if dump is not None:
        dump.mkdir(parents=True, exist_ok=True)
        graph.save(model, dump / "00_read.onnx")
    for index, name in enumerate(PASSES, 1):
        apply(model, name, strict=index >= OPENING)
        if index == OPENING:
            graph.infer(model)
        if dump is not None:
            graph.save(model, dump / f"{index:02}_{name}.onnx")
    if optimize_bodies(model) and dump is not None:
        graph.save(model, dump / f"{len(PASSES) + 1:02}_bodies.onnx")
    return graph.check(model, empty=False)


def finish(model: ir.Model, names: Sequence[str]) -> ir.Model:
    """A copy of a canonical graph after a backend's own passes."""
    model = model.clone()
    for name in names:
        apply(model, name)
    return graph.check(model, empty=False)


def notes(model: ir.Model) -> list[str]:
    """What the passes have to say of an optimized graph."""
    from edge.passes.binarize import notes

    return notes(model)


def optimize_bodies(model: ir.Model) -> int:
    """All passes on the body of every Scan, which then knows its shapes; gives the number of bodies."""
    count = _optimize_bodies(model)
    if count:
        name_apart(model)
        sweep(model)
    return count


def _optimize_bodies(model: ir.Model) -> int:
    found = [(node, body) for node, body in bodies(model.graph) if is_op(node, "Scan")]
    for node, body in found:
        enter(node, body)
        inner = as_model(model, body)
        for index, name in enumerate(PASSES, 1):
            apply(inner, name, strict=index >= OPENING)
            if index == OPENING:
                graph.infer(inner)
        _optimize_bodies(inner)
        model.functions.update({key: function for key, function in inner.functions.items() if key not in model.functions})
        model.opset_imports.update(inner.opset_imports)
        leave(node, body)
    return len(found)


def apply(model: ir.Model, name: str, *, strict: bool = True) -> int:
    """Run one pass in place, sweep what it left unused; gives the number of rewrites, after which shapes are inferred and checked."""
    count = load(name).run(model)
    sweep(model)
    if count:
        graph.check(graph.infer(model, strict=strict), weights=False)
    return count
