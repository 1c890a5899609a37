"""Read an HDF5 file of the Neuromorphic Intermediate Representation in a process of its own: python -m edge.converters.nir_child FILE.

libhdf5 is a large C library and the file may be hostile: what it does to this process, the caller survives.  Written to stdout: one line of JSON, in
which an array is [null, type, shape], then the bytes of all arrays in that order; what is wrong goes to stderr as a JSON string, exit code 2.

Taken: groups and data by hard links, each once; numbers and text; nothing from another file.  Sizes are checked before anything is read.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any, BinaryIO

SECONDS, ADDRESSES = 60, 6 << 30  #: of CPU and of memory that the process may have
MOST_BYTES, MOST_OBJECTS, DEEPEST, MOST_AXES = 1 << 29, 50_000, 16, 6
ROOT, VERSION = "node", "version"


class Refused(Exception):
    """What is wrong with the file."""


class Tree:
    """Walks the groups; arrays are noted with their sizes first and read last."""

    def __init__(self) -> None:
        self.seen: set[object] = set()
        self.arrays: list[Any] = []
        self.bytes = 0

    def group(self, group: Any, depth: int) -> dict[str, object]:
        import h5py

        if depth > DEEPEST:
            raise Refused(f"its groups are nested deeper than {DEEPEST}")
        found: dict[str, object] = {}
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Refused(f"'{name}' is a link to another place")
            item = group[name]
            self.once(item, name)
            found[name] = self.group(item, depth + 1) if isinstance(item, h5py.Group) else self.dataset(item, name)
        return found

    def once(self, item: Any, name: str) -> None:
        import h5py

        info = h5py.h5o.get_info(item.id)
        key = (info.fileno, info.addr)
        if key in self.seen or len(self.seen) >= MOST_OBJECTS:
            raise Refused(f"'{name}' is there twice" if key in self.seen else f"it has more than {MOST_OBJECTS} parts")
        self.seen.add(key)

    def dataset(self, item: Any, name: str) -> object:
        import h5py

        if not isinstance(item, h5py.Dataset):
            raise Refused(f"'{name}' is neither a group nor data")
        if item.is_virtual or item.external:
            raise Refused(f"the data of '{name}' lie in another file")
        if item.shape is None or len(item.shape) > MOST_AXES:
            raise Refused(f"'{name}' has {'no' if item.shape is None else len(item.shape)} axes")
        kind = h5py.check_string_dtype(item.dtype)
        each = 1 << 10 if kind is not None else item.dtype.itemsize
        self.bytes += each * int(item.size)
        if self.bytes > MOST_BYTES:
            raise Refused(f"its data are larger than {MOST_BYTES >> 20} MiB")
        if kind is not None:
            return self.text(item, name)
        if item.dtype.kind not in "biuf" or item.dtype.itemsize > 8:
            raise Refused(f"'{name}' is of type {item.dtype}, no number")
        self.arrays.append(item)
        return [None, item.dtype.newbyteorder("<").str, list(item.shape)]

    def text(self, item: Any, name: str) -> object:
        def decoded(value: Any) -> Any:
            if isinstance(value, (bytes, str)):
                data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
                if len(data) > 1 << 10:
                    raise Refused(f"a text of '{name}' is longer than 1,024 bytes")
                return data.decode("utf-8", "replace")
            return [decoded(each) for each in value]

        return decoded(item[()])


def write(path: str, out: BinaryIO) -> None:
    """The whole answer, or nothing."""
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        tree = Tree()
        if ROOT not in file or not isinstance(file.get(ROOT, getlink=True), h5py.HardLink) or not isinstance(file[ROOT], h5py.Group):
            raise Refused(f"it has no group '{ROOT}'")
        tree.once(file[ROOT], ROOT)
        found = tree.group(file[ROOT], 1)
        out.write(json.dumps(found).encode() + b"\n")
        for item in tree.arrays:
            data = item[()]
            out.write(data.astype(data.dtype.newbyteorder("<")).tobytes())
    out.flush()


def main(path: str) -> int:
    """Exit code 2 with the reason as JSON where the file is refused or cannot be read."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        write(path, sys.stdout.buffer)
    except Refused as error:
        wrong = str(error)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError, AttributeError) as error:  # libhdf5's and h5py's own
        wrong = f"is damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    else:
        return 0
    sys.stderr.write(json.dumps(wrong) + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
