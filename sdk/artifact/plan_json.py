"""A plan as JSON and back.  Packed data is not in it: a constant keeps its dtype, packed shape and offset in weights.bin."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edge.artifact.shapes import brief, elements
from edge.artifact.typed_json import Json, decode, encode
from edge.errors import EdgeError
from edge.words.dtype import Dtype
from edge.words.layout import WORDS
from edge.words.plan import Constant, Plan
from edge.words.post import ACTIVATIONS, COSTS

MOST = 1 << 53  #: of any count in a plan: what a float holds exactly
MOST_BLOCK = 1 << 20
DTYPES = {str(dtype) for dtype in Dtype}
COUNTED = ("macs", "bytes", "chunks", "channels")


@dataclass(frozen=True)
class StoredConstant:
    """Constant without its data.  dtype, packed: of the data in weights.bin at `offset`."""

    name: str
    source: str
    shape: tuple[int, ...]
    pads: tuple[int, ...]
    split: tuple[int, ...]
    perm: tuple[int, ...]
    offset: int
    dtype: str
    packed: tuple[int, ...]


@dataclass(frozen=True)
class StoredPlan(Plan):
    """Plan with its constants in another form."""

    constants: dict[str, StoredConstant]  # type: ignore[assignment]


def plan_to_json(plan: Plan) -> dict[str, Json]:
    """What the manifest keeps under "plan"."""
    kept = {f.name: getattr(plan, f.name) for f in fields(plan)}
    kept["constants"] = {name: stored(c) for name, c in plan.constants.items()}
    return cast(dict[str, Json], encode(StoredPlan(**kept)))


def to_bytes(plan: Plan) -> bytes:
    """plan.json of `edge build --dump`."""
    return (json.dumps(plan_to_json(plan), indent=1) + "\n").encode()


def plan_from_json(value: object, where: str, weights: NDArray[np.uint8] | None = None) -> Plan:
    """The plan of a manifest.  weights: weights.bin, of which the constants become views; without it they hold zeros."""
    wrong: list[str] = []
    kept = decode(StoredPlan, value, "plan", wrong)
    if kept is None:
        raise EdgeError(where, "; ".join(wrong[:8]), "build it again with this edge")
    parts = {f.name: getattr(kept, f.name) for f in fields(kept)}
    parts["constants"] = {name: with_data(c, where, weights) for name, c in kept.constants.items()}
    plan = Plan(**parts)
    if wrong := mistakes(plan):
        raise EdgeError(where, "; ".join(wrong[:8]), "build it again with this edge")
    return plan


def mistakes(plan: Plan) -> list[str]:
    """What types alone do not say: names that are not there, and numbers that no step or buffer can have."""
    wrong = []
    for name, buffer in plan.buffers.items():
        blocked = buffer.layout.block != 0
        if elements(buffer.shape, MOST) is None or not 0 <= buffer.layout.block <= MOST_BLOCK or (blocked and len(buffer.shape) < 2):
            wrong.append(f"buffer '{name}' has shape {brief(buffer.shape)}, layout {buffer.layout}")
        if not 0 <= buffer.layout.room <= MOST or (buffer.layout.room and (buffer.dtype != Dtype.F32 or not blocked)):
            wrong.append(f"buffer '{name}' is a list of {buffer.dtype} with room for {buffer.layout.room} in blocks of {buffer.layout.block}")
        if buffer.dtype == Dtype.B1 and buffer.layout != WORDS:
            wrong.append(f"buffer '{name}' is {buffer.dtype} in layout {buffer.layout}")
        if buffer.window is not None and not (0 <= buffer.window.region < len(plan.regions) and buffer.shares in plan.buffers):
            wrong.append(f"buffer '{name}' is a window of nothing")
    for name, level in plan.levels.items():
        if not len(level.schedules) == len(level.code) == len(plan.steps):
            wrong.append(f"level '{name}' schedules {len(level.schedules)} of {len(plan.steps)} steps")
        figures = [(key, value) for s in level.schedules for key, value in (("chunks", s.chunks), *s.fields)]
        wrong += [f"level '{name}': {key} {n}" for key, n in figures if not isinstance(n, int) or not 0 < n <= MOST]
    for region in plan.regions:
        if not (0 <= region.first <= region.end <= len(plan.steps) and 0 < region.trips <= MOST):
            wrong.append(f"region '{region.name}' runs steps {region.first} to {region.end} {region.trips} times")
    wrong += [f"state '{state.input}' is not there" for state in plan.states if state.input not in plan.buffers]
    if not plan.levels:
        wrong.append("no levels")
    for step in plan.steps:
        named = {*step.outputs, *(operand.buffer for operand in step.inputs)} - plan.buffers.keys()
        if not step.outputs:
            wrong.append(f"step '{step.name}' writes nothing")
        wrong += [f"step '{step.name}' names '{name}', which is not there" for name in sorted(named)]
        wrong += [f"step '{step.name}': unknown post '{post.kind:.40}'" for post in step.posts if post.kind not in (*COSTS, *ACTIVATIONS)]
        wrong += [f"step '{step.name}': view {o.view} of '{o.buffer}'" for o in step.operands if len(o.view) not in (0, 2)]
        counts = [
            ("macs", step.macs),
            ("bytes", step.bytes),
            *(("channels", n) for operand in step.operands for n in operand.view),
        ]
        counts += [(key, n) for key, value in step.numbers.items() for n in (value if isinstance(value, tuple) else (value,)) if isinstance(n, int)]
        wrong += [f"step '{step.name}': {key} {n}" for key, n in counts if not -MOST <= n <= MOST or (n < 0 and key in COUNTED)]
    return wrong


def stored(c: Constant) -> StoredConstant:
    kept = {f.name: getattr(c, f.name) for f in fields(c) if f.name != "data"}
    return StoredConstant(**kept, dtype=c.data.dtype.name, packed=c.data.shape)


def with_data(c: StoredConstant, where: str, weights: NDArray[np.uint8] | None) -> Constant:
    if c.dtype not in DTYPES:
        raise EdgeError(where, f"constant '{c.name}' has dtype '{c.dtype[:80]}'", "build it again with this edge")
    dtype = np.dtype(c.dtype)
    count = elements(c.packed, MOST, least=0)
    if count is None or c.offset < 0:
        raise EdgeError(where, f"constant '{c.name}' has shape {brief(c.packed)} at {c.offset}", "build it again with this edge")
    kept = {k: v for k, v in asdict(c).items() if k not in ("dtype", "packed")}
    if weights is None:
        return Constant(**kept, data=np.broadcast_to(np.zeros((), dtype), c.packed))
    if c.offset + count * dtype.itemsize > weights.size:
        raise EdgeError(where, f"constant '{c.name}' lies past the end of weights.bin", "build it again with this edge")
    data = weights[c.offset : c.offset + count * dtype.itemsize].view(dtype).reshape(c.packed)
    return Constant(**kept, data=data)
