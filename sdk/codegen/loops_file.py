"""The C of one generic step: its loops, its expression, its reduction."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

from edge.codegen.text import c_double, c_float
from edge.words import bounds
from edge.words.dtype import FACTS, Dtype
from edge.words.loops import POSITIONS, Index, Instruction, Kind, Loops, Reduce
from edge.words.scalar import FLOATS, SIGNED
from edge.words.step import Access, Operand

INDENT = "    "
#: the carry of a sum or product: wide enough that the order of the terms does not show in float32, and wrapping for integers
WIDE = {Dtype.F32: "double", Dtype.F64: "double"}
#: reduction -> (is the new value better than the best so far)
BETTER = {Reduce.FIRST_MAX: ">", Reduce.LAST_MAX: ">=", Reduce.FIRST_MIN: "<", Reduce.LAST_MIN: "<="}


def function(name: str, loops: Loops, operands: Sequence[Operand], dtypes: Sequence[Dtype]) -> str:
    """The C function of a step.  operands: its inputs, then its output; dtypes: of their elements."""
    *inputs, _ = zip(operands, dtypes, strict=True)
    out = FACTS[loops.dtype].c
    arguments = ", ".join([*(f"const void *{_pointer(operand)}_" for operand, _ in inputs), "void *y_"])
    lines = [f"static __attribute__((noinline)) void {name}(int begin, int end, struct edge_fault *fault, int step, {arguments}) {{"]
    lines += [f"{INDENT}const {FACTS[dtype].c} *restrict {_pointer(operand)} = {_pointer(operand)}_;" for operand, dtype in inputs]
    lines += [f"{INDENT}{out} *restrict y = y_;"]
    points = prod(loops.space[: loops.outer])
    first, last = (f"(int64_t){name} * {points} / {loops.pieces}" for name in ("begin", "end"))
    lines += [f"{INDENT}(void)fault, (void)step;", f"{INDENT}for (int64_t point = {first}; point < {last}; point++) {{"]
    lines += [INDENT * 2 + line for line in _point(loops, [_pointer(operand) for operand, _ in inputs])]
    return "\n".join([*lines, f"{INDENT}}}", "}", ""])


def _pointer(operand: Operand) -> str:
    return "y" if operand.access in (Access.WRITE, Access.UPDATE) else operand.field


def _point(loops: Loops, pointers: Sequence[str]) -> list[str]:
    """What is done for one point of the outer axes."""
    lines, rest = [], 1
    for axis in reversed(range(loops.outer)):
        place = f"point / {rest}" if rest > 1 else "point"
        lines.append(f"const int64_t i{axis} = {place}{f' % {loops.space[axis]}' if axis else ''};")
        rest *= loops.space[axis]
    results = loops.results
    body = (
        _reduction(loops, pointers)
        if loops.reduced
        else [*_code(loops.code, pointers, "t", known=bounds.values(loops)), *_scatter(loops, f"t{len(loops.code) - 1}")]
    )
    return lines + _nest(loops.space, loops.outer, results, body)


def _nest(space: Sequence[int], first: int, last: int, body: list[str]) -> list[str]:
    """Loops over axes [first, last) around `body`."""
    for axis in reversed(range(first, last)):
        body = [f"for (int64_t i{axis} = 0; i{axis} < {space[axis]}; i{axis}++) {{", *(INDENT + line for line in body), "}"]
    return body


def _store(loops: Loops, value: str, axes: int) -> str:
    place = _sum([*(_term(f"i{axis}", loops.strides[axis]) for axis in range(axes)), str(loops.offset) if loops.offset else ""])
    return f"y[{place}] = {value};"


def _scatter(loops: Loops, value: str) -> list[str]:
    """Store to where the axes say, and the indices of `place`."""
    if not loops.place:
        return [_store(loops, value, loops.results)]
    checks = [line for at, index in enumerate(loops.place) for line in _checked(index, f"t{index.value}", f"p{at}", bounds.values(loops))]
    terms = [_term(f"i{axis}", loops.strides[axis]) for axis in range(loops.results)]
    terms += [_term(f"p{at}", index.stride) for at, index in enumerate(loops.place)]
    here = f"y[{_sum([*terms, str(loops.offset) if loops.offset else ''])}]"
    return [*checks, f"{here} = {f'{loops.onto}_{loops.dtype.short}({here}, {value})' if loops.onto else value};"]


def _reduction(loops: Loops, pointers: Sequence[str]) -> list[str]:
    """Start the carry, go over the reduced axes, finish."""
    assert loops.reduce is not None
    value, results = loops.code[-1].dtype, loops.results
    inner = [*_code(loops.code, pointers, "t", known=bounds.values(loops)), *_step(loops, f"t{len(loops.code) - 1}", value)]
    carry = f"({FACTS[value].c})carry" if loops.reduce in (Reduce.SUM, Reduce.PROD) else "carry"
    finish = [*_code(loops.after, pointers, "r", carry), _store(loops, f"r{len(loops.after) - 1}" if loops.after else carry, results)]
    if loops.scan:
        inner += [*_code(loops.after, pointers, "r", carry), _store(loops, f"r{len(loops.after) - 1}" if loops.after else carry, results + 1)]
        finish = []
    return [*_start(loops.reduce, value), *_nest(loops.space, results, len(loops.space), inner), *finish]


def _start(reduce: Reduce, dtype: Dtype) -> list[str]:
    c = FACTS[dtype].c
    if reduce in (Reduce.SUM, Reduce.PROD):
        return [f"{WIDE.get(dtype, 'uint64_t')} carry = {int(reduce == Reduce.PROD)};"]
    if reduce in POSITIONS:
        return [f"{c} best = 0;", "int64_t carry = -1, at = 0;"]
    return [f"{c} carry = 0;", "int first = 1;"]


def _step(loops: Loops, value: str, dtype: Dtype) -> list[str]:
    """How `value` goes into the carry.  A NaN is the maximum and the minimum of what it is among, the first one for positions."""
    reduce = loops.reduce
    if reduce in (Reduce.SUM, Reduce.PROD):
        wide = "" if dtype in FLOATS else "(uint64_t)(int64_t)" if dtype in SIGNED else "(uint64_t)"
        return [f"carry {'+' if reduce == Reduce.SUM else '*'}= {wide}{value};"]
    if reduce in BETTER:
        better = f"{value} {BETTER[reduce]} best"
        if dtype in FLOATS:
            better = f"best == best && ({value} != {value} || {better})"
        return [f"if (carry < 0 || ({better})) {{", f"{INDENT}best = {value};", f"{INDENT}carry = at;", "}", "at++;"]
    name = "max" if reduce == Reduce.MAX else "min"
    return [f"carry = first ? {value} : {name}_{dtype.short}(carry, {value});", "first = 0;"]


# ---- expressions


def _code(code: Sequence[Instruction], pointers: Sequence[str], prefix: str, carry: str = "", known: Sequence[bounds.Interval] = ()) -> list[str]:
    """known: the interval of each instruction, where it is worth asking."""
    lines: list[str] = []
    for number, item in enumerate(code):
        for at, index in enumerate(item.index):
            lines += _checked(index, f"{prefix}{index.value}", f"{prefix}{number}_{at}", known)
        lines.append(f"const {FACTS[item.dtype].c} {prefix}{number} = {_value(item, code, pointers, prefix, number, carry)};")
    return lines


def _checked(index: Index, value: str, name: str, known: Sequence[bounds.Interval]) -> list[str]:
    """An index from data, counted from the end where it is negative; outside the axis the run fails and element 0 is read instead.

    One that cannot leave its axis is not checked.
    """
    low, high = known[index.value] if known else (-inf, inf)
    if low >= 0 and high < index.size:
        return [f"const int64_t {name} = {value};"]
    return [
        f"int64_t {name} = (int64_t){value} < 0 ? (int64_t){value} + {index.size} : (int64_t){value};",
        f"if ((uint64_t){name} >= {index.size}u) {name} = 0, edge_fail(fault, step, (int64_t){value}, {index.size});",
    ]


def _value(item: Instruction, code: Sequence[Instruction], pointers: Sequence[str], prefix: str, number: int, carry: str) -> str:
    args = [f"{prefix}{arg}" for arg in item.args]
    if item.kind == Kind.NUMBER:
        return _number(item.number, item.dtype)
    if item.kind == Kind.AXIS:
        return f"i{item.axis}"
    if item.kind == Kind.CARRY:
        return carry
    if item.kind == Kind.CAST:
        return _cast(args[0], code[item.args[0]].dtype, item.dtype)
    if item.kind == Kind.CALL:
        types = code[item.args[-1]].dtype
        return f"{item.name}_{types.short}({', '.join(args)})"
    terms = [_term(f"i{axis}", stride) for axis, stride in enumerate(item.strides)]
    terms += [_term(f"{prefix}{number}_{at}", index.stride) for at, index in enumerate(item.index)]
    return f"{pointers[item.operand]}[{_sum([*terms, str(item.offset) if item.offset else ''])}]"


def _number(number: int | float, dtype: Dtype) -> str:
    if dtype == Dtype.F32:
        return c_float(float(number))
    if dtype == Dtype.F64:
        return c_double(float(number))
    if dtype == Dtype.S64:
        return "INT64_MIN" if number == -(1 << 63) else f"INT64_C({int(number)})"
    if dtype == Dtype.U64:
        return f"UINT64_C({int(number)})"
    return f"({FACTS[dtype].c}){int(number)}"


def _cast(value: str, source: Dtype, target: Dtype) -> str:
    if target == Dtype.BOOL:
        return f"{value} != 0"
    if source in FLOATS and target not in FLOATS:
        return f"real_to_{target.short}({value})"
    return f"({FACTS[target].c}){value}"


def _term(name: str, stride: int) -> str:
    return "" if stride == 0 else name if stride == 1 else f"{name} * {stride}"


def _sum(terms: Sequence[str]) -> str:
    return " + ".join(term for term in terms if term).replace("+ -", "- ") or "0"
