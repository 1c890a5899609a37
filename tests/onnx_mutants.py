"""Mutants of .onnx files: what a careless exporter, a bad copy or an attacker could change, field by field, from a seed.

They are read as `edge build` does, up to the plan.  See fuzz.py.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import Message

from edge import converters, passes, plan, targets
from edge.errors import EdgeError
from edge.graph.reading import messages
from edge.plan.cores import cores_of
from graphs import proto

EXTREMES = (0, 1, -1, 2, 7, 8, 9, 255, 2**15, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, -(2**31), -(2**63))
TEXTS = (
    "",
    "x",
    "y",
    "a",
    "w",
    "Relu",
    "If",
    "Loop",
    "Constant",
    "Shape",
    "\0",
    "\x1b[31m",
    "\u202e",
    "../w",
    "é" * 3,
    "n" * 5000,
    "edge",
    "ai.onnx",
)
ENDING, SMALL = ".onnx", 1 << 20


def seeds() -> list[onnx.ModelProto]:
    """Small good models that together hold every kind of field."""
    conv = proto(
        "(float[1,3,8,8] x) => (float[1,4] y) { a = Conv <pads = [1,1,1,1]> (x, w, b)  c = BatchNormalization (a, s, s, s, v) d = Relu (c) "
        "e = MaxPool <kernel_shape = [2,2]> (d)  f = ReduceMean (e, ax)  y = Reshape (f, sh) }",
        {"w": (4, 3, 3, 3), "b": (4,), "s": (4,), "v": (4,), "ax": np.array([2, 3]), "sh": np.array([1, -1])},
    )
    sized = proto(
        "(float[N,2,2] x) => (float[N,K] y) { s = Shape (x)  z = Constant <value = int64[1] {0}> ()  n = Gather (s, z) "
        "m = Constant <value_ints = [-1]> ()  t = Concat <axis = 0> (n, m)  r = Reshape (x, t)  y = Gemm <transB = 1, alpha = 0.5> (r, w, c) }",
        {"w": (3, 4), "c": (3,)},
        opset=13,
    )
    branch = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17, "mine": 1]>
        net (float[1,4] x, bool c) => (float[1,4] y) {
          a = mine.Twice (x)
          b = mine.Scaled <by = 2.0> (a)
          y = If (c) <then_branch = t () => (float[1,4] p) { p = Neg (b) }, else_branch = e () => (float[1,4] q) { q = Abs (b) }>
        }
        <domain: "mine", opset_import: ["": 17]> Twice (a) => (b) { b = Add (a, a) }
        <domain: "mine", opset_import: ["": 17, "mine": 1]> Scaled <by> (a) => (b) {
          k = Constant <value_float: float = @by> ()  c = mine.Twice (a)  b = Mul (c, k) }""")
    old = proto("(float[1,4,2,2] x) => (float[1,4,2,2] y) { a = Dropout <is_test = 1> (x)  b = Add <broadcast = 1, axis = 1> (a, w)  "
        "y = Clip <max = 6.0> (b) }",
                {"w": (4,)}, opset=6)  # fmt: skip
    slices = proto("(float[1,6,4] x) => (float[1,4,6] y, float[1,2,4] z) { a, z = Split <axis = 1> (x, n)  b = Slice (x, i, j, k)  p = Pad (b, q) "
                   "y = Transpose <perm = [0,2,1]> (p) }",
                   {"n": np.array([4, 2]), "i": np.array([0]), "j": np.array([4]), "k": np.array([1]),
         "q": np.array([0, 1, 0, 0, 1, 0])})  # fmt: skip
    external = proto("(float[1,4] x) => (float[1,4] y) { y = MatMul (x, w) }", {"w": (4, 4)})
    tensor = external.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, text in (("location", "w.bin"), ("offset", "16"), ("length", "64")):
        tensor.external_data.add(key=key, value=text)
    scale, zero = np.array(0.1, np.float32), np.array(3, np.uint8)
    quantized = proto(
        "(float[1,3,6,6] x) => (float[1,5] y) { q = QuantizeLinear (x, s, z)  c = QLinearConv (q, s, z, w, s, k, s, z, b) "
        "a = com.microsoft.QLinearAdd (c, s, z, c, s, z, s, z)  p = com.microsoft.QLinearGlobalAveragePool <channels_last = 0> (a, s, z, s, z) "
        "f = Flatten (p)  y = com.microsoft.QGemm <transB = 1> (f, s, z, m, s, k, b) }",
        {
            "s": scale,
            "z": zero,
            "k": np.array(0, np.int8),
            "w": np.arange(-67, 68).reshape(5, 3, 3, 3).astype(np.int8),
            "m": np.arange(-12, 13).reshape(5, 5).astype(np.int8),
            "b": np.arange(5).astype(np.int32),
        },
    )
    quantized.opset_import.add(domain="com.microsoft", version=1)
    return [conv, sized, branch, old, slices, external, quantized]


def changed(model: onnx.ModelProto, draw: random.Random, others: list[onnx.ModelProto]) -> onnx.ModelProto:
    """One to three changes of random fields."""
    made = onnx.ModelProto.FromString(model.SerializeToString())
    for _ in range(draw.randint(1, 3)):
        parts = [item for item in messages(made) if item.DESCRIPTOR.fields]
        draw.choice(CHANGES)(draw.choice(parts), draw, others)
    return made


def _fields(item: Message) -> list[object]:
    return list(item.DESCRIPTOR.fields)


def _delete(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    if present := [kind for kind, _ in item.ListFields()]:
        item.ClearField(draw.choice(present).name)


def _repeat(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    """Double, drop or exchange entries of a list."""
    if not (lists := [kind for kind, _ in item.ListFields() if kind.is_repeated]):
        return
    values = getattr(item, draw.choice(lists).name)
    entries = list(values)
    how = draw.randrange(4)
    if how == 0:
        entries.append(draw.choice(entries))
    elif how == 1:
        entries.pop(draw.randrange(len(entries)))
    elif how == 2:
        draw.shuffle(entries)
    else:
        entries = entries * draw.choice((2, 70))
    copies = [type(e).FromString(e.SerializeToString()) if isinstance(e, Message) else e for e in entries]
    del values[:]
    values.extend(copies)


def _number(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    numbers = [
        kind for kind in item.DESCRIPTOR.fields if kind.cpp_type in (kind.CPPTYPE_INT32, kind.CPPTYPE_INT64, kind.CPPTYPE_UINT64, kind.CPPTYPE_ENUM)
    ]
    if not numbers:
        return
    kind, value = draw.choice(numbers), draw.choice((*EXTREMES, draw.randrange(30)))
    try:
        if kind.is_repeated:
            values = getattr(item, kind.name)
            values.append(value) if not values or draw.random() < 0.3 else values.__setitem__(draw.randrange(len(values)), value)
        else:
            setattr(item, kind.name, value)
    except (ValueError, OverflowError):
        pass  # does not fit the field


def _float(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    if floats := [kind for kind in item.DESCRIPTOR.fields if kind.cpp_type == kind.CPPTYPE_FLOAT and not kind.is_repeated]:
        setattr(item, draw.choice(floats).name, draw.choice((float("nan"), float("inf"), 0.0, -1.0, 1e38)))


def _text(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    texts = [kind for kind in item.DESCRIPTOR.fields if kind.type in (kind.TYPE_STRING, kind.TYPE_BYTES)]
    if not texts:
        return
    kind, word = draw.choice(texts), draw.choice(TEXTS)
    value = word.encode() if kind.type == kind.TYPE_BYTES else word
    if kind.is_repeated:
        values = getattr(item, kind.name)
        values.append(value) if not values or draw.random() < 0.2 else values.__setitem__(draw.randrange(len(values)), value)
    else:
        setattr(item, kind.name, value)


def _op(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    """Another op for a node; another model's part for any part."""
    if isinstance(item, onnx.NodeProto):
        item.op_type = draw.choice([schema.name for schema in onnx.defs.get_all_schemas()])


def _swap(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    same = [part for model in others for part in messages(model) if type(part) is type(item)]
    if same and not isinstance(item, onnx.ModelProto):
        item.CopyFrom(draw.choice(same))


def _recursive(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    """A function that calls itself, or another that calls it."""
    if isinstance(item, onnx.ModelProto) and item.functions:
        one, other = draw.choice(item.functions), draw.choice(item.functions)
        one.node.add(op_type=other.name, domain=other.domain, input=one.input, output=["looped"])
        if not any(entry.domain == other.domain for entry in one.opset_import):
            one.opset_import.add(domain=other.domain, version=1)


def _external(item: Message, draw: random.Random, others: list[onnx.ModelProto]) -> None:
    if isinstance(item, onnx.TensorProto):
        item.data_location = onnx.TensorProto.EXTERNAL
        key = draw.choice(("location", "offset", "length", "checksum", "basepath"))
        item.external_data.add(
            key=key, value=draw.choice(("w.bin", "link.bin", "hard.bin", "dir", "../w.bin", "-1", "0", "99999999999999999999", "1e3", "٣", "\0"))
        )


CHANGES: tuple[Callable[[Message, random.Random, list[onnx.ModelProto]], None], ...] = (
    _delete, _repeat, _number, _number, _float, _text, _op, _swap, _recursive, _external,
)  # fmt: skip


def prepare(folder: Path) -> Path:
    """Data for external tensors: a file, a link out, a hard link, a folder."""
    inside = folder / "inside"
    (inside / "dir").mkdir(parents=True)
    (folder / "outside.bin").write_bytes(b"\0" * 4096)
    (inside / "w.bin").write_bytes(b"\0" * 4096)
    (inside / "link.bin").symlink_to(folder / "outside.bin")
    (inside / "hard.bin").hardlink_to(folder / "outside.bin")
    return inside


GOOD = functools.cache(seeds)


def mutant(draw: random.Random) -> bytes:
    return changed(draw.choice(GOOD()), draw, GOOD()).SerializeToString()


def read(path: Path) -> None:
    """Up to the plan, and once through the original."""
    source = _read(path)
    graph = passes.optimize(source.model)
    plan.make(graph, CORES)
    source.run({v.name: np.ones(v.shape.numpy(), v.dtype.numpy()) for v in source.model.graph.inputs if np.prod(v.shape.numpy()) < SMALL})


def _read(path: Path) -> converters.Source:
    try:
        return converters.read(path)
    except EdgeError as error:
        if "shape of" not in str(error) or "open" not in str(error):
            raise
    return converters.read(path, input_shapes={"x": (2, 2, 2)})


CORES = cores_of(targets.load("rpi4"))
