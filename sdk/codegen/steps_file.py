"""One C file for one ISA level: every distinct (kernel, shape) once, then one short function a step, then the table of steps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from edge.codegen.text import c_comment, c_list, c_string
from edge.ops.builder import size
from edge.steps import Buffer, Plan, Step, Value

HEADER = """/* {name}: the steps of level {level}, written by edge.
 * Layouts: (N, C/{block}, H, W, {block}) is channel-blocked, anything else is row-major. Weights lie packed in weights.bin. */
#define EDGE_BLOCK {block}
"""
ACTIVATION = re.compile(r"\bACT_[A-Z_]+\b")


def steps_files(plan: Plan, level: str, block: int, *, split: bool = True) -> dict[str, str]:
    """File name -> text; `steps_<level>.c` defines the table `edge_steps_<level>`.

    split: half of the shapes go to `steps_<level>_more.c`, so that two compilers share the work.
    """
    shapes: dict[tuple[object, ...], str] = {}
    texts: dict[str, list[str]] = {}  # function of a distinct shape -> its C and that of the steps that call it
    kernels: dict[str, str] = {}
    for index, step in enumerate(plan.steps):
        key = (step.kernel, tuple(field for field, _ in step.args), step.params)
        if key not in shapes:
            name = shapes[key] = f"{step.kernel}_{len(shapes)}"
            kernels[name], texts[name] = step.kernel, [_instance(step, name)]
        texts[shapes[key]].append(_call(plan, step, f"{level}_step_{index}", shapes[key]))
    own = [f"void {level}_step_{i}(const struct edge_memory *m, int begin, int end);" for i in range(len(plan.steps))]
    start = HEADER.format(name=c_comment(plan.name), level=level, block=block)

    def text(names: list[str]) -> list[str]:
        includes = [f'#include "{kernel}.c"' for kernel in sorted({kernels[name] for name in names})]
        acts = _activations(texts[name][0] for name in names)  # the instances alone: the calls have names from the model in their comments
        return [start + acts, *includes, '#include "program.h"', "", *own, "", *(part for name in names for part in texts[name])]

    rows = [_row(plan, step, f"{level}_step_{index}") for index, step in enumerate(plan.steps)]
    table = [f"extern const struct edge_step edge_steps_{level}[];", f"const struct edge_step edge_steps_{level}[] = {{", *rows, "};", ""]
    first, more = _halves(kernels) if split and len(texts) > 1 else (list(texts), [])
    files = {f"steps_{level}.c": "\n".join([*text(first), *table])}
    return files | ({f"steps_{level}_more.c": "\n".join(text(more))} if more else {})


def _halves(kernels: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The functions in two parts that take the compiler about as long: every kernel's shapes go to either part in turn."""
    by_kernel = sorted(kernels, key=lambda name: kernels[name])
    return by_kernel[0::2], by_kernel[1::2]


def _activations(instances: Iterable[str]) -> str:
    """What kernels/vector.h is told of the activations that these functions apply."""
    kinds = sorted({kind for text in instances for kind in ACTIVATION.findall(text)})
    return f"#define EDGE_ACTS ({' | '.join(f'1u << {kind}' for kind in kinds) or '0u'})\n"


def _field(name: str) -> str:
    """`x[0]` as a C identifier."""
    return name.replace("[", "").replace("]", "")


def _value(value: Value) -> str:
    return c_list(value) if isinstance(value, tuple) else str(value)


def _instance(step: Step, name: str) -> str:
    """The kernel with its shape as constants, so that the compiler unrolls and folds."""
    pointers = [field for field, _ in step.args]
    arguments = ", ".join(f"{'' if field == 'y' else 'const '}void *{_field(field)}" for field in pointers)
    fields = ", ".join([f".{field} = {_field(field)}" for field in pointers] + [f".{field} = {_value(value)}" for field, value in step.params])
    head = f"static __attribute__((noinline)) void {name}(int begin, int end, {arguments}) {{"
    return f"{head}\n    {step.kernel}(begin, end, (struct {step.kernel}){{{fields}}});\n}}\n"


def shape_text(buffer: Buffer) -> str:
    """The shape as it lies in memory: `(1, 2, 56, 56, 16)`."""
    block = buffer.layout.block
    if not block:
        return f"({', '.join(map(str, buffer.shape))})"
    n, c, *rest = buffer.shape
    return f"({', '.join(map(str, [n, -(-c // block), *rest, block]))})"


def _pointer(plan: Plan, name: str) -> tuple[str, str]:
    """Where a buffer or constant lies as a C expression, and its shape in words."""
    if name in plan.constants:
        constant = plan.constants[name]
        return f"m->weights + {constant.offset}", f"({', '.join(map(str, constant.data.shape))})"
    buffer = plan.buffers[name]
    places = {"arena": f"m->arena + {buffer.offset}", "input": f"m->inputs[{buffer.index}]", "output": f"m->outputs[{buffer.index}]"}
    return places[buffer.place], shape_text(buffer)


def _call(plan: Plan, step: Step, function: str, name: str) -> str:
    title = " ".join(part for part in (c_comment(step.name), "-", c_comment(step.op), c_comment(step.source)) if part)
    lines = [f"/* {title} */", f"void {function}(const struct edge_memory *m, int begin, int end) {{", f"    {name}(begin, end,"]
    for position, (field, target) in enumerate(step.args):
        expression, shape = _pointer(plan, target)
        end = ");" if position == len(step.args) - 1 else ","
        lines.append(f"        {expression}{end}  /* {_field(field)} {shape} */")
    return "\n".join([*lines, "}", ""])


def _row(plan: Plan, step: Step, function: str) -> str:
    y = plan.buffers[step.output]
    place, offset = ("EDGE_PLACE_OUTPUT", y.index) if y.place == "output" else ("EDGE_PLACE_ARENA", y.offset)
    figures = (step.chunks, float(step.macs), float(step.bytes), place, offset, size(y))
    return f"    {{{c_string(step.name)}, {c_string(step.op)}, {function}, {', '.join(map(str, figures))}}},"
