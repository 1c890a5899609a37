"""Every kernel's record says what its C struct says, every post of a group reaches a kernel, and no C stands in a plan."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from enum import Enum

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from compiled import LEVELS
from edge import passes, plan
from edge.codegen import activations_file
from edge.kernels import kernels
from edge.kernels.record import EPILOGUE, Field, Kernel
from edge.ops import lowerings
from edge.ops.builder import Builder
from edge.ops.group import Group
from edge.ops.quantized import INTEGERS
from edge.targets.profile import CLASSES
from edge.words.dtype import FACTS, Dtype
from edge.words.plan import Plan
from edge.words.post import ACTIVATIONS, ADD, Post, activation, instructions
from graphs import small
from house import ROOT

SOURCES = ROOT / "targets" / "kernels"
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def struct_fields(name: str) -> tuple[set[str], set[str], dict[str, int]]:
    """(const pointers, other pointers, number or post -> array length) of `struct NAME` in its C source; x[2] is x[0] and x[1]."""
    text = COMMENT.sub("", (SOURCES / f"{name}.c").read_text())
    body = re.search(rf"struct {name} \{{(.*?)\n\}};", text, re.DOTALL)
    assert body is not None
    reads: set[str] = set()
    writes: set[str] = set()
    numbers: dict[str, int] = {}
    for declaration in body[1].split(";"):
        words = " ".join(declaration.split())
        if not words:
            continue
        kind, names = re.fullmatch(r"((?:const )?(?:struct )?\w+) (.*)", words).groups()  # type: ignore[union-attr]
        for item in names.split(","):
            star, field, length = re.fullmatch(r"\s*(\*?)(\w+)(?:\[(\d+)\])?\s*", item).groups()  # type: ignore[union-attr]
            if star:
                each = {f"{field}[{i}]" for i in range(int(length))} if length else {field}
                (reads if kind.startswith("const") else writes).update(each)
            else:
                numbers[field] = int(length or 0)
    return reads, writes, numbers


@pytest.mark.parametrize("name", sorted(name for name, record in kernels().items() if not record.generic))
def test_a_record_is_its_struct(name: str) -> None:
    record = kernels()[name]
    reads, writes, numbers = struct_fields(name)
    assert {*record.reads, *record.weights} == reads and writes == set(record.writes)
    assert {f.name: f.length for f in record.numbers} | {f: 0 for f in record.fields if isinstance(f, str)} == numbers
    acts = [slot.field for slot in record.posts if slot.takes != ADD]
    assert [field for field in record.fields if isinstance(field, str)] == acts
    assert record.work in CLASSES and set(record.positions) <= numbers.keys()


def test_every_source_has_a_record_and_an_op() -> None:
    sources = {path.stem for path in SOURCES.glob("*.c")}
    assert sources == {name for name, record in kernels().items() if not record.generic}
    called = {name for lowering in (*lowerings().values(), *INTEGERS.values()) for name in lowering.kernels}
    called |= {"channels_f32", "copy_u8", "events_f32", "dense_events_f32", "pool_events_f32"}
    assert called == sources, "these are called where a form is needed, every other kernel by an op"


def with_headers(name: str) -> str:
    """A source with what it includes."""
    text = (SOURCES / name).read_text() if (SOURCES / name).exists() else ""
    return text + "".join(with_headers(inner) for inner in re.findall(r'#include "(\w+\.h)"', text))


@pytest.mark.parametrize("record", [k for k in kernels().values() if any(f.enum for f in k.numbers)], ids=lambda k: k.name)
def test_enumerators_are_those_of_the_source(record: Kernel) -> None:
    for field in record.numbers:
        if field.enum is not None:
            prefix = field.enum.__name__
            listed = re.search(rf"enum {prefix.lower()} \{{(.*?)\}}", with_headers(f"{record.name}.c"), re.DOTALL)
            assert listed is not None
            assert [word.strip() for word in listed[1].split(",")] == [f"{prefix.upper()}_{member.name}" for member in field.enum]
            assert list(map(int, field.enum)) == list(range(len(field.enum)))


# ---- posts


def test_every_activation_has_its_c() -> None:
    (text,) = activations_file().values()
    cases = dict(re.findall(r"^    KIND\((\w+)\) return (.*);$", text, re.MULTILINE))
    assert cases == {"NONE": "v"} | {kind.upper(): row.c for kind, row in ACTIVATIONS.items()}
    listed = re.search(r"INLINE int is_long\(struct act f\) \{(.*?)\}", text, re.DOTALL)
    assert listed is not None
    assert {f"ACT_{kind.upper()}" for kind, row in ACTIVATIONS.items() if row.long} == set(re.findall(r"ACT_\w+", listed[1]))


#: kind -> (op, attributes, numbers) where the op is standard ONNX
STANDARD = {
    "relu": ("Relu", {}, ()),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.1}, (0.1,)),
    "elu": ("Elu", {"alpha": 0.7}, (0.7,)),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, (0.3, 0.4)),
    "hard_swish": ("HardSwish", {}, ()),
    "sigmoid": ("Sigmoid", {}, ()),
    "tanh": ("Tanh", {}, ()),
    "gelu": ("Gelu", {}, ()),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}, ()),
    "erf": ("Erf", {}, ()),
    "exp": ("Exp", {}, ()),
    "abs": ("Abs", {}, ()),
    "neg": ("Neg", {}, ()),
    "sqrt": ("Sqrt", {}, ()),
    "reciprocal": ("Reciprocal", {}, ()),
    "log": ("Log", {}, ()),
    "floor": ("Floor", {}, ()),
}
#: kind -> (numbers, the same in numpy), for those that ONNX writes with several nodes
OTHERS = {
    "clip": ((-0.5, 1.5), lambda x: np.clip(x, -0.5, 1.5)),
    "silu": ((), lambda x: x / (1 + np.exp(-x))),
    "square": ((), lambda x: x**2),
    "scale_shift": ((2.0, -1.0), lambda x: 2 * x - 1),
    "binarize": ((), lambda x: 2.0 * (x >= 0) - 1),
    "binarize_above": ((), lambda x: 2.0 * (x > 0) - 1),
}


@pytest.mark.parametrize("kind", sorted(ACTIVATIONS))
def test_the_meaning_of_an_activation_is_that_of_onnx(kind: str) -> None:
    x = np.linspace(-4, 4, 81) + 0.013
    x = np.abs(x) if kind in ("sqrt", "log") else x
    if kind in STANDARD:
        op, attributes, numbers = STANDARD[kind]
        node = onnx.helper.make_node(op, ["x"], ["y"], **attributes)
        info = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.DOUBLE, [81]) for n in "xy"]
        model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", info[:1], info[1:]), opset_imports=[onnx.helper.make_opsetid("", 22)])
        want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    else:
        numbers, meaning = OTHERS[kind]
        want = meaning(x)
    a, b = (*numbers, 0.0, 0.0)[:2]
    np.testing.assert_allclose(ACTIVATIONS[kind].meaning(x, a, b), want, rtol=1e-6, atol=1e-6)  # the reference computes erf in float32


RELU, SUM = activation("relu"), Post(ADD, operands=("residual",))


@pytest.mark.parametrize(
    ("posts", "fields"),
    [
        ((), {}),
        ((RELU,), {"act": RELU}),
        ((SUM,), {"residual": SUM}),
        ((SUM, RELU), {"residual": SUM, "act2": RELU}),
        ((RELU, SUM, RELU), {"act": RELU, "residual": SUM, "act2": RELU}),
    ],
)
def test_posts_take_the_first_slots_that_fit(posts: tuple[Post, ...], fields: dict[str, Post]) -> None:
    assert Kernel("k", (), (), posts=EPILOGUE).slots(posts) == fields


@pytest.mark.parametrize("posts", [(SUM, SUM), (SUM, RELU, SUM), (RELU, SUM, RELU, RELU)])
def test_a_post_that_no_slot_takes_is_our_mistake(posts: tuple[Post, ...]) -> None:
    kinds = [post.kind for post in posts]
    with pytest.raises(RuntimeError) as caught:
        Kernel("k", (), (), posts=EPILOGUE).slots(posts)
    assert str(caught.value) == f"k cannot apply {kinds}: it takes ['activation', 'add', 'activation']"


def group(*posts: Post) -> Group:
    (node,) = small("(float[2,3] x) => (float[2,3] y) { y = Softmax (x) }").graph
    return Group(node, "y", ("y",), posts)


def test_a_lowering_cannot_forget_what_its_group_does() -> None:
    """Whatever a lowering passes on, the posts of the group are in the step, or there is no step."""
    build = Builder(16)
    build.hold("x", build.buffer("x", (2, 3)))
    numbers = {"outer": 2, "n": 3, "inner": 1, "logarithm": 0}
    with pytest.raises(RuntimeError, match=r"^softmax_f32 cannot apply \['relu'\]: it takes \[\]$"):
        build.step(group(RELU), "softmax_f32", {"x": "x"}, numbers)
    with pytest.raises(RuntimeError, match=r"^unary_f32 cannot apply \['add'\]: it takes \['activation'\]$"):
        build.step(group(Post(ADD, operands=("x",))), "unary_f32", {"x": "x"}, {"n": 6})
    with pytest.raises(RuntimeError, match=r"^fc_f32: the residual of Softmax is not an operand$"):
        fc = {"rows": 2, "k": 3, "n": 3, "whole": 0, "x_row": 3, "y_row": 3}
        build.step(group(Post(ADD, operands=("x",))), "fc_f32", {"x": "x"}, fc)
    build.step(group(), "softmax_f32", {"x": "x"}, numbers)


@pytest.mark.parametrize("numbers", [{"outer": 2, "n": 3, "inner": 1}, {"outer": 2, "n": 3, "inner": 1, "logarithm": 0, "mr": 4}])
def test_a_lowering_gives_every_field_and_no_other(numbers: dict[str, int]) -> None:
    build = Builder(16)
    build.hold("x", build.buffer("x", (2, 3)))
    with pytest.raises(RuntimeError, match=r"^softmax_f32 has the fields \['outer', 'n', 'inner', 'logarithm'\], not "):
        build.step(group(), "softmax_f32", {"x": "x"}, numbers)


# ---- plans


def values(thing: object) -> list[object]:
    """Every leaf of a plan, its names and titles left out."""
    if is_dataclass(thing) and not isinstance(thing, type):
        names = (
            "name",
            "op",
            "kernel",
            "covers",
            "source",
            "buffer",
            "field",
            "operands",
            "shares",
            "code",
            "inputs",
            "outputs",
            "delivered",
            "data",
        )
        kept = [f.name for f in fields(thing) if f.name not in names or (f.name == "operands" and hasattr(thing, "posts"))]
        return [leaf for name in kept for leaf in values(getattr(thing, name))]
    if isinstance(thing, dict):
        return [leaf for value in thing.values() for leaf in values(value)]
    if isinstance(thing, tuple):
        if len(thing) == 2 and isinstance(thing[0], str) and not isinstance(thing[0], Enum):
            return values(thing[1])  # a field and its number
        return [leaf for item in thing for leaf in values(item)]
    return [thing]


NET = """(float[1,16,9,9] x, float[1,16,1,1] g) => (float[1,16,11,9] y)
   { a = Conv <kernel_shape=[3,3], pads=[1,1,1,1]> (x, w) b = Clip (a, lo, hi) c = Add (b, x) d = Mul (c, g) e = MaxPool <kernel_shape=[1,1]> (d)
     f = Softmax (e) h = Elu (f) y = Pad (h, p, fill) }"""
WEIGHTS = {
    "w": (16, 16, 3, 3),
    "lo": np.array(-1.5, np.float32),
    "hi": np.array(2, np.float32),
    "p": np.array([0, 0, 1, 0, 0, 0, 1, 0]),
    "fill": np.array(0.5, np.float32),
}


def made() -> Plan:
    return plan.make(passes.optimize(small(NET, WEIGHTS)), {level: LEVELS[level].core for level in ("v4", "v3", "v2")})


def test_no_text_stands_in_a_plan() -> None:
    """Every value is an int, a float, an enum or None, and the kind of a post is one of the list."""
    leaves = values(made())
    assert len(leaves) > 100
    strange = [leaf for leaf in leaves if not isinstance(leaf, int | float | Enum | None) and leaf not in ("", ADD, *ACTIVATIONS, "w")]
    assert strange == []


def test_steps_name_each_result_once() -> None:
    names = [step.name for step in made().steps]
    assert len(names) == len(set(names))


def test_costs_and_types_are_complete() -> None:
    assert all(instructions(activation(kind)) > 0 for kind in ACTIVATIONS)
    assert set(FACTS) == set(Dtype) and all(np.dtype(d).itemsize * 8 == d.bits for d in Dtype if d != Dtype.B1)
    assert all(isinstance(field, Field | str) for kernel in kernels().values() for field in kernel.fields)
