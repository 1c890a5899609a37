"""A model in this process: the artifact's own library through ctypes, arrays passed by pointer.  Needs numpy only."""

from __future__ import annotations

import _ctypes
import ctypes
import itertools
import math
import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edge.artifact.manifest import Tensor
from edge.artifact.program import Give, Place, Take, Word, run_program
from edge.artifact.reader import Artifact, open_artifact
from edge.errors import EdgeError, ToolFailed, did_you_mean

Array = NDArray[np.generic]
OPEN: weakref.WeakSet[Net] = weakref.WeakSet()
LIBRARY = "lib/libmodel.so"
COUNTS = ("synops", "updates", "spikes")  #: as edge_counts gives them
BAD_DATA = 3  #: EDGE_BAD_DATA of targets/runtime/edge.h


def load(path: Path | str, threads: int = 1, check: bool = False) -> Net:
    """Opens an artifact for calling.  threads: 0 for one a CPU.  check: compare its hashes first.

    To replace a file that is loaded, rename the new one over it: what is written into it changes or crashes the model that runs.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115  one file for code and weights, whatever the path comes to name
    except OSError:
        open_artifact(path)  # says why
        raise
    with file:
        artifact = open_artifact(path, check=check, file=file)
        return Net(artifact.path, artifact.read(LIBRARY), artifact.manifest.inputs, artifact.manifest.outputs, threads, file.fileno())


class Net:
    """y = net(x);  net.run({"input": x}) -> {"output": y}.  Safe to call from several threads, which then take turns.

    A model with state goes on from call to call; net.reset() lets it begin anew.
    A C-contiguous array of the right dtype and shape is read where it lies, any other layout is copied once; a dtype is never changed.
    """

    def __init__(
        self, path: Path, library: bytes, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], threads: int, weights: int | None = None
    ) -> None:
        """weights: a descriptor of the file that holds them; without it `path` is opened."""
        self.path, self.inputs, self.outputs = path, inputs, outputs
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._model: int | None = None
        self._library, self._fd = open_library(library, path)
        error = ctypes.create_string_buffer(512)
        source = str(path.resolve()) if weights is None else f"/proc/self/fd/{weights}"
        self._model = self._library.edge_create(os.fsencode(source), within_int(threads), error, len(error))
        if not self._model:
            unload(self._library, self._fd)
            raise ToolFailed(str(path), error.value.decode("utf-8", "replace").removeprefix(f"{source}: "))
        self.level: str = self._library.edge_level(self._model).decode()
        self.threads: int = self._library.edge_threads(self._model)
        self._takes, self._gives = ([(np.dtype(t.dtype), t.shape) for t in tensors] for tensors in (inputs, outputs))
        self._reads, self._writes = ((ctypes.c_void_p * len(tensors))() for tensors in (inputs, outputs))  # where the arrays of a call lie
        self._reset = getattr(self._library, "edge_reset", None)  # files built before models had state have nothing to forget
        if self._reset is not None:
            self._reset.argtypes = [ctypes.c_void_p]
        OPEN.add(self)

    def __call__(self, *arrays: Array) -> Array | tuple[Array, ...]:
        """One array an input, in order; the output, or a tuple of them."""
        if len(arrays) != len(self.inputs):
            raise EdgeError(str(self.path), f"{len(arrays)} inputs given, it takes {len(self.inputs)}", described(self.inputs))
        for array, (dtype, shape) in zip(arrays, self._takes, strict=True):
            if not isinstance(array, np.ndarray) or array.dtype is not dtype or array.shape != shape or not array.flags.c_contiguous:
                made = list(self.run({t.name: a for t, a in zip(self.inputs, arrays, strict=True)}).values())
                break
        else:  # nothing to look at again: a small network is a few microseconds
            made = [np.empty(shape, dtype) for dtype, shape in self._gives]
            self._once(arrays, made)
        return made[0] if len(made) == 1 else tuple(made)

    def run(self, inputs: Mapping[str, Array], out: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """Outputs by name: fresh arrays, or those given in `out` (C-contiguous, writable), which are filled in place.

        An array of `out` may be an input too, which is then copied first; two of them may not share memory.
        """
        given = in_order(inputs, self.inputs, self.path)
        for name in out or {}:
            known(name, self.outputs, "output", self.path)
        made = {t.name: writable(out[t.name], t) if out and t.name in out else np.empty(t.shape, t.dtype) for t in self.outputs}
        if out:
            require_apart(made)
            given = [a.copy() if any(np.may_share_memory(a, b) for b in made.values()) else a for a in given]  # exact: both are contiguous
        self._once(given, tuple(made.values()))
        return made

    def _once(self, given: Sequence[Array], made: Sequence[Array]) -> None:
        """One call; both are C-contiguous and of the right shapes and types, in order."""
        with self._lock:
            if self._model is None:
                raise EdgeError(str(self.path), "the model is closed", "load it again")
            for at, array in enumerate(given):
                self._reads[at] = array.__array_interface__["data"][0]
            for at, array in enumerate(made):
                self._writes[at] = array.__array_interface__["data"][0]
            if self._library.edge_run(self._model, self._reads, self._writes) == BAD_DATA:
                raise self._bad_data()

    def counts(self) -> dict[str, dict[str, int]]:
        """What spikes have caused since the last reset, by layer: synops, updates of a neuron, spikes.  Empty for a network without spikes."""
        with self._lock:
            if self._model is None:
                raise EdgeError(str(self.path), "the model is closed", "load it again")
            found: dict[str, dict[str, int]] = {}
            if not hasattr(self._library, "edge_counts"):  # of files that were built before anything was counted
                return found
            self._library.edge_step_name.restype = ctypes.c_char_p
            numbers = (ctypes.c_uint64 * 3)()
            for step in itertools.count():
                name = self._library.edge_step_name(ctypes.c_void_p(self._model), step)
                if name is None:
                    return found
                if self._library.edge_counts(ctypes.c_void_p(self._model), step, numbers):
                    found[name.decode()] = dict(zip(COUNTS, map(int, numbers), strict=True))
            return found

    def _bad_data(self) -> EdgeError:
        """What is wrong with the inputs of the latest run."""
        whole = [repr(t.name) for t in self.inputs if t.dtype in ("int32", "int64")]  # what indices are in ONNX
        cure = f"look at input {', '.join(whole)}" if whole else "the inputs lead to that index"
        failure = self._library.edge_failure  # libraries of older artifacts have none, and never ask for it
        failure.restype, failure.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        return EdgeError(str(self.path), failure(self._model).decode("utf-8", "replace"), cure)

    def reset(self) -> None:
        """Forgets what a model with state has kept: the next call begins as the first one did."""
        with self._lock:
            if self._model is None:
                raise EdgeError(str(self.path), "the model is closed", "load it again")
            if self._reset is not None:
                self._reset(self._model)

    def close(self) -> None:
        """Gives back memory, threads and the library; a second time does nothing."""
        with self._lock:
            model, self._model = self._model, None
            if model is not None and os.getpid() == self._pid:  # a forked child has no threads to join
                self._library.edge_destroy(model)
                unload(self._library, self._fd)

    def __enter__(self) -> Net:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "level") and not sys.is_finalizing():  # else the constructor failed and has cleaned up, or the process gives all back itself
            self.close()


def run_at(artifact: Artifact, place: Place, inputs: Mapping[str, Array], threads: int = 1) -> dict[str, Array]:
    """The same as `Net.run`, by the artifact's program at `place`: outputs by name."""
    given = in_order(inputs, artifact.manifest.inputs, artifact.path)
    return _by_files(artifact, place, given, ["--threads", str(threads)])


def stream_at(artifact: Artifact, place: Place, rows: Array, threads: int = 1) -> dict[str, Array]:
    """Many inputs of a model with one input, from a reset, one call after the other, by the artifact's program at `place`.

    rows: (N, *shape of the input).  Outputs by name, (N, *shape of the output): a model with state keeps it from one to the next.
    """
    (tensor,) = artifact.manifest.inputs
    given = [np.ascontiguousarray(rows, tensor.dtype)]
    return _by_files(artifact, place, given, ["--threads", str(threads), "--stream"], (len(rows),))


def _by_files(artifact: Artifact, place: Place, given: Sequence[Array], words: list[Word], calls: tuple[int, ...] = ()) -> dict[str, Array]:
    """What the program writes for these inputs, in order.  calls: what stands before the shape of an output."""
    m = artifact.manifest
    with tempfile.TemporaryDirectory(prefix="edge-") as name:
        folder = Path(name)
        for i, array in enumerate(given):
            (folder / f"input{i}").write_bytes(array.tobytes())
            words += ["--input", Give(folder / f"input{i}", f"{m.inputs[i].name}=")]
        for i, tensor in enumerate(m.outputs):
            words += ["--output", Take(folder / f"output{i}", f"{tensor.name}=")]
        run_program(artifact.path, words, place=place, payload=artifact.payload)
        made = {t.name: np.fromfile(folder / f"output{i}", t.dtype) for i, t in enumerate(m.outputs)}
    for tensor in m.outputs:
        if made[tensor.name].size != math.prod((*calls, *tensor.shape)):
            raise ToolFailed(str(artifact.path), f"wrote {made[tensor.name].size} values of output '{tensor.name}'", "build it again with this edge")
    return {t.name: made[t.name].reshape(*calls, *t.shape) for t in m.outputs}


def in_order(inputs: Mapping[str, Array], tensors: tuple[Tensor, ...], path: Path) -> list[Array]:
    """The inputs as the model wants them: all there, none else, each of its dtype and shape."""
    require_names(inputs, tensors, path)
    return [np.ascontiguousarray(checked(inputs[t.name], t)) for t in tensors]


def require_names(inputs: Mapping[str, object], tensors: tuple[Tensor, ...], path: Path) -> None:
    """EdgeError when an input is missing or unknown."""
    for name in inputs:
        known(name, tensors, "input", path)
    missing = [t.name for t in tensors if t.name not in inputs]
    if missing:
        raise EdgeError(str(path), f"no value for input {', '.join(repr(n) for n in missing)}", described(tensors))


def known(name: str, tensors: tuple[Tensor, ...], what: str, path: Path) -> None:
    names = [t.name for t in tensors]
    if name not in names:
        raise EdgeError(str(path), f"no {what} '{name}'", did_you_mean(name, names) or f"it has {described(tensors)}")


def described(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{t.name}: {t.dtype}{list(t.shape)}" for t in tensors)


def checked(array: Array, tensor: Tensor) -> Array:
    if not isinstance(array, np.ndarray):
        raise EdgeError(tensor.name, f"a {type(array).__name__} is not a numpy array", f"numpy.asarray(x, '{tensor.dtype}')")
    require_fit(array.dtype, array.shape, tensor)
    return array


def require_fit(dtype: np.dtype[np.generic], shape: tuple[int, ...], tensor: Tensor) -> None:
    """EdgeError when an array of that dtype and shape is not what the tensor takes."""
    if dtype != np.dtype(tensor.dtype):
        raise EdgeError(tensor.name, f"{dtype} instead of {tensor.dtype}", f"x.astype('{tensor.dtype}')")
    if shape != tensor.shape:
        cure = f"x.reshape{tensor.shape}" if math.prod(shape) == math.prod(tensor.shape) else "build it for another --input-shape"
        raise EdgeError(tensor.name, f"shape {shape} instead of {tensor.shape}", cure)


def writable(array: Array, tensor: Tensor) -> Array:
    if not (checked(array, tensor).flags.c_contiguous and array.flags.writeable):
        raise EdgeError(tensor.name, "an out array must be C-contiguous and writable", "leave it out to get a fresh one")
    return array


def require_apart(arrays: Mapping[str, Array]) -> None:
    """EdgeError when two output arrays share memory: each would overwrite the other."""
    for (one, a), (other, b) in itertools.combinations(arrays.items(), 2):
        if np.may_share_memory(a, b):
            raise EdgeError(other, f"its out array shares memory with that of '{one}'", "give each output an array of its own")


def within_int(threads: int) -> int:
    """A number of threads that C's int holds; the library takes no more than 256 anyhow."""
    return max(0, min(threads, 1 << 30))


def forget_other_threads() -> None:
    """In a forked child: whoever held a lock lives in the parent only, and nobody would release it here."""
    for net in list(OPEN):
        net._lock = threading.Lock()


os.register_at_fork(after_in_child=forget_other_threads)


def open_library(code: bytes, path: Path) -> tuple[ctypes.CDLL, int]:
    """Loads a library from memory; where there is no memfd, from a temporary file.  The descriptor stays open as long as the library:

    the loader knows libraries by path, and /proc/self/fd/N must not come to mean another one.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create(path.name[:200])
    else:
        fd, name = tempfile.mkstemp(suffix=".so")
        Path(name).unlink()
    with open(fd, "wb", closefd=False) as file:
        file.write(code)
    try:
        library = ctypes.CDLL(f"/proc/self/fd/{fd}")
    except OSError as error:
        os.close(fd)
        raise ToolFailed(str(path), f"its library cannot be loaded: {error}", "build it for this machine: --target cpu") from None
    library.edge_create.restype = ctypes.c_void_p
    library.edge_create.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]
    library.edge_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.edge_destroy.argtypes = [ctypes.c_void_p]
    library.edge_level.restype = ctypes.c_char_p
    library.edge_level.argtypes = library.edge_threads.argtypes = [ctypes.c_void_p]
    return library, fd


def unload(library: ctypes.CDLL, fd: int) -> None:
    _ctypes.dlclose(library._handle)
    os.close(fd)
