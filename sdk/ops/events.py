"""Values that are held as lists of what is not zero: spikes, and what is made of them.  They become numbers again where something else reads them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from edge.kernels import kernels
from edge.ops.forms import Forms
from edge.words.layout import Layout, Shape
from edge.words.plan import Buffer
from edge.words.step import Access, Number, Operand, Step, View


class Events(Forms):
    """Values by the list that holds them, and the steps that make lists and numbers of each other."""

    def list_layout(self, room: int, *, valued: bool) -> Layout:
        """The layout of a list with room for so many spikes a step."""
        return Layout(self.block, room, valued)

    def hold_list(self, value: str, buffer: str, shape: Shape) -> None:
        """`value`, of `shape`, is what the list in `buffer` says."""
        self.lists[value], self.shapes[value] = buffer, shape

    def views_as_held(self, value: str) -> tuple[View, ...]:
        """The views of `value`; of a list they are made now, once."""
        if value in self.lists and value not in self.held:
            self._dense(value)
        return super().views_as_held(value)

    def listed(self, value: str) -> Buffer:
        """The list of `value`: the one that holds it, or one that is made of its numbers now."""
        known = self.lists.get(value)
        if known is None:
            known = self.lists[value] = self.scanned(value, self.unused(f"{value}@events"))
        return self.buffers[known]

    def scanned(self, value: str, name: str, *, spikes: bool = False) -> str:
        """A list of the numbers of `value` that are not zero; spikes: of those above one half, as ones."""
        x = self.planar(value)
        shape = self.shapes[value]
        steps, channels, pixels = shape[0], shape[1], prod(shape[2:])
        target = self.buffer(name, shape, self.list_layout(channels * pixels, valued=not spikes))
        numbers: dict[str, Number] = {"steps": steps, "channels": channels, "pixels": pixels, "spikes": int(spikes)}
        self._append(target, "events", "events_f32", x, numbers)
        return target

    def _dense(self, value: str) -> None:
        """The numbers of a list, row-major."""
        x = self.buffers[self.lists[value]]
        target = self.buffer(self.unused(f"{value}@numbers"), x.shape)
        self._append(target, "numbers", "dense_events_f32", x.name, self.list_numbers(x) | {"pixels": prod(x.shape[2:])})
        shape = self.shapes[value]
        if shape == x.shape:
            self.hold(value, target)
        else:
            self.share(value, target, shape)

    @staticmethod
    def list_numbers(x: Buffer) -> dict[str, Number]:
        """What a kernel that reads a list is told of it."""
        return {"steps": x.shape[0], "channels": x.shape[1], "valued": int(x.layout.valued), "room": x.layout.room}

    def _append(self, target: str, title: str, kernel: str, x: str, numbers: Mapping[str, Number]) -> None:
        operands = (self.read("x", x), Operand("y", target, Access.WRITE))
        self.append(Step(target, title, kernel, operands, kernels()[kernel].fields_from(numbers)))
