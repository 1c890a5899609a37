"""Our op domain `edge`: each op carries a model-local function body of standard ops, so every ONNX runtime can run it.

Add an op: one entry in BODIES.  Function variants get their own names, never ONNX `overload` (onnx.reference ignores it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.bits import BITS
from edge.graph.integer_neurons import INTEGER_NEURONS
from edge.graph.neurons import NEURONS

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

DOMAIN = "edge"
VERSION = 1

#: y = clamp(round(v), low, high) + y_zero in the type of y_zero: how every integer op ends (edge.words.quant)
SETTLE = "c = Clip (v, low, high) n = Round (c) i = Cast <to = 6> (n) z = Cast <to = 6> (y_zero) u = Add (i, z) y = CastLike (u, y_zero)"
REQUANTIZE = f"f = Cast <to = 1> (t) v = Mul (f, scale) {SETTLE}"
#: both sides as int32, for MatMul: on x86 CPUs without VNNI ONNX Runtime's MatMulInteger saturates at int16
#: [onnxruntime, docs/quantization: U8S8 saturation; issue 6004]
WIDER = "a = Cast <to = 6> (x) az = Cast <to = 6> (x_zero) l = Sub (a, az) b = Cast <to = 6> (k) bz = Cast <to = 6> (w_zero) r = Sub (b, bz)"
LESS_ZEROS = "p = Cast <to = 6> (a) pz = Cast <to = 6> (a_zero) ps = Sub (p, pz) q = Cast <to = 6> (b) qz = Cast <to = 6> (b_zero) qs = Sub (q, qz)"
WINDOW = "strides: ints = @strides, pads: ints = @pads, dilations: ints = @dilations, kernel_shape: ints = @kernel_shape, group: int = @group"

#: op name -> its meaning as an ONNX function.
BODIES = {
    "Silu": "Silu (x) => (y) { s = Sigmoid (x)  y = Mul (x, s) }",  # y = x * sigmoid(x)   [Elfwing 2017, eq. 3]
    # integers: bias in steps of the sum, scale one number a channel (O, 1, 1) or (N)
    "QConv": "QConv <strides, pads, dilations, kernel_shape, group> (x, w, x_zero, w_zero, bias, scale, y_zero, low, high) => (y) "
    f"{{ s = ConvInteger <{WINDOW}> (x, w, x_zero, w_zero) t = Add (s, bias) {REQUANTIZE} }}",
    "QGemm": "QGemm (x, w, x_zero, w_zero, bias, scale, y_zero, low, high) => (y) "  # w: (N, K)
    f"{{ k = Transpose <perm = [1, 0]> (w) {WIDER} s = MatMul (l, r) t = Add (s, bias) {REQUANTIZE} }}",
    "QAdd": "QAdd (a, b, a_zero, b_zero, a_scale, b_scale, y_zero, low, high) => (y) "
    f"{{ {LESS_ZEROS} pf = Cast <to = 1> (ps) qf = Cast <to = 1> (qs) l = Mul (pf, a_scale) r = Mul (qf, b_scale) v = Add (l, r) {SETTLE} }}",
    "QMul": f"QMul (a, b, a_zero, b_zero, scale, y_zero, low, high) => (y) {{ {LESS_ZEROS} t = Mul (ps, qs) {REQUANTIZE} }}",
    "QTable": "QTable (x, table) => (y) { i = Cast <to = 7> (x) y = Gather (table, i) }",  # table[x], negative x from the end
    **BITS,
    **NEURONS,
    **INTEGER_NEURONS,
}


def use(model: ir.Model, op: str) -> None:
    """Make sure that `model` imports our domain and carries the body of `op`."""
    from onnx_ir import serde

    if any(known.domain == DOMAIN and known.name == op for known in model.functions.values()):
        return
    function = serde.deserialize_function(body_of(op, model.opset_imports[""]))
    model.functions[function.identifier()] = function
    model.opset_imports[DOMAIN] = VERSION


def body_of(op: str, opset: int) -> onnx.FunctionProto:
    """The meaning of `op` in ops of `opset`."""
    import onnx.parser

    function: onnx.FunctionProto = onnx.parser.parse_function(f'<domain: "{DOMAIN}", opset_import: ["": {opset}]> {BODIES[op]}')
    return function
