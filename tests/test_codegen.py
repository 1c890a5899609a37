"""Plan to C: hostile names do no harm, every (kernel, shape) is there once, and the text does not change from run to run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge
from compiled import LEVELS
from edge import codegen, passes, plan
from edge.codegen.text import LONGEST, c_comment, c_float, c_string
from edge.words.plan import Plan
from graphs import proto, small

HOSTILE = [
    "",
    '"',
    "*/ int evil; /*",
    "a\\\nb",
    "a\\",
    "??/\n",
    "??=define",
    "%:define <% %>",
    "//",
    "/",
    "\0tail",
    "\r\n",
    "Größe → ∞ 🦊",
    "\u2028\u2029",
    "%s%n",
    "\x1b[2J",
    "\\x41\\101" + "7",
    "7" * 3,
    "\udc80",
    "L'x'",
    "a" * 5000,
]
NAMES = st.text(st.characters(), max_size=30) | st.text(st.sampled_from('"\\*/?\n\r\0#%<>:=a7 '), max_size=30)
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-trigraphs"]
gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def drawn(count: int) -> list[str]:
    """Hostile names, the listed ones first, then what Hypothesis finds; the same every time."""
    found = list(HOSTILE)

    @settings(max_examples=count, database=None, derandomize=True, deadline=None)
    @given(NAMES)
    def collect(name: str) -> None:
        found.append(name)

    collect()
    return found


@gcc
@pytest.mark.parametrize("extra", [[], ["-std=gnu17"]])
def test_strings_and_comments_hold_any_name(tmp_path: Path, extra: list[str]) -> None:
    """The compiler reads each string back to the same bytes, and nothing after a comment is swallowed."""
    names = drawn(400)
    rows = [f"/* {c_comment(name)} */ put({c_string(name)}, sizeof {c_string(name)} - 1); /* {c_comment(name)} */" for name in names]
    put = "static void put(const char *s, unsigned long n) { fwrite(&n, 1, 8, stdout); fwrite(s, 1, n, stdout); }"
    (tmp_path / "names.c").write_text("\n".join(["#include <stdio.h>", put, "int main(void) {", *rows, "return 0; }", ""]))
    subprocess.run(["gcc", *STRICT, *extra, "names.c", "-o", "names"], cwd=tmp_path, check=True)
    out = subprocess.run([str(tmp_path / "names")], capture_output=True, check=True).stdout
    wanted = [name.encode("utf-8", "replace") for name in names]
    assert out == b"".join(len(raw).to_bytes(8, "little") + raw for raw in wanted)


@given(NAMES)
def test_a_comment_is_short_plain_and_cannot_end(name: str) -> None:
    text = c_comment(name)
    assert text.isascii() and text.isprintable() and len(text) <= LONGEST
    assert not re.search(r"\*|\\|\?|//|/ ", text)


FLOATS = [
    0.0,
    -0.0,
    1.0,
    1e-45,
    -1e-45,
    1.1754942e-38,
    1.17549435e-38,
    3.4028235e38,
    -3.4028235e38,
    16777216.0,
    0.1,
    np.inf,
    -np.inf,
    1e20,
    1 / 3,
    123456.79,
]


@gcc
def test_float_literals_read_back_as_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    some = rng.integers(0, 2**32, 500, dtype=np.uint32).view(np.float32)
    numbers = np.concatenate([np.array(FLOATS, np.float32), some[np.isfinite(some)]])
    text = f"#include <math.h>\n#include <stdio.h>\nstatic const float f[] = {{{', '.join(c_float(float(n)) for n in numbers)}}};\n"
    (tmp_path / "f.c").write_text(text + "int main(void) { fwrite(f, 4, sizeof f / 4, stdout); return 0; }\n")
    subprocess.run(["gcc", *STRICT, "f.c", "-o", "f"], cwd=tmp_path, check=True)
    assert subprocess.run([str(tmp_path / "f")], capture_output=True, check=True).stdout == numbers.tobytes()
    assert c_float(float("nan")) == "NAN"


NET = """(float[1,16,8,8] x) => (float[1,16,8,8] y) { a = Conv (x, w) b = Relu (a) c = Conv (b, w) d = Relu (c) e = Conv (d, v) y = Softmax (e) }"""
WEIGHTS = {"w": (16, 16, 1, 1), "v": (16, 16, 1, 1)}


def emitted() -> dict[str, str]:
    graph = passes.optimize(small(NET, WEIGHTS))
    made = plan.make(graph, {name: LEVELS[name].core for name in ("v4", "v3", "v2")})
    return codegen.emit(made, dict.fromkeys(made.levels, ()), "test", codegen.Vectors())


def test_every_kernel_and_shape_is_there_once() -> None:
    files = emitted()
    for level in ("v4", "v3", "v2"):
        text = "".join(text for name, text in files.items() if name.startswith(f"steps_{level}"))
        assert len(re.findall(r"static .* void pointwise_f32_\d+\(", text)) == 2, "two with Relu share one, the last has none"
        assert len(re.findall(rf"^void {level}_step_\d+\(.*{{$", text, re.MULTILINE)) == len(re.findall(rf", {level}_step_\d+,", text)) == 6
        assert "(1, 1, 8, 8, 16)" in text and "(1, 16, 16)" in text, "the shape stands on every pointer"


def test_a_file_names_the_activations_that_it_applies() -> None:
    """Of the others the compiler sees nothing: a step that applied one would trap."""
    for name, text in emitted().items():
        if name.startswith("steps_"):
            applied = set(re.findall(r"\.act2? = \{(ACT_\w+)", text))
            assert applied == set(re.findall(r"1u << (ACT_\w+)", text.split("#include")[0]))


def test_the_text_is_the_same_every_time() -> None:
    assert emitted() == emitted()


def test_weights_lie_where_the_steps_say() -> None:
    made: Plan = plan.make(passes.optimize(small(NET, WEIGHTS)), {"v4": LEVELS["v4"].core})
    packed = codegen.packed_weights(made)
    for constant in made.constants.values():
        assert constant.offset % 64 == 0
        assert packed[constant.offset : constant.offset + constant.data.nbytes] == constant.data.tobytes()


def test_levels_of_equal_code_share_the_lowest_one() -> None:
    """Three levels of one core: every function stands once, in the lowest level's file, and three tables name it."""
    neon = LEVELS["neon"].core
    made = plan.make(passes.optimize(small(NET, WEIGHTS)), {"fp16": neon, "dotprod": neon, "base": neon})
    files = codegen.emit(made, dict.fromkeys(made.levels, ()), "test", codegen.Vectors())
    texts = {level: "".join(text for name, text in files.items() if name.startswith(f"steps_{level}")) for level in made.levels}
    bodies = {level: len(re.findall(r"^void \w+_step_\d+\(.*{$", text, re.MULTILINE)) for level, text in texts.items()}
    assert bodies == {"fp16": 0, "dotprod": 0, "base": len(made.steps)}
    for level, text in texts.items():
        assert re.findall(r", (\w+_step_\d+), ", text.split(f"edge_steps_{level}[] = ")[1]) == [f"base_step_{i}" for i in range(len(made.steps))]


@pytest.mark.slow
def test_a_model_of_hostile_names_builds_and_runs(tmp_path: Path) -> None:
    model = proto("(float[1,3,8,8] x) => (float[1,5,8,8] y) { a = Conv (x, w) b = Exp (a) y = Neg (b) }", {"w": (5, 3, 1, 1)})
    table = {"x": '"; system("x"); //', "a": "*/ evil \\\n", "b": "??/\n\x01é", "y": "%n%s\x1b[2J", "w": "/* \\"}
    for node in model.graph.node:
        node.name, node.doc_string = "*/\n\\ ACT_NO_SUCH", "*/"
        for names in (node.input, node.output):
            names[:] = [table[name] for name in names]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = table[value.name]
    model.graph.name = '*/ "\\\n'
    onnx.save(model, tmp_path / "net.onnx")
    made = edge.build(tmp_path / "net.onnx", out=tmp_path / "net.edge")
    assert edge.load(made.path).run({table["x"]: np.zeros((1, 3, 8, 8), np.float32)})[table["y"]].tolist() == np.full((1, 5, 8, 8), -1.0).tolist()
