"""A recording made of a still picture, as N-MNIST was made: the camera moves before it in three small steps [Orchard et al. 2015].

What is made is synthetic and to be called so.  A pixel keeps the logarithm of the light that it last told of; where the light now differs by the
threshold it tells so, at the time between two frames when that happened, and is deaf for a while.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.events.recording import Recording, recording

FRAME = 1000  #: microseconds between two positions of the camera
MOVES = ((0.0, 0.0), (2.0, 4.0), (4.0, 0.0), (0.0, 0.0))  #: pixels, rows and columns: the corners of the way


def saccades(
    picture: NDArray[np.floating], seed: int = 0, *, threshold: float = 0.2, frames: int = 300, deaf: int = 1000, noise: float = 0.1
) -> Recording:
    """Events of a camera that moves before `picture` (H, W) of 0 to 1, on an empty border.

    threshold: of the logarithm of light.  frames: of a thousandth of a second.  deaf: microseconds after an event.
    noise: false events a pixel and second.  The same numbers give the same events.
    """
    draw = np.random.default_rng(seed)
    height, width = picture.shape
    margin = 6
    scene = np.zeros((height + 2 * margin, width + 2 * margin))
    scene[margin:-margin, margin:-margin] = picture
    way = np.array(MOVES)
    at = np.linspace(0, len(way) - 1, frames)
    rows, columns = (np.interp(at, np.arange(len(way)), way[:, axis]) for axis in (0, 1))
    told = _light(scene, rows[0], columns[0], height, width)
    before, silent = told.copy(), np.full((height, width), -deaf)
    found: list[NDArray[np.int64]] = []
    for frame in range(1, frames):
        now = _light(scene, rows[frame], columns[frame], height, width)
        for sign in (1, -1):
            over = sign * (now - told) >= threshold
            part = np.clip((told + sign * threshold - before) / np.where(now == before, 1, now - before), 0, 1)
            time = ((frame - 1 + part) * FRAME).astype(np.int64)
            over &= time - silent >= deaf
            y, x = np.nonzero(over)
            found.append(np.stack([time[y, x], x, y, np.full(len(x), int(sign > 0))]))
            told = np.where(over, told + sign * threshold, told)
            silent = np.where(over, time, silent)
        before = now
    count = int(draw.poisson(noise * height * width * frames * FRAME * 1e-6))
    false = np.stack([draw.integers(0, high, count) for high in (frames * FRAME, width, height, 2)])
    events = np.concatenate([*found, false], axis=1)
    t, x, y, p = events[:, np.lexsort(events[::-1])]
    return recording("saccades", t, x, y, p)


def _light(scene: NDArray[np.float64], row: float, column: float, height: int, width: int) -> NDArray[np.float64]:
    """The logarithm of what the camera sees from there, between four pixels."""
    top, left = int(row), int(column)
    down, right = row - top, column - left

    def part(y: int, x: int) -> NDArray[np.float64]:
        return scene[top + y : top + y + height, left + x : left + x + width]

    seen = (1 - down) * ((1 - right) * part(0, 0) + right * part(0, 1)) + down * ((1 - right) * part(1, 0) + right * part(1, 1))
    return np.log(seen + 0.1)
