"""What a step asks of a core, whatever the core: multiply-adds with the padding that is computed too, and the other vector instructions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from edge.ops.builder import elements
from edge.steps import Plan, Step, Value

#: kernel -> its class in a profile's `efficiency`
KINDS = {
    "pointwise_f32": "pointwise",
    "conv_f32": "convolution",
    "depthwise_f32": "depthwise",
    "fc_f32": "fc",
    "matmul_f32": "fc",
}
#: kernel -> vector instructions an element, of the larger of its input and output
PER_ELEMENT = {
    "binary_f32": 1,
    "channels_f32": 4,
    "copy_f32": 4,
    "copy_u8": 1,
    "global_pool_f32": 1,
    "pool_f32": 1,
    "reduce_f32": 1,
    "softmax_f32": 45,
    "unary_f32": 0,
}
#: activation -> vector instructions an element, counted in kernels/vector.h; a division or a root as eight, a call of libm as 50 a lane
ACTIVATIONS = {
    "NONE": 0, "RELU": 1, "CLIP": 2, "LEAKY_RELU": 3, "ELU": 22, "HARD_SIGMOID": 3, "HARD_SWISH": 4, "SIGMOID": 27, "SILU": 28, "TANH": 38,
    "GELU": 23, "GELU_TANH": 33, "ERF": 19, "EXP": 19, "ABS": 1, "NEG": 1, "SQRT": 8, "RECIPROCAL": 8, "SQUARE": 1, "SCALE_SHIFT": 1,
    "LOG": 200, "FLOOR": 4,
}  # fmt: skip
BINARY = {"BINARY_DIV": 8, "BINARY_POW": 200, "BINARY_PRELU": 3}
#: parameters whose product is how often every packed weight is used
POSITIONS = {
    "pointwise_f32": ("images", "pixels"),
    "conv_f32": ("images", "oh", "ow"),
    "depthwise_f32": ("images", "oh", "ow"),
    "fc_f32": ("rows",),
}


@dataclass(frozen=True)
class Work:
    """kind: one of targets.profile.CLASSES.  macs: with the unused lanes of the last channel block.  instructions: others, times elements."""

    kind: str
    macs: int
    instructions: int


def work(step: Step, plan: Plan) -> Work:
    """What `step` of `plan` computes; a kernel that is not known counts as one instruction an element."""
    params = dict(step.params)
    out = _elements(plan, step.output)
    most = max([out, *(_elements(plan, view.buffer) for view in step.inputs)])
    each = PER_ELEMENT.get(step.kernel, 0 if step.kernel in KINDS else 1)
    if step.kernel == "pool_f32":
        most, each = out, _number(params, "kh") * _number(params, "kw")
    each = BINARY.get(str(params.get("op")), each)
    after = _activation(params, "act") + _activation(params, "act2") + sum(name == "residual" for name, _ in step.args)
    return Work(KINDS.get(step.kernel, "elementwise"), max(step.macs, _padded(step, plan, params)), each * most + after * out)


def _padded(step: Step, plan: Plan, params: Mapping[str, Value]) -> int:
    """Packed weights times the positions they are used at: what the kernel multiplies, zeros included."""
    weights = plan.constants.get(dict(step.args).get("w", ""))
    if weights is None or step.kernel not in POSITIONS:
        return 0
    return weights.data.size * prod(_number(params, name) for name in POSITIONS[step.kernel])


def _elements(plan: Plan, name: str) -> int:
    return elements(plan.buffers[name]) if name in plan.buffers else 0


def _number(params: Mapping[str, Value], name: str) -> int:
    value = params.get(name, 1)
    return max(0, value) if isinstance(value, int) else 1


def _activation(params: Mapping[str, Value], field: str) -> int:
    found = re.match(r"\{ACT_(\w+)", str(params.get(field, "")))
    return ACTIVATIONS.get(found[1], 1) if found else 0
