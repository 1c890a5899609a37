"""One C file for one ISA level: every distinct (kernel, shape) once, then one short function a step, then the table of steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edge.codegen.loops_file import function as loops_function
from edge.codegen.text import c_comment, c_float, c_list, c_string
from edge.kernels import kernels
from edge.kernels.record import ACTIVATION, Field
from edge.words.dtype import Dtype
from edge.words.plan import Buffer, Place, Plan
from edge.words.post import REQUANTIZE, Post
from edge.words.schedule import Schedule
from edge.words.step import Access, Number, Operand, Step

HEADER = """/* {name}: the steps of level {level}, written by edge.
 * Layouts: (N, C/{block}, H, W, {block}) is channel-blocked, anything else is row-major. Weights lie packed in weights.bin. */
#define EDGE_BLOCK {block}
"""
NO_ACT = Post("none")
COUNTS = "counts"  #: the operand that counts what spikes cause


def steps_files(plan: Plan, level: str, *, split: bool = True) -> dict[str, str]:
    """File name -> text; `steps_<level>.c` defines the table `edge_steps_<level>`, and the functions that no lower level has.

    split: half of the shapes go to `steps_<level>_more.c`, so that two compilers share the work.
    """
    shapes: dict[tuple[object, ...], str] = {}
    acts: dict[str, set[str]] = {}
    texts: dict[str, list[str]] = {}  # function of a distinct shape -> its C and that of the steps that call it
    called: dict[str, str] = {}
    column = plan.levels[level]
    for index, (step, schedule) in enumerate(zip(plan.steps, column.schedules, strict=True)):
        if column.code[index] != level:
            continue
        dtypes = tuple(plan.dtype(operand.buffer) for operand in step.operands)
        fields = tuple(operand.field for operand in step.operands)
        key = (step.kernel, fields, dtypes, step.shape, schedule.fields, step.posts, step.loops)
        if key not in shapes:
            name = shapes[key] = f"{step.kernel}_{len(shapes)}"
            called[name], texts[name], acts[name] = step.kernel, [_instance(step, schedule, dtypes, name)], _activations(step)
        texts[shapes[key]].append(_call(plan, index, f"{level}_step_{index}", shapes[key]))
    own = [f"void {column.code[i]}_step_{i}(const struct edge_memory *m, int begin, int end);" for i in range(len(plan.steps))]
    start = HEADER.format(name=c_comment(plan.name), level=level, block=plan.block)

    def text(names: list[str]) -> list[str]:
        includes = [f'#include "{_source(kernel)}"' for kernel in sorted({called[name] for name in names})]
        return [
            start + _used(acts[name] for name in names),
            *includes,
            '#include "program.h"',
            "",
            *own,
            "",
            *(part for name in names for part in texts[name]),
        ]

    rows = [_row(plan, level, index) for index in range(len(plan.steps))]
    table = [f"extern const struct edge_step edge_steps_{level}[];", f"const struct edge_step edge_steps_{level}[] = {{", *rows, "};", ""]
    first, more = _halves(called) if split and len(texts) > 1 else (list(texts), [])
    files = {f"steps_{level}.c": "\n".join([*text(first), *table])}
    return files | ({f"steps_{level}_more.c": "\n".join(text(more))} if more else {})


def _halves(called: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The functions in two parts that take the compiler about as long: every kernel's shapes go to either part in turn."""
    by_kernel = sorted(called, key=lambda name: called[name])
    return by_kernel[0::2], by_kernel[1::2]


def _activations(step: Step) -> set[str]:
    """The C names of the activations that a step's kernel is given, ACT_NONE for a slot that stays empty."""
    record = kernels()[step.kernel]
    placed = record.slots(step.posts)
    return {_act_name(placed.get(slot.field, NO_ACT)) for slot in record.posts if slot.takes == ACTIVATION}


def _used(acts: Iterable[set[str]]) -> str:
    """The line that tells kernels/vector.h which activations a file applies."""
    kinds = sorted(set().union(*acts))
    return f"#define EDGE_ACTS ({' | '.join(f'1u << {kind}' for kind in kinds) or '0u'})\n"


def _act_name(post: Post) -> str:
    return f"ACT_{post.kind.upper()}"


def _act(post: Post) -> str:
    """A C initialiser of `struct act` or `struct requantize`."""
    if post.kind == REQUANTIZE:
        return c_list(int(number) for number in post.numbers)
    a, b = (*post.numbers, 0.0, 0.0)[:2]
    return c_list((_act_name(post), c_float(a), c_float(b)))


def _field(name: str) -> str:
    """`x[0]` as a C identifier."""
    return name.replace("[", "").replace("]", "")


def _number(field: Field, value: Number) -> str:
    if isinstance(value, tuple):
        return c_list(value)
    if field.enum is not None:
        return f"{field.enum.__name__.upper()}_{field.enum(int(value)).name}"
    return c_float(value) if field.real else str(value)


def _initialisers(step: Step, schedule: Schedule) -> list[str]:
    """`.field = value` for every number and post of the kernel's record, in its order."""
    record, numbers = kernels()[step.kernel], step.numbers | dict(schedule.fields)
    posts = record.slots(step.posts)
    return [
        f".{field} = {_act(posts.get(field, NO_ACT))}" if isinstance(field, str) else f".{field.name} = {_number(field, numbers[field.name])}"
        for field in record.fields
    ]


def _pointer_type(operand: Operand) -> str:
    return "void *" if operand.access in (Access.WRITE, Access.UPDATE) else "const void *"


def _source(kernel: str) -> str:
    """The file that a kernel's steps include."""
    return "scalar.h" if kernels()[kernel].generic else f"{kernel}.c"


def _instance(step: Step, schedule: Schedule, dtypes: Sequence[Dtype], name: str) -> str:
    """The kernel with its shape as constants, so that the compiler unrolls and folds."""
    if step.loops is not None:
        return loops_function(name, step.loops, step.operands, dtypes)
    arguments = ", ".join(f"{_pointer_type(operand)}{_field(operand.field)}" for operand in step.operands)
    fields = ", ".join([*(f".{o.field} = {_field(o.field)}" for o in step.operands), *_initialisers(step, schedule)])
    head = f"static __attribute__((noinline)) void {name}(int begin, int end, {arguments}) {{"
    return f"{head}\n    {step.kernel}(begin, end, (struct {step.kernel}){{{fields}}});\n}}\n"


def shape_text(buffer: Buffer) -> str:
    """The shape as it lies in memory: `(1, 2, 56, 56, 16)`."""
    return f"({', '.join(map(str, buffer.layout.in_memory(buffer.shape)))})"


def _pointer(plan: Plan, name: str) -> tuple[str, str]:
    """Where a buffer or constant lies as a C expression, and its shape in words."""
    if name in plan.constants:
        constant = plan.constants[name]
        return f"m->weights + {constant.offset}", f"({', '.join(map(str, constant.data.shape))})"
    buffer = plan.buffers[name]
    places = {
        Place.ARENA: f"m->arena + {buffer.offset}",
        Place.INPUT: f"m->inputs[{buffer.index}]",
        Place.OUTPUT: f"m->outputs[{buffer.index}]",
        Place.STATE: f"m->state + {buffer.offset}",
    }
    if buffer.window is None:
        return places[buffer.place], shape_text(buffer)
    base = f"(const unsigned char *){places[buffer.place]}" if buffer.place == Place.INPUT else places[buffer.place]
    window = buffer.window
    return f"{base} + {window.start} + m->trip[{window.region}] * {window.stride}", f"{shape_text(buffer)} of each trip"


def _call(plan: Plan, index: int, function: str, name: str) -> str:
    step = plan.steps[index]
    title = " ".join(part for part in (c_comment(step.name), "-", c_comment(step.op), c_comment(step.source)) if part)
    lines = [
        f"/* {title} */",
        f"void {function}(const struct edge_memory *m, int begin, int end) {{",
        f"    {name}(begin, end,{f' m->fault, {index + 1},' if step.loops is not None else ''}",
    ]
    for position, operand in enumerate(step.operands):
        expression, shape = _pointer(plan, operand.buffer)
        end = ");" if position == len(step.operands) - 1 else ","
        lines.append(f"        {expression}{end}  /* {_field(operand.field)} {shape} */")
    return "\n".join([*lines, "}", ""])


def _row(plan: Plan, level: str, index: int) -> str:
    step, column = plan.steps[index], plan.levels[level]
    function = f"{column.code[index]}_step_{index}"
    y, trips = plan.buffers[step.output], plan.trips(index)
    last = y.offset + (y.window.start + (plan.regions[y.window.region].trips - 1) * y.window.stride if y.window else 0)
    place, offset = (f"EDGE_PLACE_{y.place.upper()}", y.index if y.place == Place.OUTPUT else last)
    counts = next((1 + plan.buffers[o.buffer].offset for o in step.operands if o.field == COUNTS), 0)
    figures = (column.schedules[index].chunks, float(step.macs * trips), float(step.bytes * trips), place, offset, y.size, counts)
    return f"    {{{c_string(step.name)}, {c_string(step.op)}, {function}, {', '.join(map(str, figures))}}},"
