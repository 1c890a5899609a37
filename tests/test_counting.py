"""Instruction counts: the classifier on programs whose counts are known by hand, then artifacts, then what may go wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.measure import Executed
from edge.targets import plugin, toolchain

pytestmark = pytest.mark.slow
Tool = Callable[[str, str], str]
BEGIN, END = "hint #0x7e", "hint #0x7f"

#: class, multiply-adds, bytes loaded and stored of an instruction, 1 for a vector on the stack: the instructions.
#: x1 points at 256 bytes, x2 is 8, x3 is 0
INSTRUCTIONS = {
    ("int_alu", 0, 0, 0): "add x4, x5, x6; add x4, x5, #1; adr x4, .; lsl x4, x5, #3; csel x4, x5, x6, eq; lslv x4, x5, x6",
    ("mul_div", 0, 0, 0): "madd x4, x5, x6, x7; smull x4, w5, w6; udiv x4, x5, x2; sdiv w4, w5, w2",
    ("branch", 0, 0, 0): "b 1f \n 1:; cbz x3, 1f \n 1:; tbz x3, #5, 1f \n 1:; b.ne 1f \n 1:; bl 1f \n 1:",
    ("system", 0, 0, 0): "nop; dmb ish; mrs x4, fpcr",
    ("other", 0, 0, 0): "prfm pldl1keep, [x1]",
    ("load", 0, 4, 0): "ldr w4, [x1]; ldrsw x4, [x1]; ldr s0, [x1]; ld1r {v0.4s}, [x1]; ld1 {v0.s}[3], [x1]; ldar w4, [x1]",
    ("load", 0, 8, 0): (
        "ldr x4, [x1, #8]; ldur x4, [x1, #3]; ldr x4, =0x123456789abcdef; ldr d0, [x1], #0; ldp w4, w5, [x1]; "
        "ldpsw x4, x5, [x1]; ld1 {v0.d}[1], [x1]; ldxr x4, [x1]; ldapur x4, [x1]"
    ),
    ("load", 0, 1, 0): "ldrb w4, [x1, x3]",
    ("load", 0, 2, 0): "ldrsh x4, [x1]; ldr h0, [x1]",
    ("load", 0, 16, 0): ("ldr q0, [x1, x3, lsl #4]; ldp x4, x5, [x1]; ldnp d0, d1, [x1]; ld1 {v0.4s}, [x1]; ld2r {v0.2d, v1.2d}, [x1]"),
    ("load", 0, 32, 0): "ldp q0, q1, [x1]; ld2 {v0.4s, v1.4s}, [x1]",
    ("load", 0, 64, 0): "ld1 {v0.4s-v3.4s}, [x1]; ld4 {v0.16b-v3.16b}, [x1]",
    ("load", 0, 24, 0): "ld1 {v0.8b-v2.8b}, [x1]",
    ("load", 0, 3, 0): "ld3 {v0.b-v2.b}[5], [x1]",
    ("load", 0, 4, 4): "ldadd w4, w5, [x1]",
    ("load", 0, 8, 8): "cas x4, x5, [x1]",
    ("load", 0, 1, 1): "swpb w4, w5, [x1]",
    ("store", 0, 0, 8): "str x4, [x1]",
    ("store", 0, 0, 1): "strb w4, [x1]",
    ("store", 0, 0, 16): "str q0, [x1]; stp x4, x5, [x1]",
    ("store", 0, 0, 4): "stur s0, [x1, #1]; stlr w4, [x1]",
    ("store", 0, 0, 32): "stp q0, q1, [x1, #32]; st1 {v0.4s, v1.4s}, [x1]",
    ("load", 0, 16, 0, 1): "ldr q0, [sp]; ldp d0, d1, [sp, #-16]; ld1 {v0.4s}, [sp]",
    ("store", 0, 0, 4, 1): "stur s0, [sp, #-4]",
    ("store", 0, 0, 2): "st1 {v0.h}[2], [x1]",
    ("fp_scalar", 0, 0, 0): "fadd s0, s1, s2; fcvtzs w4, s0; fmul s0, s1, v2.s[1]",
    ("fp_scalar", 1, 0, 0): "fmadd s0, s1, s2, s3; fnmsub d0, d1, d2, d3; fmla s0, s1, v2.s[1]",
    ("fmla", 4, 0, 0): (
        "fmla v0.4s, v1.4s, v2.4s; fmls v0.4s, v1.4s, v2.4s; fmla v0.4s, v1.4s, v2.s[3]; fmlal v0.4s, v1.4h, "
        "v2.4h; fmlal2 v0.4s, v1.4h, v2.4h; fmlal v0.4s, v1.4h, v2.h[5]; fmlsl2 v0.4s, v1.4h, v2.h[5]; "
        "bfmlalb v0.4s, v1.8h, v2.8h; bfmlalt v0.4s, v1.8h, v2.h[1]"
    ),
    ("fmla", 2, 0, 0): ("fmla v0.2s, v1.2s, v2.2s; fmla v0.2d, v1.2d, v2.2d; fmls v0.2s, v1.2s, v2.s[0]; fmla v0.2d, v1.2d, v2.d[1]"),
    ("simd_other", 0, 0, 0): (
        "fmul v0.4s, v1.4s, v2.4s; fmul v0.4s, v1.4s, v2.s[1]; fmax v0.4s, v1.4s, v2.4s; fadd v0.4s, v1.4s, "
        "v2.4s; dup v0.4s, v1.s[2]; movi v0.4s, #0; mov v0.16b, v1.16b; zip1 v0.4s, v1.4s, v2.4s; fmov v0.4s, "
        "#1.0; smull v0.8h, v1.8b, v2.8b; sadalp v0.4s, v1.8h; add v0.4s, v1.4s, v2.4s"
    ),
    ("fp16", 8, 0, 0): "fmla v0.8h, v1.8h, v2.8h; fmls v0.8h, v1.8h, v2.h[7]",
    ("fp16", 4, 0, 0): "fmla v0.4h, v1.4h, v2.4h",
    ("fp16", 1, 0, 0): "fmla h0, h1, v2.h[7]; fmadd h0, h1, h2, h3",
    ("fp16", 0, 0, 0): ("fadd h0, h1, h2; fadd v0.8h, v1.8h, v2.8h; fmul v0.8h, v1.8h, v2.h[1]; fabs v0.8h, v1.8h; frintn v0.8h, v1.8h"),
    ("dot", 16, 0, 0): (
        "sdot v0.4s, v1.16b, v2.16b; sdot v0.4s, v1.16b, v2.4b[3]; usdot v0.4s, v1.16b, v2.16b; sudot v0.4s, "
        "v1.16b, v2.4b[1]; bfmmla v0.4s, v1.8h, v2.8h"
    ),
    ("dot", 8, 0, 0): ("udot v0.2s, v1.8b, v2.8b; usdot v0.2s, v1.8b, v2.4b[1]; bfdot v0.4s, v1.8h, v2.8h; bfdot v0.4s, v1.8h, v2.2h[1]"),
    ("dot", 32, 0, 0): "smmla v0.4s, v1.16b, v2.16b; usmmla v0.4s, v1.16b, v2.16b",
    ("mla", 16, 0, 0): "mla v0.16b, v1.16b, v2.16b",
    ("mla", 4, 0, 0): ("mls v0.4h, v1.4h, v2.4h; mla v0.4s, v1.4s, v2.s[1]; smlal2 v0.4s, v1.8h, v2.8h; smlal v0.4s, v1.4h, v2.h[3]"),
    ("mla", 8, 0, 0): "mla v0.8h, v1.8h, v2.h[1]; smlal v0.8h, v1.8b, v2.8b",
    ("mla", 2, 0, 0): "umlsl v0.2d, v1.2s, v2.2s; umlal2 v0.2d, v1.4s, v2.s[3]",
    ("sve", 0, 0, 0): "ptrue p0.s; fmla z0.s, p0/m, z1.s, z2.s",
}
REPEATS = 3


def assemble(body: str, folder: Path) -> Path:
    """A program without a libc that runs `body` and ends well."""
    head = ".arch armv8.6-a+fp16+fp16fml+i8mm+bf16+sve\n.text\n.globl _start\n_start:\nadr x1, data\nmov x2, #8\nmov x3, #0\n"
    tail = "\nmov x0, #0\nmov x8, #93\nsvc #0\n.bss\n.p2align 6\ndata: .zero 256\n"
    (folder / "program.S").write_text(head + body + tail)
    toolchain.zig(["-target", "aarch64-linux-musl", "-nostdlib", "-static", "program.S", "-o", "program"], folder)
    return folder / "program"


def counted(body: str, folder: Path, qemu: str) -> dict[str, object]:
    """The plugin's report on a program."""
    program, built = assemble(body, folder), plugin.build_plugin(folder)
    subprocess.run([qemu, "-cpu", "max", "-plugin", f"{built},out={folder / 'counts.json'}", str(program)], check=True, timeout=120)
    report: dict[str, object] = json.loads((folder / "counts.json").read_text())
    return report


@pytest.fixture
def qemu(tool: Tool) -> str:
    return tool("qemu-aarch64", "apt-get install qemu-user")


def short(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def test_every_instruction_is_what_the_manual_says(qemu: str, tmp_path: Path) -> None:
    rows = [(text, *counts) for counts, texts in INSTRUCTIONS.items() for text in texts.split("; ")]
    body = "\n".join("\n".join([BEGIN, *[text] * REPEATS, END]) for text, *_ in rows)
    report = counted(body, tmp_path, qemu)
    got = [(text, short(step)) for (text, *_), step in zip(rows, report["steps"], strict=True)]
    wanted = [
        (
            text,
            short(
                {
                    kind: REPEATS,
                    "mac_lanes": REPEATS * lanes,
                    "loaded_bytes": REPEATS * loaded,
                    "stored_bytes": REPEATS * stored,
                    "stacked_vectors": REPEATS * sum(stacked),
                }
            ),
        )
        for text, kind, lanes, loaded, stored, *stacked in rows
    ]
    assert got == wanted


def test_every_class_has_an_instruction_here() -> None:
    assert {kind for kind, *_ in INSTRUCTIONS} == set(Executed().classes())


LOOP = f"""
mov x4, #1000
{BEGIN}
1: ldr q1, [x1]
fmla v0.4s, v1.4s, v2.4s
subs x4, x4, #1
b.ne 1b
{END}
mov x4, #7
2: {BEGIN}
fmla v0.4s, v1.4s, v2.4s
{END}
fadd v0.4s, v1.4s, v2.4s
subs x4, x4, #1
b.ne 2b
"""


def test_loops_are_counted_by_iteration_and_markers_are_not_counted(qemu: str, tmp_path: Path) -> None:
    """Blocks with a marker are counted instruction by instruction, the others as a whole; both give what ran."""
    report = counted(LOOP, tmp_path, qemu)
    loop = {"int_alu": 1000, "branch": 1000, "load": 1000, "fmla": 1000, "mac_lanes": 4000, "loaded_bytes": 16000}
    assert [short(step) for step in report["steps"]] == [loop, *[{"fmla": 1, "mac_lanes": 4}] * 7]
    assert short(report["outside"]) == {"int_alu": 3 + 2 + 7 + 2, "branch": 7, "simd_other": 7, "system": 1}
    assert report["ordered"] is True


@pytest.mark.parametrize("body", [f"{BEGIN}\n{BEGIN}\n{END}", f"{END}", f"{BEGIN}\nnop"], ids=["nested", "only an end", "only a begin"])
def test_markers_out_of_order_are_reported(body: str, qemu: str, tmp_path: Path) -> None:
    assert counted(body, tmp_path, qemu)["ordered"] is False
