"""Read an .onnx file that may be truncated or hostile: sizes before parsing, external data only from the file's own folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.graph.rewrite import single_outputs

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    from google.protobuf.message import Message

LONGEST = 4096  # characters of a name
NOTES = ("doc_string", "value", "denotation", "producer_name", "producer_version", "location")  # strings that may be long: nobody is called so
HOLDERS = {
    "f": "FLOAT",
    "i": "INT",
    "s": "STRING",
    "t": "TENSOR",
    "g": "GRAPH",
    "floats": "FLOATS",
    "ints": "INTS",
    "strings": "STRINGS",
    "tensors": "TENSORS",
    "graphs": "GRAPHS",
}  # field -> AttributeProto.type
FILE_LIMIT = 2**31  # bytes: an ONNX file is one protobuf, which ends at 2 GiB


def load(path: Path | str) -> ir.Model:
    """The model in `path`.  Raises EdgeError when it is missing, too large, no ONNX, truncated or refers to files elsewhere."""
    path = Path(path)
    return deserialize(parse(read(path), str(path)), str(path), path.parent)


def read(path: Path) -> bytes:
    """The bytes of the file, its size checked first."""
    try:
        if not path.is_file():
            raise EdgeError(str(path), "is no file" if path.exists() else "no such file")
        if (size := path.stat().st_size) > FILE_LIMIT:
            raise EdgeError(str(path), f"has {size} bytes, an ONNX file has at most {FILE_LIMIT}", "store large weights as external data")
        return path.read_bytes()
    except OSError as error:
        raise EdgeError(str(path), f"cannot be read: {error.strerror}") from error


def parse(data: bytes, where: str) -> onnx.ModelProto:
    """The protobuf in `data`."""
    import onnx
    from google.protobuf.message import DecodeError

    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise EdgeError(where, "is no ONNX model, or a truncated one", "copy or export it again") from error
    if not proto.HasField("graph") or not proto.graph.output:
        raise EdgeError(where, "holds no ONNX graph", "a model needs a graph with outputs")
    for message in messages(proto):
        if isinstance(message, onnx.AttributeProto):
            _give_type(message, where)
        if isinstance(message, onnx.TensorShapeProto.Dimension) and message.dim_value < 0:
            message.ClearField("dim_value")  # -1 is how some exporters write an open dimension
        if isinstance(message, (onnx.NodeProto, onnx.OperatorSetIdProto, onnx.FunctionProto)) and message.domain == "ai.onnx":
            message.domain = ""
        if any(kind.type == kind.TYPE_STRING and not _is_text(value) for kind, value in message.ListFields()):
            raise EdgeError(where, "holds a name that is no UTF-8", "the file is damaged")
        if any(kind.type == kind.TYPE_STRING and _is_odd(value) for kind, value in message.ListFields() if kind.name not in NOTES):
            raise EdgeError(where, f"holds a name with a zero byte or of more than {LONGEST} characters", "the file is damaged")
        if isinstance(message, onnx.NodeProto):
            message.ClearField("device_configurations")  # how to spread a model over machines: not ours
    proto.ClearField("configuration")
    return proto


def deserialize(proto: onnx.ModelProto, where: str, folder: Path | None) -> ir.Model:
    """The graph of `proto`.  External data is read from `folder` only; without a folder there must be none."""
    from onnx_ir import serde

    for tensor in tensors(proto):
        if tensor.data_location == tensor.EXTERNAL:
            _load_external(tensor, where, folder)
        else:
            _check_size(tensor, where)
    try:
        model = serde.deserialize_model(proto)
    except (ValueError, KeyError, TypeError, NotImplementedError, AttributeError, IndexError, serde.SerdeError) as error:
        raise EdgeError(where, f"is a broken ONNX model: {_first_line(error)}") from error
    single_outputs(model)
    return model


def messages(message: Message) -> Iterator[Message]:
    """A protobuf message and all inside it: nodes, attributes, tensors, subgraphs, functions."""
    stack = [message]
    while stack:
        item = stack.pop()
        yield item
        for kind, value in item.ListFields():
            if kind.message_type is not None:
                stack.extend([value] if hasattr(value, "ListFields") else value)


def tensors(message: Message) -> Iterator[onnx.TensorProto]:
    """Every TensorProto anywhere inside a message."""
    import onnx

    return (item for item in messages(message) if isinstance(item, onnx.TensorProto))


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (not isinstance(value, bytes) and isinstance(value, Iterable) and all(isinstance(item, str) for item in value))


def _is_odd(value: object) -> bool:
    return any("\0" in item or len(item) > LONGEST for item in ([value] if isinstance(value, str) else value if isinstance(value, Iterable) else ()))


def _give_type(attribute: onnx.AttributeProto, where: str) -> None:
    """IR 1 had no types: an attribute is what it holds."""
    if attribute.type != attribute.UNDEFINED or attribute.ref_attr_name:
        return
    held = [kind.name for kind, _ in attribute.ListFields() if kind.name in HOLDERS]
    if len(held) != 1:
        raise EdgeError(where, f"attribute '{attribute.name}' holds no value", "the file is damaged")
    attribute.type = type(attribute).AttributeType.Value(HOLDERS[held[0]])


def _load_external(tensor: onnx.TensorProto, where: str, folder: Path | None) -> None:
    """Read the data of `tensor` now, checked: a mapped file could change or shrink under us."""
    facts = {entry.key: entry.value for entry in tensor.external_data}
    location, name = facts.get("location", ""), f"{where}: tensor '{tensor.name}'"
    pure = PurePosixPath(location.replace("\\", "/"))
    if folder is None or not location or "\0" in location or pure.is_absolute() or ":" in location or ".." in pure.parts:
        raise EdgeError(name, f"its data lies in '{location}', outside the model's folder", "external data must be next to the model")
    file = folder / pure
    if not _inside(file, folder):
        raise EdgeError(name, f"its data '{location}' is a link out of the model's folder", "external data must be next to the model")
    try:
        if not file.is_file():
            raise EdgeError(name, f"its data file '{location}' is missing", "copy it next to the model")
        found = file.stat()
    except OSError as error:
        raise EdgeError(name, f"its data file '{location}' cannot be read: {error.strerror}") from error
    if found.st_nlink > 1:
        raise EdgeError(name, f"its data '{location}' is a hard link, maybe to a file elsewhere", "copy it next to the model")
    size = found.st_size
    try:
        offset, length = int(facts.get("offset", "0")), int(facts.get("length", "-1"))
    except ValueError as error:
        raise EdgeError(name, "its external offset or length is no number") from error
    need = _bytes_of(tensor, name)
    length = need if length < 0 else length
    if offset < 0 or length != need or offset + length > size:
        raise EdgeError(name, f"needs {need} bytes, but names {length} at {offset} of '{location}', which has {size}", "copy or export it again")
    with file.open("rb") as opened:
        opened.seek(offset)
        tensor.raw_data = opened.read(need)
    tensor.ClearField("data_location")
    del tensor.external_data[:]


def _inside(file: Path, folder: Path) -> bool:
    try:
        return file.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def _check_size(tensor: onnx.TensorProto, where: str) -> None:
    """A dozen bytes of protobuf can claim a huge tensor: compare the claim with what is there before numpy allocates it."""
    if tensor.data_type == tensor.STRING:
        return
    name = f"{where}: tensor '{tensor.name}'"
    need = _bytes_of(tensor, name)
    if tensor.HasField("raw_data"):
        have = len(tensor.raw_data)
    else:
        have = sum(len(field) for field in (tensor.float_data, tensor.double_data, tensor.int32_data, tensor.int64_data, tensor.uint64_data))
        need = _elements(tensor) if have else need
        have = have // 2 if tensor.data_type in (tensor.COMPLEX64, tensor.COMPLEX128) else have
        if have * 8 >= need > have:  # sub-byte types pack several elements into one int32
            need = have if tensor.data_type in (tensor.INT4, tensor.UINT4, tensor.FLOAT4E2M1) else need
    if have != need:
        raise EdgeError(name, f"claims shape {tuple(tensor.dims)} but holds {have} of {need} values", "copy or export it again")


def _elements(tensor: onnx.TensorProto) -> int:
    count = 1
    for dim in tensor.dims:
        count *= dim
    return count


def _bytes_of(tensor: onnx.TensorProto, name: str) -> int:
    import onnx_ir as ir

    if any(dim < 0 for dim in tensor.dims):
        raise EdgeError(name, f"has a negative dimension in {tuple(tensor.dims)}")
    try:
        bits = ir.DataType(tensor.data_type).bitwidth
    except (ValueError, TypeError) as error:
        raise EdgeError(name, f"has unknown data type {tensor.data_type}") from error
    return (_elements(tensor) * bits + 7) // 8


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
