"""edge run A.edge --events recording: a network of spikes over the time steps of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EdgeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.artifact import Artifact

    Arrays = dict[str, NDArray[np.generic]]


def rows_of(opened: Artifact, path: Path, dt: float | None) -> NDArray[np.float32]:
    """The recording as inputs of calls, (N, *shape of the input); steps that are missing in the last call are zeros."""
    import numpy as np

    from edge import events

    m = opened.manifest
    if len(m.inputs) != 1 or len(m.inputs[0].shape) != 4 or m.inputs[0].dtype != "float32":
        raise EdgeError(str(opened.path), "does not take one picture of float32 a time step", "use --input")
    known = m.options.get("dt")
    step = dt if dt is not None else known
    if not isinstance(step, (int, float)):
        raise EdgeError("--events", "the length of a time step is not known", "add --dt SECONDS, e.g. --dt 1e-3")
    (tensor,) = m.inputs
    frames = events.raster(events.read(path), float(step), tensor.shape[1:], path.name)
    steps = tensor.shape[0]
    padded = np.zeros((-(-len(frames) // steps) * steps, *frames.shape[1:]), np.float32)
    padded[: len(frames)] = frames
    return padded.reshape(-1, *tensor.shape)


def over_steps(opened: Artifact, rows: NDArray[np.float32], on: str, threads: int) -> Arrays:
    """Outputs by name, a row a time step where the file has one, else a row a call."""
    from edge import devices
    from edge.artifact.program import here
    from edge.cli.progress import Progress
    from edge.devices.remote import place_of
    from edge.session import stream_at

    if on == "local":
        made = stream_at(opened, here, rows, threads)
    else:
        with Progress() as say, devices.opened(on, say) as device:
            made = stream_at(opened, place_of(device, say), rows, threads)
    return {name: array.reshape(-1, *array.shape[2:]) for name, array in made.items()}
