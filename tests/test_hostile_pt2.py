"""`.pt2` files that are damaged or mean harm: one line, nothing of theirs is run, and no file appears."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fuzz
import pytest
from mutants import packed

from edge import converters
from edge.converters import pt2_archive, pt2_program
from edge.errors import EdgeError

torch = pytest.importorskip("torch")
import pt2_mutants  # noqa: E402  it needs torch

Change = Callable[[dict[str, Any]], object]
AGAIN = "(copy or export it again)"
EXPORT = "(export it again with torch.export.save)"
LOAD = f"is not a program that torch {torch.__version__} can load (export it again with this torch)"
CODE, HARM = pt2_mutants.CODE, pt2_mutants.HARM
MODEL, WEIGHTS = pt2_archive.MODEL, pt2_archive.WEIGHTS


@pytest.fixture(scope="module")
def good() -> bytes:
    """A Linear of 3 to 2."""
    file = io.BytesIO()
    torch.export.save(torch.export.export(torch.nn.Linear(3, 2).eval(), (torch.zeros(1, 3),)), file)
    return file.getvalue()


@pytest.fixture(autouse=True)
def nothing_appears(tmp_path: Path) -> Iterator[None]:
    """Code of a file, if it were run, would make a folder where the test runs."""
    with contextlib.chdir(tmp_path):
        yield
        assert {path.name for path in tmp_path.iterdir()} <= {"net.pt2"}


def named(good: bytes) -> dict[str, bytes]:
    """The members by their names below the folder at the top."""
    return {name.partition("/")[2]: content for name, content in pt2_mutants.members(good).items()}


def put(parts: dict[str, bytes]) -> bytes:
    return packed([(f"net/{name}", content) for name, content in parts.items()])


def changed(good: bytes, change: Change, member: str = MODEL) -> bytes:
    """The archive with one JSON member changed."""
    parts = named(good)
    tree = json.loads(parts[member])
    change(tree)
    return put(parts | {member: json.dumps(tree).encode()})


def refusal(data: bytes) -> str:
    Path("net.pt2").write_bytes(data)
    with pytest.raises(EdgeError) as error:
        converters.read("net.pt2")
    assert error.value.exit_code == 2
    assert str(error.value).isprintable()
    return str(error.value).removeprefix("net.pt2: ")


def taken(data: bytes) -> list[str]:
    """The ops of the graph that is read."""
    Path("net.pt2").write_bytes(data)
    return [node.op_type for node in converters.read("net.pt2").model.graph]


def graph_of(tree: dict[str, Any]) -> Any:
    return tree["graph_module"]["graph"]


def node_of(tree: dict[str, Any]) -> Any:
    return graph_of(tree)["nodes"][0]


# The three ways by which a file ran code.


@pytest.mark.slow
def test_guards_and_extra_files_are_dropped_unread(good: bytes) -> None:
    guarded = changed(good, lambda tree: tree.update(guards_code=[CODE, f"{CODE} or True"]))
    assert taken(put(named(guarded) | {"extra/notes.txt": b"hello"})) == ["Gemm"]


def test_a_member_whose_name_differs_in_case_is_refused(good: bytes) -> None:
    """torch finds members whatever their case."""
    parts = named(good)
    tree = json.loads(parts[MODEL])
    graph_of(tree)["tensor_values"]["input"]["sizes"][0] = {"as_expr": {"expr_str": CODE, "hint": None}}
    hostile = {"models/model.JSON": json.dumps(tree).encode()} | {name: content for name, content in parts.items() if name != MODEL}
    assert refusal(put(hostile)) == f"holds 'models/model.JSON', which no exported program has {EXPORT}"
    assert refusal(put(hostile | {MODEL: parts[MODEL]})) == f"holds 'models/model.JSON', which no exported program has {EXPORT}"


def two_directories(shown: bytes, hidden: bytes) -> bytes:
    """One zip of two: zipfile reads the directory right before the end record, torch the one that the record points to."""

    def split(data: bytes) -> tuple[bytes, bytes]:
        size, at = struct.unpack("<2I", data[-10:-2])
        return data[:at], data[at : at + size]

    (body, directory), (false_body, false_directory) = split(shown), split(hidden)
    start, skew = len(false_body) + len(false_directory), len(false_directory) + len(body)
    moved, at = bytearray(directory), 0
    while at < len(moved):
        (where,) = struct.unpack_from("<I", moved, at + 42)
        struct.pack_into("<I", moved, at + 42, start + where - skew)
        at += 46 + sum(struct.unpack_from("<3H", moved, at + 28))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *[len(zipfile.ZipFile(io.BytesIO(shown)).infolist())] * 2, len(directory), len(false_body), 0)
    return false_body + false_directory + body + bytes(moved) + end


def test_a_zip_with_two_directories_is_refused(good: bytes) -> None:
    hidden = changed(good, lambda tree: tree.update(guards_code=[CODE * 9]))
    data = two_directories(put(named(good)), hidden)
    assert zipfile.ZipFile(io.BytesIO(data)).read(f"net/{MODEL}") == named(good)[MODEL]
    assert CODE.encode() in torch._C.PyTorchFileReader(io.BytesIO(data)).get_record(MODEL)
    assert refusal(data) == f"its zip directory is not where it should be {AGAIN}"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("torch.os.mkdir", "torch.os.mkdir"),
        ("_operator.methodcaller", "_operator.methodcaller"),
        ("torch.hub.load", "torch.hub.load"),
        ("torch.ops.aten.from_file.default", "torch.ops.aten.from_file.default"),
        ("torch.ops.aten.save.default", "torch.ops.aten.save.default"),
        ("torch.ops.aten.__class__.mro", "torch.ops.aten.__class__.mro"),
        ("torch.ops.torchvision.nms.default", "torch.ops.torchvision.nms.default"),
        ("torch.ops.higher_order.while_loop", "torch.ops.higher_order.while_loop"),
        ("torch.ops.load_library", "torch.ops.load_library"),
        ("#ext:x", "#ext:x"),
        ("", "''"),
    ],
)
def test_a_target_that_is_not_an_operator_without_effects_is_refused(good: bytes, target: str, shown: str) -> None:
    cure = "(write that part with aten operators, and export it again)"
    found = refusal(changed(good, lambda tree: node_of(tree).update(target=target)))
    assert found == f"calls what is not taken from a file: {shown} {cure}"


def test_all_foreign_targets_are_named_at_once(good: bytes) -> None:
    def change(tree: dict[str, Any]) -> None:
        graph_of(tree)["nodes"] = [node_of(tree) | {"target": f"mine.{i}"} for i in range(7)]

    assert refusal(changed(good, change)) == (
        "calls what is not taken from a file: mine.0, mine.1, mine.2, mine.3, mine.4 and 2 more "
        "(write that part with aten operators, and export it again)"
    )


def rename(old: str, new: str) -> Change:
    """A value's name, wherever it stands."""

    def change(tree: dict[str, Any]) -> None:
        text = json.dumps(tree).replace(json.dumps(old), json.dumps(new))
        tree.clear()
        tree.update(json.loads(text))

    return change


KEYWORD = json.dumps([1, {"type": "builtins.dict", "context": json.dumps([f"x={CODE}"]), "children_spec": [{"type": None, "children_spec": []}]}])
ENUM = json.dumps([1, {"type": "builtins.tuple", "context": json.dumps({"__enum__": "harm:x"}), "children_spec": []}])
FACTORY = json.dumps([1, {"type": "collections.defaultdict", "context": '{"default_factory_module": "harm"}', "children_spec": []}])


def call_of(tree: dict[str, Any]) -> Any:
    return tree["graph_module"]["module_call_graph"][0]["signature"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename("linear", f"x): {CODE}\n#"), f"the name 'x): {CODE} #' is not an identifier {EXPORT}"),
        (rename("input", "lambda"), f"the name 'lambda' is not an identifier {EXPORT}"),
        (lambda tree: call_of(tree).update(forward_arg_names=[f"x={CODE}"]), f"the name 'x={CODE}' is not an identifier {EXPORT}"),
        (lambda tree: tree["graph_module"]["signature"]["input_specs"][0]["parameter"].update(parameter_name=f'w"); {CODE}; ("'),
         f"the name 'w\"); {CODE}; (\"' is not that of a weight {EXPORT}"),
        (lambda tree: call_of(tree).update(in_spec=FACTORY),
         "its inputs or outputs are held in 'collections.defaultdict' (give and return tensors, tuples, lists or dicts of them)"),
        (lambda tree: call_of(tree).update(in_spec=KEYWORD), f"the name 'x={CODE}' is not an identifier {EXPORT}"),
        (lambda tree: call_of(tree).update(in_spec="[2, {}]"), f"nests its inputs or outputs in an unknown way {EXPORT}"),
        (lambda tree: tree["graph_module"]["module_call_graph"].clear(), f"does not say how it is called {EXPORT}"),
        (lambda tree: graph_of(tree)["tensor_values"]["input"]["sizes"].append({"as_expr": {"expr_str": CODE}}),
         f"has the symbolic size '{CODE}' (export it with static shapes)"),
        (lambda tree: graph_of(tree).update(sym_bool_values={"a": 1}),
         "computes with 1 values that are not tensors ('a') (export it with static shapes)"),
        (lambda tree: graph_of(tree)["tensor_values"]["input"]["device"].update(type="cuda"),
         "was exported on the device 'cuda' (export it again after module.cpu(), with inputs on the CPU)"),
        (lambda tree: graph_of(tree)["tensor_values"]["input"].update(layout=1), "a tensor is not dense (make it dense before exporting)"),
        (lambda tree: graph_of(tree)["tensor_values"]["input"].update(dtype=2**70), f"a whole number has more than 64 bits {AGAIN}"),
        (lambda tree: graph_of(tree)["tensor_values"]["input"].update(strides=[]), f"a tensor has 2 dimensions and 0 strides {AGAIN}"),
        (lambda tree: graph_of(tree)["tensor_values"]["input"]["sizes"].__setitem__(0, {"as_int": 2**40}), f"a tensor has impossible sizes {AGAIN}"),
        (lambda tree: node_of(tree)["inputs"][0].update(arg={"as_operator": "torch.os.mkdir"}),
         f"an argument is of the unknown kind 'as_operator' {EXPORT}"),
        (lambda tree: node_of(tree)["inputs"][0].update(arg={"as_custom_obj": {}}), f"an argument is of the unknown kind 'as_custom_obj' {EXPORT}"),
        (lambda tree: node_of(tree)["inputs"][0].update(kind=9), f"its 'kind' is unknown {AGAIN}"),
        (lambda tree: node_of(tree).update(metadata=3), f"a whole number stands where an object must be {AGAIN}"),
        (lambda tree: node_of(tree).update(metadata={"stack_trace": 3}), f"a whole number stands where a text must be {AGAIN}"),
        (lambda tree: node_of(tree).update(is_hop_single_tensor_return=1), f"a whole number stands where true or false must be {AGAIN}"),
        (lambda tree: node_of(tree)["inputs"].__setitem__(0, {"name": "input", "arg": {"as_float": "1"}}),
         f"a text stands where a number must be {AGAIN}"),
        (lambda tree: tree.update(verifiers="x"), f"a text stands where a list must be {AGAIN}"),
        (lambda tree: tree.pop("graph_module"), f"its 'graph_module' is missing {AGAIN}"),
        (lambda tree: tree.update(graph_module=3), f"its 'graph_module' is a whole number {AGAIN}"),
        (lambda tree: tree["graph_module"]["signature"]["input_specs"].append({"custom_obj": {}}),
         f"its signature is of the unknown kind 'custom_obj' {EXPORT}"),
        (lambda tree: tree["schema_version"].update(major=99), LOAD),
        (lambda tree: graph_of(tree)["nodes"].clear(), LOAD),
    ],
)  # fmt: skip
def test_what_is_not_a_plain_program_is_refused(good: bytes, change: Change, message: str) -> None:
    assert refusal(changed(good, change)) == message


def test_the_context_of_a_tuple_is_not_read(good: bytes) -> None:
    """torch would import the module of an enum that stands there."""
    found = refusal(changed(good, lambda tree: call_of(tree).update(in_spec=ENUM)))
    assert found == LOAD


def nested(count: int) -> Change:
    """Graphs within graphs."""

    def change(tree: dict[str, Any]) -> None:
        inner = json.dumps(graph_of(tree) | {"nodes": []})
        node = {"target": "torch.ops.higher_order.cond", "outputs": [], "metadata": {}}
        for _ in range(count):
            arg = {"as_graph": {"name": "g", "graph": json.loads(inner)}}
            inner = json.dumps(json.loads(inner) | {"nodes": [node | {"inputs": [{"name": "", "arg": arg, "kind": 1}]}]})
        tree["graph_module"]["graph"] = json.loads(inner)

    return change


def test_graphs_that_are_nested_too_deeply(good: bytes) -> None:
    assert refusal(changed(good, nested(pt2_program.MAX_DEPTH + 5))) == f"nests its graphs too deeply {AGAIN}"


def meta_of(tree: dict[str, Any]) -> Any:
    return tree["config"]["weight"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tree: meta_of(tree).update(path_name="opaque_obj_0"),
            "member 'opaque_obj_0' holds code, not tensors (only plain tensors are loaded)",
        ),
        (lambda tree: meta_of(tree).update(use_pickle=True), "member 'weight_0' holds code, not tensors (only plain tensors are loaded)"),
        (lambda tree: meta_of(tree).update(path_name="../../x"), "holds no '../../x' (only plain tensors are loaded)"),
        (lambda tree: meta_of(tree)["tensor_meta"].update(sizes=[{"as_int": 2**30}], strides=[{"as_int": 0}]), None),
        (lambda tree: tree["config"].update({'a"b': meta_of(tree)}), f"the name 'a\"b' is not that of a weight {EXPORT}"),
    ],
)
def test_weights_that_are_not_raw_tensors(good: bytes, change: Change, message: str | None) -> None:
    data = changed(good, change, WEIGHTS)
    size = sum(member.file_size for member in zipfile.ZipFile(io.BytesIO(data)).infolist())
    assert refusal(data) == (message or f"claims {2**30 + 2} elements of weights but holds {size} bytes {AGAIN}")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("data/aotinductor/model/x.so", "'data/aotinductor/model/x.so'"),
        ("data/constants/custom_obj_0", "'data/constants/custom_obj_0'"),
        ("data/weights/model.pt", "'data/weights/model.pt'"),
        ("../../../etc/x", "'../../../etc/x'"),
        ("/etc/x", "'/etc/x'"),
        ("models/other.json", "'models/other.json'"),
    ],
)
def test_a_member_that_no_program_has_is_refused(good: bytes, name: str, shown: str) -> None:
    assert refusal(put(named(good) | {name: b"x"})) == f"holds {shown}, which no exported program has {EXPORT}"


def test_a_member_twice(good: bytes) -> None:
    parts = [(f"net/{name}", content) for name, content in named(good).items()]
    assert refusal(packed([*parts, (f"net/{MODEL}", b"{}")])) == f"member 'net/{MODEL}' is in it twice {AGAIN}"


def test_members_in_two_folders(good: bytes) -> None:
    parts = [(f"net/{name}", content) for name, content in named(good).items()]
    assert refusal(packed([*parts, ("other/x", b"")])) == f"its members do not lie in one folder but in 2 {EXPORT}"


def test_a_member_missing(good: bytes) -> None:
    parts = named(good)
    del parts[MODEL]
    assert refusal(put(parts)) == f"holds no 'models/model.json' {EXPORT}"


def test_another_version(good: bytes) -> None:
    assert refusal(put(named(good) | {"archive_version": b"7"})) == f"is of another version: its 'archive_version' is not '0' {EXPORT}"


def test_what_follows_the_end_is_refused(good: bytes) -> None:
    message = f"its zip directory is not where it should be {AGAIN}"
    assert refusal(good + b"\0") == message
    assert refusal(b"\0" + good) == message


def test_a_bomb() -> None:
    data = packed([("a/big", b"\0" * 30_000_000)], zipfile.ZIP_DEFLATED)
    assert refusal(data) == f"unpacks {len(data)} bytes into 30000000 in 1 members (that is not a model)"


@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_a_truncated_file(good: bytes, keep: float) -> None:
    assert refusal(good[: int(keep * len(good))]) == f"is not a .pt2 archive, or a truncated one {AGAIN}"


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff", b"9" * 5000])
def test_broken_json(good: bytes, content: bytes) -> None:
    assert refusal(put(named(good) | {MODEL: content})) == f"member 'net/{MODEL}' is damaged {AGAIN}"


class Harm:
    """Unpickling it would make a folder."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, (HARM,)


def examples(good: bytes, content: bytes) -> bytes:
    return put(named(good) | {pt2_archive.EXAMPLES: content})


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def test_example_inputs_that_hold_code(good: bytes) -> None:
    assert refusal(examples(good, saved(((Harm(),), {})))) == "holds code, not tensors (only plain tensors are loaded)"


def test_example_inputs_that_are_a_bare_pickle(good: bytes) -> None:
    where = f"{pt2_archive.EXAMPLES}: "
    assert refusal(examples(good, pickle.dumps(Harm()))) == f"{where}is not a .pt2 archive, or a truncated one {AGAIN}"
    script = packed([("a/data.pkl", b""), ("a/constants.pkl", b""), ("a/code/x.py", b"")])
    assert refusal(examples(good, script)) == f"{where}holds 'constants.pkl' {EXPORT}"
    assert refusal(examples(good, packed([("a/version", b"3")]))) == f"{where}holds no 'data.pkl' {EXPORT}"


@pytest.mark.parametrize(
    "value",
    [
        ((torch.zeros(1, 3, dtype=torch.bfloat16),), {}),
        ((3,), {}),
        ((torch.zeros(1).expand(2**24),), {}),
        ((torch.eye(2).to_sparse(),), {}),
    ],
)
def test_example_inputs_that_are_not_plain(good: bytes, value: object) -> None:
    assert refusal(examples(good, saved(value))) == "holds no example inputs of plain tensors (export it with positional tensors)"


def test_example_inputs_whose_pickle_ends_early(good: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(saved(((torch.zeros(1, 3),), {})))) as archive:
        whole = {info.filename: archive.read(info) for info in archive.infolist()}
    (name,) = (name for name in whole if name.endswith("/data.pkl"))
    for end in (0, 1, 2, 5, 20, 60, len(whole[name]) - 1):
        text = refusal(examples(good, packed([*(whole | {name: whole[name][:end]}).items()])))
        assert text.startswith(("is not a program that torch ", "holds code, not tensors (")), (end, text)


@pytest.mark.slow
def test_inputs_by_keyword_are_refused() -> None:
    class Two(torch.nn.Module):
        def forward(self, x: Any, more: Any) -> Any:
            return x + more

    file = io.BytesIO()
    torch.export.save(torch.export.export(Two(), (torch.zeros(1, 3),), {"more": torch.zeros(1, 3)}), file)
    assert refusal(file.getvalue()) == "holds no example inputs of plain tensors (export it with positional tensors)"


def test_options_that_do_not_apply() -> None:
    with pytest.raises(EdgeError) as error:
        converters.read("good.pt2", weights="w.pth")
    assert str(error.value) == "w.pth: a .pt2 file carries its own weights (leave --weights out)"
    with pytest.raises(EdgeError) as error:
        converters.read("good.pt2", input_shapes={"input": (1, 3)})
    assert str(error.value) == "good.pt2: its shapes were fixed when it was exported (leave --input-shape out, or export it again)"


@pytest.mark.slow
def test_only_refusals_come_out_of_mutants(tmp_path: Path) -> None:
    assert fuzz.wrong(fuzz.load("pt2"), range(60), tmp_path, "tests") == []
