"""Events of a camera, checked, and the time steps that they fall into."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, spelled

Whole = NDArray[np.int64]
F32 = NDArray[np.float32]
MOST_EVENTS = 1 << 26
MOST_ELEMENTS = 1 << 28  #: of a raster
MOST_PLACE = 1 << 16  #: pixels along a side


@dataclass(frozen=True)
class Recording:
    """Events in the order of their time.  t: microseconds.  x, y: column and row.  p: 1 where it became brighter, else 0."""

    t: Whole = field(repr=False)
    x: Whole = field(repr=False)
    y: Whole = field(repr=False)
    p: Whole = field(repr=False)

    def __len__(self) -> int:
        return len(self.t)


def recording(where: str, t: Whole, x: Whole, y: Whole, p: Whole) -> Recording:
    """The events of four arrays of one length.  EdgeError for none, too many, times that run backwards, places or polarities that cannot be."""
    if not len(t) == len(x) == len(y) == len(p) or not 0 < len(t) <= MOST_EVENTS:
        lengths = sorted({len(t), len(x), len(y), len(p)})
        what = f"its t, x, y and p have {', '.join(map(str, lengths))} numbers" if len(lengths) > 1 else f"has {len(t)} events"
        raise EdgeError(where, what, f"1 to {MOST_EVENTS} events, four numbers each")
    t, x, y, p = (np.asarray(array, np.int64) for array in (t, x, y, p))
    back = np.flatnonzero(np.diff(t) < 0)
    if back.size:
        at = int(back[0]) + 1
        raise EdgeError(where, f"time runs backwards at event {at}: {t[at]} us after {t[at - 1]} us", "sort its events by time")
    for name, array in (("x", x), ("y", y)):
        if array.min() < 0 or array.max() >= MOST_PLACE:
            at = int(np.flatnonzero((array < 0) | (array >= MOST_PLACE))[0])
            raise EdgeError(where, f"{name} is {array[at]} at event {at}", f"0 to {MOST_PLACE - 1}")
    strange = np.flatnonzero((p != 0) & (p != 1) & (p != -1))
    if strange.size:
        raise EdgeError(where, f"the polarity is {p[strange[0]]} at event {strange[0]}", "1 for brighter, 0 or -1 for darker")
    return Recording(t, x, y, (p == 1).astype(np.int64))


def raster(events: Recording, dt: float, shape: Sequence[int], where: str = "the recording") -> F32:
    """(T, C, H, W) of zeros and ones: step t has a one where one event or more fell into [t dt, (t + 1) dt) after the first event.

    dt: seconds, whole nanoseconds.
    shape: (C, H, W) of the network's input; of two channels the second is that of brighter pixels, one channel takes both.
    EdgeError for events outside that picture, and for a raster too large.
    """
    if len(shape) != 3 or shape[0] not in (1, 2):
        raise EdgeError(where, f"a network that takes {list(shape)} has no place for events", "pictures of 1 or 2 channels: (C, H, W)")
    if not (math.isfinite(dt) and 1e-9 <= dt <= 3600):
        raise EdgeError(spelled(f"--dt {dt:g}", f"dt={dt:g}"), "is not 1e-9 to 3600", "the time step in seconds, e.g. 1e-3")
    channels, rows, columns = shape
    outside = np.flatnonzero((events.x >= columns) | (events.y >= rows))
    if outside.size:
        first = int(outside[0])
        what = f"{outside.size} of {len(events)} events lie outside {columns} x {rows} pixels, the first at x {events.x[first]}, y {events.y[first]}"
        raise EdgeError(where, what, "a recording of that size, or a network for this one")
    if int(events.t[-1]) - int(events.t[0]) > 1 << 50:
        raise EdgeError(where, "spans more than 35 years", "microseconds, from the start of the recording")
    step = (events.t - events.t[0]) * 1000 // round(dt * 1e9)
    steps = int(step[-1]) + 1
    if steps * math.prod(shape) > MOST_ELEMENTS:
        what = f"{steps} steps of {dt:g} s and {list(shape)} are more than {MOST_ELEMENTS} numbers"
        raise EdgeError(where, what, f"a longer {spelled('--dt', 'dt')}, or a part of the recording")
    found = np.zeros((steps, *shape), np.float32)
    found[step, events.p if channels == 2 else 0, events.y, events.x] = 1
    return found
