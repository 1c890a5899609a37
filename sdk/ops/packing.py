"""Packs constants as kernels read them: padded, split, transposed; each once.  A packing that only moves numbers can be undone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.words.dtype import Dtype
from edge.words.layout import Shape
from edge.words.plan import Buffer, Constant

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Packing:
    """The constants of a plan, and the names that are taken.

    block: channels of a block.  values: all names of the graph, which no copy may take.  initializers: its constants.
    """

    def __init__(self, block: int, values: Collection[str] = (), initializers: Mapping[str, NDArray[np.generic]] = NOTHING) -> None:
        self.block = block
        self.values = frozenset(values)
        self.initializers = initializers
        self.buffers: dict[str, Buffer] = {}
        self.constants: dict[str, Constant] = {}
        self.packed: dict[tuple[object, ...], list[str]] = {}

    def unused(self, name: str, mark: str = "@") -> str:
        """Return `name`, with marks behind it until no buffer, constant or value of the graph has that name."""
        while name in self.buffers or name in self.constants or name in self.values:
            name += mark
        return name

    def constant(
        self, data: NDArray[np.generic], source: str, *, pads: Shape = (), split: Shape = (), perm: Shape = (), tag: str = "", recipe: bool = True
    ) -> str:
        """Packed weights: `data` padded at the end, reshaped, transposed; kept once however often it is asked for.

        recipe: False when `data` is not the graph's initializer itself but computed from it, so that the packing cannot be undone.
        """
        dtype = data.dtype if data.dtype.name in [str(each) for each in Dtype] else np.dtype(np.float32)
        packed = np.pad(data, [(0, n) for n in pads]) if any(pads) else data
        packed = np.ascontiguousarray(packed.reshape(split or packed.shape).transpose(perm or tuple(range(len(split or packed.shape)))), dtype=dtype)
        asked = (source, tag, pads, split, perm, data.shape, dtype.name)
        same = [name for name in self.packed.get(asked, ()) if self.constants[name].data.tobytes() == packed.tobytes()]
        if same:
            return same[0]
        free = not tag and source not in self.constants and source not in self.buffers
        name = source if free else self.unused(f"{source}{tag}")
        self.packed.setdefault(asked, []).append(name)
        self.constants[name] = Constant(name, packed, source if recipe else "", tuple(data.shape), pads, split, perm)
        return name

    def matrix(self, w: NDArray[np.float32], source: str, *, recipe: bool = True) -> str:
        """(O, K, …ones) -> (O/B, K, B)."""
        block, out = self.block, w.shape[0]
        pads = (-out % block,) + (0,) * (w.ndim - 1)
        return self.constant(w, source, pads=pads, split=(-(-out // block), block, prod(w.shape[1:])), perm=(0, 2, 1), tag="@matrix", recipe=recipe)

    def vector(self, data: NDArray[np.generic] | None, source: str) -> str:
        """One number a channel, padded to whole blocks; '' for none."""
        if data is None:
            return ""
        flat = data.reshape(-1)
        return self.constant(flat, source, pads=(-flat.size % self.block,), tag="@channels", recipe=data.ndim == 1)
