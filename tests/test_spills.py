"""The inner loops of the arm64 kernels keep their sums in registers: no vector register is stored on the stack or fetched from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arm64_loops import Loop, functions, innermost_loops
from edge import codegen, converters, passes, plan, targets
from edge.plan.cores import cores_of
from edge.targets import toolchain
from house import ROOT

pytestmark = pytest.mark.slow
KERNELS = ("pointwise_f32", "depthwise_f32", "conv_f32", "fc_f32")
FASHION = tuple(f"{ROOT}/examples/fashion/networks.py:{name}" for name in ("mobilenet", "pplcnet", "fasternet"))
ZOO = tuple(f"zoo:{name}" for name in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "pp_lcnet_x1_0", "fasternet_t0"))
BUILDS = [*((model, "rpi4") for model in (*FASHION, *ZOO)), *((model, "arm64") for model in ZOO[1:]), (ZOO[0], "rpi3"), (ZOO[3], "rpi5")]


def step_loops(model: str, target: str, folder: Path) -> list[Loop]:
    """The innermost multiply-add loops of the kernels that hold nearly all of a network's work."""
    profile = targets.load(target)
    graph = passes.optimize(converters.read(model).model)
    files = codegen.activations_file()
    made = plan.make(graph, cores_of(profile))
    for level in made.levels:
        files |= codegen.steps_files(made, level)
    toolchain.lay_out(files, folder)
    objects = toolchain.compile_steps(profile, files, folder)
    code = {f"{path.stem} {name}": words for path in objects for name, words in functions(path.read_bytes()).items()}
    return [loop for name, words in code.items() if name.split()[1].startswith(KERNELS) for loop in innermost_loops(name, words)]


@pytest.mark.parametrize(("model", "target"), BUILDS, ids=lambda word: word.split(":")[-1])
def test_no_inner_loop_keeps_vectors_on_the_stack(model: str, target: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    loops = step_loops(model, target, tmp_path)
    assert len(loops) > 5
    assert [str(loop) for loop in loops if loop.spills] == []


SOURCE = """
.globl clean, spilling, framed, nested
.type clean, %function
clean:
    str q8, [sp, #-16]!
1:  ldr q1, [x0], #16
    fmla v0.4s, v1.4s, v2.s[1]
    subs x1, x1, #1
    b.ne 1b
    ldr q8, [sp], #16
    ret
.size clean, .-clean
.type spilling, %function
spilling:
1:  ldr q1, [sp, #32]
    fmla v0.4s, v1.4s, v2.4s
    stp q0, q1, [sp, #64]
    str x1, [sp]
    cbnz x1, 1b
    ret
.size spilling, .-spilling
.type framed, %function
framed:
    add x29, sp, #16
1:  ldur q1, [x29, #-32]
    fmls v0.4s, v1.4s, v2.4s
    tbz x1, #3, 1b
    ret
.size framed, .-framed
.type nested, %function
nested:
1:  ldr q8, [sp]
2:  fmla v0.2s, v1.2s, v2.2s
    cbnz x1, 2b
    b 1b
3:  ldr q8, [sp]
    cbnz x1, 3b
    ret
.size nested, .-nested
"""


def test_the_finder_sees_loops_and_what_lies_on_the_stack(tmp_path: Path) -> None:
    """Saves around a loop are no matter, nor are integers, outer loops and loops without multiply-adds."""
    (tmp_path / "loops.S").write_text(SOURCE)
    toolchain.zig(["-target", "aarch64-linux-musl", "-c", "loops.S", "-o", "loops.o"], tmp_path)
    found = [loop for name, words in functions((tmp_path / "loops.o").read_bytes()).items() for loop in innermost_loops(name, words)]
    wanted = [Loop("clean", 1, 4, 0), Loop("spilling", 0, 4, 2), Loop("framed", 1, 3, 1), Loop("nested", 1, 2, 0)]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert str(found[1]) == "spilling: 2 of the 5 instructions of the loop at +0x0 keep vectors on the stack"
