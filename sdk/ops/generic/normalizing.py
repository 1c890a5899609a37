"""Ops that compare an element with statistics of its neighbours: softmax, local response, given statistics."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import INSIDE, Code, Work, dense, dtype_of, refused, shape_of
from edge.words.loops import Index, Reduce

if TYPE_CHECKING:
    import onnx_ir as ir


def softmax(logarithm: bool, node: ir.Node) -> list[Work]:
    """exp(x - max) / sum, or its logarithm x - max - log(sum), along one axis."""
    x = shape_of(node.inputs[0])
    axis, steps = rewrite.integer(node, "axis", -1) % len(x), dense(x)
    order = [*(i for i in range(len(x)) if i != axis), axis]
    kept = dense([x[i] for i in order[:-1]])
    turned = [*kept, 0]
    walk = [0 if i == axis else kept[order.index(i)] for i in range(len(x))]
    code = Code(node, tuple(x[i] for i in order))
    highest = code.work(code.load(0, [steps[i] for i in order]), reduced=1, reduce=Reduce.MAX, output=INSIDE)
    code = Code(node, tuple(x[i] for i in order))
    apart = code.call("sub", code.load(0, [steps[i] for i in order]), code.load(highest, turned))
    total = code.work(code.call("exp", apart), reduced=1, reduce=Reduce.SUM, output=INSIDE)
    code = Code(node, x)
    apart = code.call("sub", code.load(0, steps), code.load(highest, walk))
    whole = code.load(total, walk)
    value = code.call("sub", apart, code.call("log", whole)) if logarithm else code.call("div", code.call("exp", apart), whole)
    return [highest, total, code.work(value)]


def local_response(node: ir.Node) -> list[Work]:
    """y = x / (bias + alpha / size * sum of x² over `size` channels around)^beta."""
    x, size = shape_of(node.inputs[0]), rewrite.integer(node, "size", 1)
    steps, front = dense(x), (size - 1) // 2
    code = Code(node, (*x, size))
    place = code.plus(code.call("add", code.axis(1), code.axis(len(x))), -front)
    value = code.load(0, [0 if i == 1 else step for i, step in enumerate(steps)], index=[Index(code.clamped(place, x[1]), steps[1], x[1])])
    square = code.call("select", code.inside(place, x[1]), code.call("mul", value, value), code.number(0, code.dtype(value)))
    after = code.after(code.dtype(value))
    alpha, beta, bias = (rewrite.number(node, name, default) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    scaled = after.call("mul", 0, after.number(alpha / size, after.dtype(0)))
    root = after.call("pow", after.call("add", scaled, after.number(bias, after.dtype(0))), after.number(beta, after.dtype(0)))
    after.call("div", after.load(0, steps), root)
    return [code.work(square, reduced=1, reduce=Reduce.SUM, then=after)]


def batch_norm(node: ir.Node) -> list[Work]:
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias by channel, with given statistics."""
    if rewrite.integer(node, "training_mode", 0):
        raise refused(node, "training mode has no kernel", "export it in eval mode")
    x = shape_of(node.inputs[0])
    code = Code(node, x)
    channel = [int(i == 1) for i in range(len(x))]
    kind = dtype_of(node.inputs[0])
    scale, bias, mean, var = (code.cast(code.load(i, channel), kind) for i in range(1, 5))
    spread = code.call("sqrt", code.call("add", var, code.number(rewrite.number(node, "epsilon", 1e-5), kind)))
    apart = code.call("sub", code.load(0, dense(x)), mean)
    return [code.work(code.call("add", code.call("mul", code.call("div", apart, spread), scale), bias))]


GENERIC = {
    "Softmax": partial(softmax, False),
    "LogSoftmax": partial(softmax, True),
    "LRN": local_response,
    "BatchNormalization": batch_norm,
}
