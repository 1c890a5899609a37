"""The C file that ties the levels together: inputs, outputs, arena, test vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.codegen.text import c_comment, c_list, c_string
from edge.words.plan import Plan


@dataclass(frozen=True)
class Vectors:
    """Test vectors inside the artifact: `count` inputs from the stated generator, and the error that is allowed (max|d| / max|expected|).

    ranges: (low, high) of each input for the vector of odd values; none for -1 to 1.
    sums: compare sum|d| with sum|expected| instead of the largest: of spikes.
    calls: after a reset the model is called so often with the same inputs, and its last outputs are compared: 1 for a model without state.
    """

    seed: int = 1
    count: int = 3
    rtol: float = 1e-5
    ranges: tuple[tuple[float, float], ...] = ()
    calls: int = 1
    sums: bool = False


def weights_size(plan: Plan) -> int:
    """Bytes of weights.bin."""
    return max((c.offset + c.data.nbytes for c in plan.constants.values()), default=0)


def program_text(plan: Plan, levels: Mapping[str, tuple[str, ...]], target: str, vectors: Vectors) -> str:
    """The text of `program.c`; it defines `edge_program`.  levels: name -> CPU features its code needs, best first."""
    lines = [f"/* {c_comment(plan.name)} for {c_comment(target)}, written by edge. */", '#include "program.h"', ""]
    lines += [f"extern const struct edge_step edge_steps_{level}[];" for level in levels]
    for kind, names, places in (("inputs", plan.inputs, plan.inputs), ("outputs", plan.outputs, plan.delivered)):
        rows = []
        for name, place in zip(names, places, strict=True):
            buffer = plan.buffers[place]
            rows.append(f"    {{{c_string(name)}, {c_string(buffer.dtype)}, {len(buffer.shape)}, {c_list(buffer.shape or (0,))}, {buffer.size}}},")
        lines += ["", f"static const struct edge_tensor {kind}[] = {{", *rows, "};"]
    if vectors.ranges:
        pairs = ", ".join(f"{{{low}, {high}}}" for low, high in vectors.ranges)
        lines += ["", f"static const struct edge_range ranges[] = {{{pairs}}};"]
    if plan.regions:
        rows = [f"    {{{c_string(r.name)}, {r.first}, {r.steps}, {r.trips}}}," for r in plan.regions]
        lines += ["", "static const struct edge_region regions[] = {", *rows, "};"]
    lines += ["", "static const struct edge_level levels[] = {"]
    for level, features in levels.items():
        bits = " | ".join(f"EDGE_CPU({feature.upper()})" for feature in features) or "0"
        lines.append(f"    {{{c_string(level)}, {bits}, edge_steps_{level}}},")
    lines += ["};", "", "const struct edge_program edge_program = {"]
    lines += [
        f"    .name = {c_string(plan.name)}, .target = {c_string(target)}, .arena_bytes = {plan.arena_bytes}, .weights_bytes = {weights_size(plan)},"
    ]
    lines += [f"    .n_inputs = {len(plan.inputs)}, .n_outputs = {len(plan.outputs)}, .n_levels = {len(levels)}, .n_steps = {len(plan.steps)},"]
    lines += ["    .inputs = inputs, .outputs = outputs, .levels = levels,"]
    lines += [f"    .vector_seed = {vectors.seed}u, .n_vectors = {vectors.count}, .vector_rtol = {vectors.rtol},"]
    lines += ["    .vector_ranges = ranges,"] if vectors.ranges else []
    lines += [f"    .state_bytes = {plan.state_bytes}, .vector_calls = {vectors.calls},"] if plan.state_bytes else []
    lines += ["    .vector_sums = 1,"] if vectors.sums else []
    lines += [f"    .regions = regions, .n_regions = {len(plan.regions)},"] if plan.regions else []
    lines += ["};", ""]
    return "\n".join(lines)
