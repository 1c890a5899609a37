"""model.json of a .pt2 archive, written anew from what we know: torch executes guards and evaluates sizes, and fx prints names into Python code.

Every value that comes out was checked; keys that are not here are dropped.  Numbers are numbers, names are Python identifiers, operators are torch's
own and free of effects outside of their results, sizes are static.
"""

from __future__ import annotations

import json
import keyword
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from edge.errors import listed

Json = Any  # what json.loads gives and json.dumps takes: checked value by value here
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,999}")
QUALIFIED = re.compile(r"(?!.*__class|.*__dict)[A-Za-z0-9_]{1,999}(\.[A-Za-z0-9_]{1,999}){0,99}")
NUMBER = re.compile(r"-?[0-9]{1,18}")
ATEN = re.compile(r"torch\.ops\.aten\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)")
HIGHER = {f"torch.ops.higher_order.{name}" for name in ("cond", "wrap_with_autocast", "wrap_with_set_grad_enabled")}
#: arguments of aten operators that may be texts; others name files
TEXTS = {
    "approximate", "driver", "equation", "indexing", "mode", "ord", "pad_mode", "padding", "padding_mode", "reduce", "rounding_mode", "side", "UPLO",
}  # fmt: skip
NESTS = {"builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
KEYED = {"builtins.dict", "collections.OrderedDict"}
KINDS: dict[type, str] = {
    dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a whole number", float: "a number", type(None): "null",
}  # fmt: skip
VERIFIERS = {"TRAINING", "ATEN", "EDGE"}
STRIDED, MAX_RANK, MAX_ELEMENTS, MAX_DEPTH, MOST = 7, 64, 2**31 - 1, 50, 2**63 - 1
FREE_ELEMENTS = 2**24  # that weights may claim beyond what the file holds: expanded ones
AGAIN = "export it again with torch.export.save"
STATIC = "export it with static shapes"
DAMAGED = "copy or export it again"


class Wrong(Exception):
    """what is wrong with the file, and the cure."""

    def __init__(self, what: str, cure: str = DAMAGED) -> None:
        self.what, self.cure = what, cure
        super().__init__(what)


def program(tree: Json) -> Json:
    """torch's schema.ExportedProgram.  Guards are dropped: they are code, and say what the static shapes say too."""
    module = _get(tree, "graph_module", dict)
    foreign = _foreign(_get(module, "graph", dict))
    if foreign:
        raise Wrong(f"calls what is not taken from a file: {listed(sorted(foreign))}", "write that part with aten operators, and export it again")
    calls = [entry for entry in _get(module, "module_call_graph", list) if isinstance(entry, dict) and entry.get("fqn") == ""]
    if len(calls) != 1:
        raise Wrong("does not say how it is called", AGAIN)
    version = _get(tree, "schema_version", dict)
    return {
        "graph_module": {
            "graph": _graph(_get(module, "graph", dict), 0),
            "signature": _signature(_get(module, "signature", dict)),
            "module_call_graph": [{"fqn": "", "signature": _call(_get(calls[0], "signature", dict))}],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "opset_version": {"aten": _integer(_get(tree, "opset_version", dict).get("aten"))},
        "range_constraints": {},
        "schema_version": {key: _integer(version.get(key)) for key in ("major", "minor")},
        "verifiers": [word for word in _list(tree.get("verifiers", [])) if isinstance(word, str) and word in VERIFIERS],
        "torch_version": _text(tree.get("torch_version", "")),
        "guards_code": [],
    }


def payloads(tree: Json, there: Mapping[str, int], size: int) -> Json:
    """torch's schema.PayloadConfig.  there: the members that hold raw tensors, with their sizes.  size: bytes of the whole archive."""
    made, claimed = {}, 0
    for name, item in _get(tree, "config", dict).items():
        path = _get(item, "path_name", str)
        if path not in there or item.get("use_pickle") is not False:
            raise Wrong(
                f"member '{path[:80]}' holds code, not tensors" if item.get("use_pickle") or "obj" in path else f"holds no '{path[:80]}'",
                "only plain tensors are loaded",
            )
        meta = _tensor(_get(item, "tensor_meta", dict))
        claimed += math.prod(n["as_int"] for n in meta["sizes"])
        made[_qualified(name)] = {"path_name": path, "is_param": _boolean(item.get("is_param")), "use_pickle": False, "tensor_meta": meta}
    if claimed > 4 * size + FREE_ELEMENTS:
        raise Wrong(f"claims {claimed} elements of weights but holds {size} bytes")
    return {"config": made}


def _graph(tree: Json, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise Wrong("nests its graphs too deeply")
    return {
        "inputs": [_argument(item, depth) for item in _get(tree, "inputs", list)],
        "outputs": [_argument(item, depth) for item in _get(tree, "outputs", list)],
        "nodes": [_node(item, depth) for item in _get(tree, "nodes", list)],
        "tensor_values": {_name(key): _tensor(item) for key, item in _get(tree, "tensor_values", dict).items()},
        **{key: {_name(name): _static(item) for name, item in _dict(tree.get(key, {})).items()} for key in ("sym_int_values",)},
        "sym_bool_values": _empty(tree, "sym_bool_values"),
        "sym_float_values": _empty(tree, "sym_float_values"),
        "custom_obj_values": _empty(tree, "custom_obj_values"),
        "is_single_tensor_return": _boolean(tree.get("is_single_tensor_return", False)),
    }


def _node(tree: Json, depth: int) -> Json:
    single, notes = tree.get("is_hop_single_tensor_return"), _dict(tree.get("metadata", {}))
    kinds = (None, 0, 1, 2)
    return {
        "target": _get(tree, "target", str),
        "inputs": [
            {
                "name": _name(item["name"]) if _get(item, "name", str) else "",
                "arg": _argument(_get(item, "arg", dict), depth),
                "kind": _one_of(item.get("kind"), kinds, "kind"),
            }
            for item in _get(tree, "inputs", list)
        ],
        "outputs": [_argument(item, depth) for item in _get(tree, "outputs", list)],
        "metadata": {key: _text(notes[key]) for key in ("stack_trace", "nn_module_stack") if notes.get(key)},
        "is_hop_single_tensor_return": None if single is None else _boolean(single),
        "name": None if tree.get("name") is None else _name(tree["name"]),
    }


def _foreign(graph: Json, depth: int = 0) -> set[str]:
    """The targets of all nodes, those of inner graphs too, that are not operators of torch without effects: all at once."""
    found: set[str] = set()
    for node in _get(graph, "nodes", list):
        target = _get(node, "target", str)
        if not (target in HIGHER or _harmless(target)):
            found.add(target[:80] or "''")
        for item in _get(node, "inputs", list):
            inner = _dict(_get(item, "arg", dict)).get("as_graph")
            if inner is not None and depth < MAX_DEPTH:
                found |= _foreign(_get(inner, "graph", dict), depth + 1)
    return found


def _harmless(target: str) -> bool:
    """Is it an aten operator whose texts are no file names?  Those of TorchScript open, write and print."""
    import torch

    if not (matched := ATEN.fullmatch(target)):
        return False
    packet = getattr(torch.ops.aten, matched[1], None)
    op = getattr(packet, matched[2], None) if isinstance(packet, torch._ops.OpOverloadPacket) else None
    if not isinstance(op, torch._ops.OpOverload):
        return False
    texts = {argument.name for argument in op._schema.arguments if "str" in str(argument.type) or str(argument.type) in ("t", "Any")}
    return texts <= TEXTS


def _signature(tree: Json) -> Json:
    specs = {
        "input_specs": {
            "user_input": lambda item: {"arg": _argument(_get(item, "arg", dict), 0)},
            "parameter": lambda item: {"arg": _reference(item), "parameter_name": _qualified(_get(item, "parameter_name", str))},
            "buffer": lambda item: {
                "arg": _reference(item),
                "buffer_name": _qualified(_get(item, "buffer_name", str)),
                "persistent": _boolean(item.get("persistent")),
            },
            "tensor_constant": lambda item: {"arg": _reference(item), "tensor_constant_name": _qualified(_get(item, "tensor_constant_name", str))},
        },
        "output_specs": {
            "user_output": lambda item: {"arg": _argument(_get(item, "arg", dict), 0)},
            "buffer_mutation": lambda item: {"arg": _reference(item), "buffer_name": _qualified(_get(item, "buffer_name", str))},
            "user_input_mutation": lambda item: {"arg": _reference(item), "user_input_name": _name(_get(item, "user_input_name", str))},
        },
    }
    return {key: [_union(item, known, "its signature") for item in _get(tree, key, list)] for key, known in specs.items()}


def _call(tree: Json) -> Json:
    names = tree.get("forward_arg_names")
    return {
        "inputs": [],
        "outputs": [],
        "in_spec": _spec(_get(tree, "in_spec", str), _name),  # names of keywords are printed into code
        "out_spec": _spec(_get(tree, "out_spec", str), _text),
        "forward_arg_names": None if names is None else [_name(name) for name in _list(names)],
    }


def _spec(text: str, key: Callable[[Json], str]) -> str:
    """How inputs or outputs are nested.  Other kinds of nests import the modules that they name."""
    value = json.loads(text)
    if not isinstance(value, list) or len(value) != 2 or value[0] != 1:
        raise Wrong("nests its inputs or outputs in an unknown way", AGAIN)
    return json.dumps([1, _nest(value[1], key, 0)])


def _nest(tree: Json, key: Callable[[Json], str], depth: int) -> Json:
    kind, children = _dict(tree).get("type"), _get(tree, "children_spec", list)
    if depth > MAX_DEPTH or (kind is not None and str(kind) not in NESTS):
        raise Wrong(f"its inputs or outputs are held in '{str(kind)[:80]}'", "give and return tensors, tuples, lists or dicts of them")
    if kind is None:
        return {"type": None, "context": None, "children_spec": []}
    keys = [key(name) for name in _list(json.loads(_get(tree, "context", str)))] if kind in KEYED else None
    if keys is not None and len(keys) != len(children):
        raise Wrong("nests its inputs or outputs in an unknown way", AGAIN)
    return {"type": kind, "context": json.dumps(keys), "children_spec": [_nest(item, key, depth + 1) for item in children]}


def _argument(tree: Json, depth: int) -> Json:
    if isinstance(tree, dict) and len(tree) == 1 and "as_graph" in tree:
        inner = tree["as_graph"]
        return {"as_graph": {"name": _name(_get(inner, "name", str)), "graph": _graph(_get(inner, "graph", dict), depth + 1)}}
    return _union(tree, ARGUMENTS, "an argument")


def _union(tree: Json, known: Mapping[str, Callable[[Json], Json]], what: str) -> Json:
    if not isinstance(tree, dict) or len(tree) != 1 or next(iter(tree)) not in known:
        kinds = ", ".join(str(key)[:40] for key in tree) if isinstance(tree, dict) else type(tree).__name__
        raise Wrong(f"{what} is of the unknown kind '{kinds}'", AGAIN)
    ((kind, value),) = tree.items()
    return {kind: known[kind](value)}


def _tensor(tree: Json) -> Json:
    sizes, strides = ([_static(n) for n in _get(tree, key, list)] for key in ("sizes", "strides"))
    if (
        len(sizes) != len(strides)
        or len(sizes) > MAX_RANK
        or math.prod(n["as_int"] for n in sizes) > MAX_ELEMENTS
        or any(n["as_int"] < 0 for n in sizes + strides)
    ):
        raise Wrong(
            f"a tensor has {len(sizes)} dimensions and {len(strides)} strides" if len(sizes) != len(strides) else "a tensor has impossible sizes"
        )
    if tree.get("layout") != STRIDED:
        raise Wrong("a tensor is not dense", "make it dense before exporting")
    return {
        "dtype": _integer(tree.get("dtype")),
        "sizes": sizes,
        "requires_grad": _boolean(tree.get("requires_grad")),
        "device": _device(_get(tree, "device", dict)),
        "strides": strides,
        "storage_offset": _static(tree.get("storage_offset")),
        "layout": STRIDED,
    }


def _device(tree: Json) -> Json:
    kind = _get(tree, "type", str)
    if kind != "cpu":
        raise Wrong(f"was exported on the device '{kind[:40]}'", "export it again after module.cpu(), with inputs on the CPU")
    return {"type": "cpu", "index": None}


def _static(tree: Json) -> Json:
    """A size: a number, also where it is written as an expression."""
    expression = _dict(tree).get("as_expr")
    if expression is None:
        return {"as_int": _integer(tree.get("as_int"))}
    text = str(_dict(expression).get("expr_str"))
    if not NUMBER.fullmatch(text):
        raise Wrong(f"has the symbolic size '{text[:80]}'", STATIC)
    return {"as_int": int(text)}


def _sym(kind: str, way: Callable[[Json], Json]) -> Callable[[Json], Json]:
    """A number, or the name of a value that holds one."""
    return lambda tree: {"as_name": _name(tree["as_name"])} if "as_name" in _dict(tree) else {kind: way(tree.get(kind))}


def _each(way: Callable[[Json], Json]) -> Callable[[Json], Json]:
    return lambda tree: [way(item) for item in _list(tree)]


def _reference(tree: Json) -> Json:
    return {"name": _name(_get(_get(tree, "arg", dict), "name", str))}


def _named(tree: Json) -> Json:
    return {"name": _name(_get(tree, "name", str))}


def _optional(tree: Json) -> Json:
    return _union(tree, {"as_none": _boolean, "as_tensor": _named}, "an argument")


def _name(text: Json) -> str:
    """Of a value: it is printed into Python code."""
    if not isinstance(text, str) or not IDENTIFIER.fullmatch(text) or keyword.iskeyword(text):
        raise Wrong(f"the name '{str(text)[:80]}' is not an identifier", AGAIN)
    return text


def _qualified(text: Json) -> str:
    """Of a weight: `layers.0.weight`."""
    if not isinstance(text, str) or not QUALIFIED.fullmatch(text):
        raise Wrong(f"the name '{str(text)[:80]}' is not that of a weight", AGAIN)
    return text


def _get(tree: Json, key: str, kind: type) -> Json:
    value = tree.get(key) if isinstance(tree, dict) else None
    if type(value) is not kind:
        raise Wrong(f"its '{key}' is {'missing' if value is None else _kind(value)}")
    return value


def _kind(value: Json) -> str:
    """As a person calls what JSON holds."""
    return KINDS.get(type(value), "something else")


def _dict(value: Json) -> Json:
    if not isinstance(value, dict):
        raise Wrong(f"{_kind(value)} stands where an object must be")
    return value


def _list(value: Json) -> Json:
    if not isinstance(value, list):
        raise Wrong(f"{_kind(value)} stands where a list must be")
    return value


def _empty(tree: Json, key: str) -> Json:
    """Values that are no tensors: sizes that are computed, objects of classes."""
    found = _dict(tree.get(key, {}))
    if found:
        raise Wrong(f"computes with {len(found)} values that are not tensors ('{next(iter(found))[:80]}')", STATIC)
    return {}


def _integer(value: Json) -> int:
    if type(value) is not int:
        raise Wrong(f"{_kind(value)} stands where a whole number must be")
    if not -MOST <= value <= MOST:
        raise Wrong("a whole number has more than 64 bits")
    return value


def _boolean(value: Json) -> bool:
    if type(value) is not bool:
        raise Wrong(f"{_kind(value)} stands where true or false must be")
    return value


def _number(value: Json) -> float | str:
    """JSON has no infinities: torch writes them as texts."""
    if type(value) not in (int, float) and value not in ("Infinity", "-Infinity", "NaN"):
        raise Wrong(f"{_kind(value)} stands where a number must be")
    number = float(value) if type(value) is not int or abs(value) < 2**1000 else math.inf
    return number if math.isfinite(number) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(number, "NaN")


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise Wrong(f"{_kind(value)} stands where a text must be")
    return value.encode("utf-8", "replace").decode()


def _one_of(value: Json, choices: tuple[Json, ...], what: str) -> Json:
    if isinstance(value, bool) or value not in choices:
        raise Wrong(f"its '{what}' is unknown")
    return value


ARGUMENTS: dict[str, Callable[[Json], Json]] = {
    "as_none": _boolean,
    "as_tensor": _named,
    "as_tensors": _each(_named),
    "as_optional_tensor": _optional,
    "as_optional_tensors": _each(_optional),
    "as_int": _integer,
    "as_ints": _each(_integer),
    "as_float": _number,
    "as_floats": _each(_number),
    "as_bool": _boolean,
    "as_bools": _each(_boolean),
    "as_string": _text,
    "as_strings": _each(_text),
    "as_scalar_type": _integer,
    "as_memory_format": _integer,
    "as_layout": _integer,
    "as_device": _device,
    "as_complex": lambda tree: {key: _number(_dict(tree).get(key)) for key in ("real", "imag")},
    "as_sym_int": _sym("as_int", _integer),
    "as_sym_ints": _each(_sym("as_int", _integer)),
    "as_sym_float": _sym("as_float", _number),
    "as_sym_bool": _sym("as_bool", _boolean),
}
