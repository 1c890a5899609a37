"""The C of the generic loops is what edge.words.loops means: every function, every element type, random loops, under ASan and UBSan."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from loops_meaning import Array, BadIndex, evaluate

from edge.codegen.loops_file import function
from edge.ops.generic.merging import merged
from edge.targets import toolchain
from edge.words import bounds
from edge.words.dtype import Dtype
from edge.words.loops import Index, Instruction, Kind, Loops, Reduce
from edge.words.scalar import ANY, FLOATS, INTEGERS, NUMBERS, SCALARS
from edge.words.step import Access, Operand

GCC = ["gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-math-errno", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@dataclass(frozen=True)
class Case:
    """Loops, the arrays that they read, and how many elements they write to."""

    loops: Loops
    inputs: tuple[Array, ...]
    elements: int


def run(cases: Sequence[Case], folder: Path) -> list[Array | None]:
    """The outputs of the compiled C; None where it reports a bad index."""
    parts = ['#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include "program.h"\n#include "scalar.h"\n']
    main, data = [], bytearray()
    for number, case in enumerate(cases):
        dtypes = [*(Dtype(str(a.dtype)) for a in case.inputs), case.loops.dtype]
        operands = [*(Operand(f"x{i}", f"b{i}") for i in range(len(case.inputs))), Operand("y", "y", Access.WRITE)]
        parts.append(function(f"f{number}", case.loops, operands, dtypes))
        given = ", ".join(f"get(in, {a.nbytes})" for a in case.inputs)
        size = case.elements * np.dtype(case.loops.dtype).itemsize
        frees = "".join(f"free(in{number}[{i}]); " for i in range(len(case.inputs)))
        calls = "".join(f", in{number}[{i}]" for i in range(len(case.inputs)))
        main.append(
            f"  {{ void *in{number}[] = {{{given or '0'}}}; void *y = calloc({size or 1}, 1); struct edge_fault fault = {{0}}; (void)in{number};\n"
            f"    for (int c = {case.loops.pieces} - 1; c >= 0; c--) f{number}(c, c + 1, &fault, 1{calls}, y);\n"
            f"    fwrite(&fault.step, 4, 1, out); fwrite(y, 1, {size}, out); free(y); {frees}}}\n"
        )
        data += b"".join(a.tobytes() for a in case.inputs)
    parts.append("static void *get(FILE *f, size_t n) { void *p = malloc(n ? n : 1); if (!p || fread(p, 1, n, f) != n) exit(9); return p; }\n")
    parts.append('int main(void) { FILE *in = fopen("in", "rb"), *out = fopen("out", "wb"); if (!in || !out) return 7;\n')
    toolchain.lay_out({"cases.c": "".join([*parts, *main, "  fclose(out); return 0; }\n"])}, folder)
    (folder / "in").write_bytes(data)
    subprocess.run([*GCC, "cases.c", "-lm", "-o", "cases"], cwd=folder, check=True)
    done = subprocess.run(["./cases"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    raw, at, found = (folder / "out").read_bytes(), 0, []
    for case in cases:
        failed = int.from_bytes(raw[at : at + 4], "little")
        found.append(None if failed else np.frombuffer(raw, case.loops.dtype, case.elements, at + 4))
        at += 4 + case.elements * np.dtype(case.loops.dtype).itemsize
    return found


def wrong(cases: Sequence[Case], found: Sequence[Array | None]) -> list[str]:
    """The cases whose C and meaning differ: integers exactly, floats by a rounding of their libm."""
    lines = []
    for number, (case, got) in enumerate(zip(cases, found, strict=True)):
        try:
            want: Array | None = evaluate(case.loops, case.inputs, case.elements)
        except BadIndex:
            want = None
        if want is None or got is None:
            same = want is got
        elif want.dtype.kind == "f":
            tolerance = 1e-5 if want.dtype.itemsize == 4 else 1e-12
            same = np.allclose(got, want, rtol=tolerance, atol=1e-30, equal_nan=True)
        else:
            same = np.array_equal(got, want)
        if not same:
            at = case.loops.code[-1]
            lines.append(f"{number}: {at.kind} {at.name} {at.dtype}, {[a[:8] for a in case.inputs]}: {got} instead of {want}")
    return lines


def load(dtype: Dtype, operand: int, strides: Sequence[int] = (1,), index: tuple[Index, ...] = (), offset: int = 0) -> Instruction:
    return Instruction(Kind.LOAD, dtype, operand=operand, strides=tuple(strides), index=index, offset=offset)


REAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.5, 7.0, -7.0, 1e9, -1e9, np.inf, -np.inf, np.nan, 0.3, 2.0]


def edges(dtype: Dtype, rng: np.random.Generator) -> Array:
    """Numbers of a type at its bounds and around zero, and some at random."""
    if dtype == Dtype.BOOL:
        return np.array([True, False] * 16)
    if dtype in FLOATS:
        return np.array([*REAL, *rng.uniform(-4, 4, 16)], dtype)
    bounds = np.iinfo(dtype)
    near = [0, 1, 2, 3, 7, bounds.max, bounds.max - 1, bounds.min, bounds.min + 1]
    return np.array([*near, *rng.integers(bounds.min, bounds.max, 23, dtype=dtype, endpoint=True)], dtype)


def scalar_cases() -> list[Case]:
    """Every function on every type, each pair of edge numbers among its arguments."""
    rng = np.random.default_rng(0)
    cases = []
    for name, row in SCALARS.items():
        for dtype in row.types:
            a = edges(dtype, rng)
            result = Dtype.BOOL if row.truth else dtype
            if row.arity == 1:
                code = (load(dtype, 0), Instruction(Kind.CALL, result, name, (0,)))
                cases.append(Case(Loops((32,), code, (1,)), (a,), 32))
            elif row.arity == 2:
                b = np.where(a < 0, -(a + 1), a) % 70 if name in ("shl", "shr") else a
                code = (load(dtype, 0, (1, 0)), load(dtype, 1, (0, 1)), Instruction(Kind.CALL, result, name, (0, 1)))
                cases.append(Case(Loops((32, 32), code, (32, 1)), (a, b.astype(dtype)), 1024))
            else:
                code = (load(Dtype.BOOL, 0), load(dtype, 1), load(dtype, 2), Instruction(Kind.CALL, dtype, name, (0, 1, 2)))
                cases.append(Case(Loops((32,), code, (1,)), (edges(Dtype.BOOL, rng), a, a[::-1].copy()), 32))
    return cases


def cast_cases() -> list[Case]:
    rng = np.random.default_rng(1)
    return [
        Case(Loops((32,), (load(source, 0), Instruction(Kind.CAST, target, args=(0,))), (1,)), (edges(source, rng),), 32)
        for source in ANY
        for target in ANY
    ]


def scatter_cases() -> list[Case]:
    """Updates at places from data, one after the other, whole and onto what lies there; the last index of some is outside."""
    rng = np.random.default_rng(4)
    cases = []
    for dtype in (Dtype.F32, Dtype.S8, Dtype.S64, Dtype.U8):
        for onto in ("", "add", "mul", "max", "min"):
            for last in (3, -4, 4, -5):
                index = np.array([0, 1, 1, 2, -1, last])
                update = rng.integers(0, 9, 6).astype(dtype)
                code = (load(Dtype.S64, 0, (3, 1)), load(dtype, 1, (3, 1)))
                cases.append(Case(Loops((2, 3), code, (0, 4), place=(Index(0, 1, 4),), onto=onto), (index, update), 12))
    return cases


def reduce_cases() -> list[Case]:
    """Every reduction on every type over the last axis of (3, 32), whole and as a scan."""
    rng = np.random.default_rng(2)
    cases = []
    for dtype in NUMBERS:
        x = np.concatenate([edges(dtype, rng), np.zeros(32, dtype), rng.permutation(edges(dtype, rng))])
        x = np.clip(np.nan_to_num(x, nan=1.5), -9, 9).astype(dtype) if dtype in FLOATS else x
        for reduce in Reduce:
            cases.append(Case(Loops((3, 32), (load(dtype, 0, (32, 1)),), (1,), reduced=1, reduce=reduce), (x,), 3))
            if reduce in (Reduce.SUM, Reduce.MAX):
                cases.append(Case(Loops((3, 32), (load(dtype, 0, (32, 1)),), (32, 1), reduced=1, reduce=reduce, scan=True), (x,), 96))
    for reduce in (Reduce.MAX, Reduce.MIN, Reduce.FIRST_MAX, Reduce.LAST_MIN):  # a NaN anywhere in the row
        x = np.tile(np.arange(5, dtype=np.float32), 5)
        x[::6] = np.nan
        cases.append(Case(Loops((5, 5), (load(Dtype.F32, 0, (5, 1)),), (1,), reduced=1, reduce=reduce), (x,), 5))
    return cases


def index_cases() -> list[Case]:
    """Gather by data: counted from the end where negative, an error of the run outside the axis."""
    x = np.arange(20, dtype=np.float32)
    cases = []
    for values in ([0, 4, 2], [-1, -5, 3], [5, 0, 0], [-6, 0, 0], [1 << 62, 0, 0], [-(1 << 63), 0, 0]):
        code = (load(Dtype.S64, 1, (1, 0)), load(Dtype.F32, 0, (0, 1), (Index(0, 4, 5),)))
        cases.append(Case(Loops((3, 4), code, (4, 1)), (x, np.array(values, np.int64)), 12))
    return cases


def random_case(seed: int) -> Case:
    """Any space, strides, offsets, a few functions, with or without a reduction."""
    rng = np.random.default_rng(seed)
    dtype = ANY[rng.integers(len(NUMBERS))]
    space = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 5)))
    reduced = int(rng.integers(0, len(space) + 1)) if rng.random() < 0.5 else 0
    inputs, code = [], []
    for operand in range(2):
        strides = tuple(int(s) for s in rng.integers(-2, 4, len(space)))
        low = sum(min(0, (n - 1) * s) for n, s in zip(space, strides, strict=True))
        high = sum(max(0, (n - 1) * s) for n, s in zip(space, strides, strict=True))
        values = rng.uniform(-3, 3, high - low + 1) if dtype in FLOATS else rng.integers(0, 100, high - low + 1)
        inputs.append(values.astype(dtype))
        code.append(load(dtype, operand, strides, offset=-low))
    names = [n for n, row in SCALARS.items() if dtype in row.types and row.arity == 2 and not row.truth and n not in ("pow", "shl", "shr")]
    code.append(Instruction(Kind.CALL, dtype, str(rng.choice(names)), (0, 1)))
    code.append(Instruction(Kind.AXIS, Dtype.S64, axis=int(rng.integers(len(space)))))
    code.append(Instruction(Kind.CAST, dtype, args=(3,)))
    code.append(Instruction(Kind.CALL, dtype, "max", (2, 4)))
    result = space[: len(space) - reduced]
    dense = tuple(prod(result[i + 1 :]) for i in range(len(result)))
    after = (Instruction(Kind.CARRY, dtype), Instruction(Kind.CALL, dtype, "add", (0, 0))) if reduced and rng.random() < 0.5 else ()
    reduce = (Reduce.SUM, Reduce.MAX, Reduce.MIN)[rng.integers(3)] if reduced else None
    offset = int(rng.integers(0, 3))
    return Case(Loops(space, tuple(code), dense, offset, reduced, reduce, after), tuple(inputs), prod(result) + offset)


GROUPS = {
    "functions": scalar_cases,
    "casts": cast_cases,
    "reductions": reduce_cases,
    "indices": index_cases,
    "scatters": scatter_cases,
    "random": lambda: [random_case(seed) for seed in range(150)],
}


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_the_c_is_what_the_words_mean(group: str, tmp_path: Path) -> None:
    cases = GROUPS[group]()
    assert wrong(cases, run(cases, tmp_path)) == []


@pytest.mark.parametrize("seed", range(60))
def test_intervals_hold_every_number(seed: int) -> None:
    """What `bounds` proves of random loops, on the numbers that their operands really have."""
    case = random_case(seed)
    operands = [(a.min().item(), a.max().item()) for a in case.inputs]
    low, high = bounds.result(case.loops, operands)
    found = evaluate(case.loops, case.inputs, case.elements)[case.loops.offset :]
    with np.errstate(all="ignore"):
        assert all(np.isnan(v) or low <= v.item() <= high or np.isclose(v.item(), (low, high), rtol=1e-6).any() for v in found), (low, high, found)


@pytest.mark.parametrize("seed", range(60))
def test_merged_axes_compute_the_same(seed: int) -> None:
    case = random_case(seed)
    dense = [prod(case.loops.space[i + 1 :]) for i in range(len(case.loops.space))]
    code = tuple(replace(item, strides=tuple(dense)) if item.kind == Kind.LOAD and seed % 2 else item for item in case.loops.code)
    code = tuple(replace(item, kind=Kind.NUMBER, number=1) if item.kind == Kind.AXIS and seed % 3 else item for item in code)
    inputs = [np.resize(a, 2000) for a in case.inputs]
    loops = replace(case.loops, code=code)
    fewer = merged(loops)
    assert fewer.reduced >= bool(loops.reduced) and (seed % 2 == 0 or seed % 3 == 0 or len(fewer.space) <= 2)
    np.testing.assert_array_equal(evaluate(fewer, inputs, case.elements), evaluate(loops, inputs, case.elements))


def test_only_an_index_that_may_leave_its_axis_is_checked() -> None:
    """Clamped places and loop indices are not; those from data are."""
    axis = Instruction(Kind.AXIS, Dtype.S64, axis=0)
    back = (axis, Instruction(Kind.NUMBER, Dtype.S64, number=3), Instruction(Kind.CALL, Dtype.S64, "sub", (1, 0)))
    operands = [Operand("x0", "b"), Operand("y", "y", Access.WRITE)]
    for size, checked in ((4, False), (3, True)):
        loops = Loops((4,), (*back, load(Dtype.F32, 0, (0,), (Index(2, 1, size),))), (1,))
        assert ("edge_fail" in function("f", loops, operands, [Dtype.F32, Dtype.F32])) == checked


def test_the_functions_of_integers_wrap_and_never_trap() -> None:
    """The meaning itself, on the numbers where C alone would be undefined."""
    low, one = np.int32(-(1 << 31)), np.int32(-1)
    divide, modulo = SCALARS["div"].meaning, SCALARS["mod"].meaning
    assert divide(np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])).tolist() == [3, -3, -3, 3]
    assert divide(np.array([low]), np.array([one])).tolist() == [low] and divide(np.array([5]), np.array([0])).tolist() == [0]
    assert modulo(np.array([7, -7, 7, -7]), np.array([3, 3, -3, -3])).tolist() == [1, 2, -2, -1]
    assert set(INTEGERS) < set(NUMBERS)
