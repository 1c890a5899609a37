"""What is known of one kernel: the fields of its C struct, the posts that it takes, and what it costs.

To add a kernel: 1. a file of this folder with KERNEL, named after the kernel, 2. its source targets/kernels/NAME.c, 3. a lowering in
edge.ops that calls it.  tests/test_kernel_records.py holds the record against the struct in the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from edge.kernels.core import Core
from edge.words.post import ACTIVATIONS, ADD, REQUANTIZE, Post
from edge.words.schedule import Schedule
from edge.words.step import Fields, Number

ACTIVATION = "activation"  #: the slot that takes any post of ACTIVATIONS
RESIDUAL = "residual"  #: the operand that the post ADD reads


@dataclass(frozen=True)
class Field:
    """A number in the kernel's struct.

    schedule: a tuner may change it.  length: of an array, 0 for a single number.  real: a float.  enum: the C enumerators PREFIX_NAME.
    shown: printed by `edge inspect`.
    """

    name: str
    schedule: bool = False
    length: int = 0
    real: bool = False
    enum: type[IntEnum] | None = None
    shown: bool = False


@dataclass(frozen=True)
class Slot:
    """A place in the struct for one post: `field` is a `struct act`, a `struct requantize`, or the operand RESIDUAL."""

    field: str
    takes: str

    def fits(self, post: Post) -> bool:
        """Whether this slot can hold `post`."""
        return post.kind in ACTIVATIONS if self.takes == ACTIVATION else post.kind == self.takes


#: y = act2(act(sum) + residual), and y = act(result)
EPILOGUE = (Slot("act", ACTIVATION), Slot(RESIDUAL, ADD), Slot("act2", ACTIVATION))
ACT = (Slot("act", ACTIVATION),)
#: y = requantized sum
END = (Slot("requantize", REQUANTIZE),)

PerElement = int | Callable[[Mapping[str, Number]], int]
Numbers = Mapping[str, Number]


@dataclass(frozen=True)
class Task:
    """What a schedule is made for: the step's shape by field, and the channels of its output (axis 1; the last axis of a matrix)."""

    shape: Numbers
    outputs: int

    def __getitem__(self, name: str) -> int:
        """An integer of the shape."""
        value = self.shape[name]
        assert isinstance(value, int)
        return value

    def row(self, name: str) -> tuple[int, ...]:
        """An array of the shape."""
        value = self.shape[name]
        assert isinstance(value, tuple)
        return value


def whole(task: Task, core: Core) -> Schedule:
    """One chunk, no tiles."""
    return Schedule()


@dataclass(frozen=True)
class Kernel:
    """A kernel's record.

    reads, weights: pointer fields, of buffers and of constants; `x[0]` is an element of an array.
    writes: pointer fields that it writes, its result first.
    over: (read, write) fields that may be the same memory: it reads each element before it writes it.
    fields: its numbers, in the order in which they are printed; an entry may also be the name of a post's field.
    posts: slots for what is done to the result in registers, in order.
    generic: its C is printed for each step (edge.words.loops); reads are then x0, x1, …
    schedule: chooses tiles and chunks for a step on one level.
    work: its class in a profile's `efficiency`.  positions: fields whose product is how often each packed weight is used.
    word: vector instructions a word of 32 weights that are bits; 0 where its multiply-adds are of numbers.
    instructions: vector instructions an element of its larger side (of_output: of its output), besides multiply-adds.
    """

    name: str
    reads: tuple[str, ...]
    fields: tuple[Field | str, ...]
    weights: tuple[str, ...] = ()
    posts: tuple[Slot, ...] = ()
    work: str = "elementwise"
    positions: tuple[str, ...] = ()
    instructions: PerElement = 1
    of_output: bool = False
    schedule: Callable[[Task, Core], Schedule] = whole
    generic: bool = False
    word: int = 0
    writes: tuple[str, ...] = ("y",)
    over: tuple[tuple[str, str], ...] = ()

    @property
    def numbers(self) -> tuple[Field, ...]:
        """The fields that a lowering must give."""
        return tuple(field for field in self.fields if isinstance(field, Field))

    def fields_from(self, numbers: Mapping[str, Number]) -> Fields:
        """What a lowering gives, in the record's order, the schedule's numbers left out."""
        return tuple((field.name, numbers[field.name]) for field in self.numbers if not field.schedule)

    def slots(self, posts: tuple[Post, ...]) -> dict[str, Post]:
        """The field of each post.  Raises RuntimeError if a post does not fit: a group was made that this kernel cannot compute."""
        placed: dict[str, Post] = {}
        free = list(self.posts)
        for post in posts:
            while free and not free[0].fits(post):
                free.pop(0)
            if not free:
                raise RuntimeError(f"{self.name} cannot apply {[p.kind for p in posts]}: it takes {[s.takes for s in self.posts]}")
            placed[free.pop(0).field] = post
        return placed

    def each(self, numbers: Mapping[str, Number]) -> int:
        """Vector instructions an element for a step of these numbers."""
        return self.instructions if isinstance(self.instructions, int) else self.instructions(numbers)


def ints(*names: str, length: int = 0, shown: bool = False) -> tuple[Field, ...]:
    """Fields that say what is computed."""
    return tuple(Field(name, length=length, shown=shown) for name in names)


def schedule(*names: str, shown: bool = False) -> tuple[Field, ...]:
    """Fields that a tuner may change."""
    return tuple(Field(name, schedule=True, shown=shown) for name in names)
