"""ONNX files of any opset that onnx can lift -> graph.  The file may be truncated or hostile: see graph/reading.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge import graph, passes
from edge.converters.attributes import check_types
from edge.converters.inputs import fix_inputs
from edge.converters.lifting import prepare, spell_out_defaults, tidy
from edge.converters.old_opsets import lifted_from_old
from edge.converters.old_resizes import say_where_resizes_read
from edge.converters.origins import keep_origin
from edge.converters.quantized_operators import spelled_out
from edge.converters.source import Array, Layers, Run, Source, safe_name
from edge.errors import EdgeError, spelled
from edge.graph import quantization, reading
from edge.graph.bits import LAYERS
from edge.graph.domain import BODIES, DOMAIN, body_of, use
from edge.graph.rewrite import is_op
from edge.graph.rewrite import names as value_names
from edge.graph.writing import to_bytes

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

FIRST_IR = 4  # from here on a weight need not be an input too
CONSTANTS_OF_ANY_TYPE = 9  # the opset from which a Constant need not be a float
MIN_OPSET = 20  # Gelu is one node from here on
BODY_OPSET = 18  # from here to MIN_OPSET no op that a body is made of changes its meaning
STANDARD = ("", "ai.onnx")


def read(spec: str, shapes: Mapping[str, tuple[int, ...]], weights: Path | None, example_inputs: object) -> Source:
    """The Source of an .onnx file."""
    if weights is not None:
        raise EdgeError(str(weights), "an ONNX file carries its own weights", f"leave {spelled('--weights', 'weights=')} out")
    path = Path(spec)
    data = reading.read(path)
    return from_bytes(data, shapes, origin=path.name, name=path.stem, folder=path.parent)


def from_bytes(data: bytes, shapes: Mapping[str, tuple[int, ...]], *, origin: str, name: str, folder: Path | None) -> Source:
    """The Source of a serialized ModelProto.  folder: where its external data may lie; None: there must be none."""
    original = spelled_out(_inlined(reading.parse(data, origin), origin))
    _check_domains(original, origin)
    _check_references(original, origin)
    check_types(original, origin)
    before = reading.deserialize(lifted_from_old(original, origin), origin, folder)
    _initializers_are_constants(before)
    if before.opset_imports.get("", 0) < CONSTANTS_OF_ANY_TYPE:
        _constants_are_initializers(before)
    keep_origin(before, None)
    for node in before.graph:
        if node.domain == DOMAIN:
            use(before, node.op_type)
    spell_out_defaults(before)
    fix_inputs(before, shapes, origin)
    before.graph.name = safe_name(name)
    quantization.check(before)
    graph.check(graph.infer(before, strict=False))
    model = lift(prepare(_with_branches_taken(before)), origin)
    graph.check(graph.infer(model, strict=False), weights=False)
    return Source(model, safe_name(name), origin, hashlib.sha256(data).hexdigest(), _runner(before), _layers(before))


def lift(model: ir.Model, where: str) -> ir.Model:
    """The same graph in opset 20 or newer (a new model when the opset changes)."""
    import onnx
    import onnx.version_converter

    opset, newest = model.opset_imports.get("", 0), onnx.defs.onnx_opset_version()
    if opset > newest:
        raise EdgeError(where, f"is of opset {opset}, this onnx knows up to {newest}", "pip install -U onnx onnx-ir")
    if opset >= MIN_OPSET:
        return model.clone()
    looped = next((node for node in model.graph if is_op(node, "Scan", "Loop")), None) if opset < BODY_OPSET else None
    if looped is not None:  # onnx's converter does not look into a body
        raise EdgeError(where, f"{looped.op_type} (node '{looped.name}') is of opset {opset}", f"export it with opset {BODY_OPSET} or newer")
    try:
        lifted = onnx.version_converter.convert_version(onnx.ModelProto.FromString(to_bytes(model)), MIN_OPSET)
    except (RuntimeError, ValueError, onnx.version_converter.ConvertError) as error:
        first = next(iter(str(error).strip().splitlines()), "no reason given")
        cure = f"export it with opset {MIN_OPSET} or newer"
        raise EdgeError(where, f"cannot be lifted from opset {opset} to {MIN_OPSET}: {first}", cure) from error
    new = reading.deserialize(lifted, where, None)
    _initializers_are_constants(new)
    _keep_metadata(model, new)
    new.metadata_props.update(model.metadata_props)
    tidy(new)
    say_where_resizes_read(model, new, where)
    new.graph.name = model.graph.name
    return new


def _inlined(proto: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """Model-local functions are spelled out; a node of our domain means what we say, whatever body the file gives it.

    Binary layers are spelled out as we mean them: the passes find them again, and look at what they are given.
    """
    import onnx.checker
    import onnx.inliner

    spelled = [function for function in proto.functions if function.domain != DOMAIN]
    opset = next((entry.version for entry in proto.opset_import if entry.domain == ""), 0)
    given = {node.op_type for node in proto.graph.node if node.domain == DOMAIN}
    spelled += [body_of(op, opset) for op in LAYERS if op in given]
    del proto.functions[:]
    proto.functions.extend(spelled)
    if not spelled:
        return proto
    try:
        inlined: onnx.ModelProto = onnx.inliner.inline_local_functions(proto)
    except (RuntimeError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        raise EdgeError(where, f"its functions cannot be inlined: {str(error).strip().splitlines()[0]}") from error
    return inlined


def _check_domains(proto: onnx.ModelProto, where: str) -> None:
    """Ops of domains that nobody here knows: all at once."""
    ours = {(DOMAIN, name) for name in BODIES}
    strange: dict[str, str] = {}
    for node in proto.graph.node:
        if node.domain not in STANDARD and (node.domain, node.op_type) not in ours:
            strange.setdefault(f"{node.domain}.{node.op_type}", node.name or (node.output[0] if node.output else ""))
    if strange:
        listed = ", ".join(f"{op} (node '{name}')" for op, name in sorted(strange.items()))
        raise EdgeError(where, f"holds ops that are not standard ONNX: {listed}", "export it without runtime-specific optimisation")


def _check_references(proto: onnx.ModelProto, where: str) -> None:
    """Only a function has parameters that an attribute may stand for."""
    for message in reading.messages(proto.graph):
        name = getattr(message, "ref_attr_name", "")
        if name:
            raise EdgeError(where, f"an attribute refers to '{name}', a parameter of no function", "the file is damaged")


def _with_branches_taken(model: ir.Model) -> ir.Model:
    """onnx's converter leaves the branches of an If in their old opset: those of a constant condition are taken before.  A copy where that is so."""
    if model.opset_imports.get("", 0) >= MIN_OPSET or not any(is_op(node, "If") for node in model.graph):
        return model
    copy = model.clone()
    passes.load("fold_constants").run(copy)
    return copy


def _initializers_are_constants(model: ir.Model) -> None:
    """IR versions before 4 list the weights among the inputs, as defaults that may be overridden: nobody does.  Later ones need not list them."""
    model.ir_version = max(model.ir_version or 0, FIRST_IR)
    for value in [value for value in model.graph.inputs if value.is_initializer()]:
        model.graph.inputs.remove(value)


def _constants_are_initializers(model: ir.Model) -> None:
    """Old Constant nodes may hold floats only; exporters wrote shapes into them all the same, and every runtime takes them."""
    for node in [node for node in model.graph if is_op(node, "Constant")]:
        value, held = node.outputs[0], node.attributes.get("value")
        if value.name and held is not None and held.type.name == "TENSOR" and not value.is_graph_output():
            tensor = held.as_tensor()
            made = _initializer(value.name, tensor)
            value.replace_all_uses_with(made)
            model.graph.remove(node, safe=True)
            model.graph.register_initializer(made)


def _initializer(name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """The value of an initializer that holds `tensor`."""
    import onnx_ir as ir

    held = ir.Tensor(tensor.numpy(), name=name)
    return ir.Value(name=name, shape=held.shape, type=ir.TensorType(held.dtype), const_value=held)


def _keep_metadata(old: ir.Model, new: ir.Model) -> None:
    by_output = {node.outputs[0].name: node for node in old.graph}
    for node in new.graph:
        if (before := by_output.get(node.outputs[0].name)) is not None:
            node.name = before.name
            node.metadata_props.update(before.metadata_props)
        else:
            node.name = node.name or node.outputs[0].name


def _runner(model: ir.Model) -> Run:
    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return graph.evaluate(model, inputs)

    return run


def _layers(model: ir.Model) -> Layers:
    def layers(inputs: Mapping[str, Array], names: Sequence[str] | None) -> dict[str, Array]:
        import onnx_ir as ir

        tensors = [v.name or "" for node in model.graph for v in node.outputs if v.name and not isinstance(v.type, ir.SequenceType)]
        known = value_names(model)
        return graph.evaluate(model, inputs, tensors if names is None else [name for name in names if name in known])

    return layers
