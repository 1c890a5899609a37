"""edge run A.edge --input in.npz --output out.npz, or --image photo.jpg: feed it and keep or show what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli import options
from edge.cli.output import put
from edge.cli.verb import verb
from edge.errors import EdgeError, one_line, unreadable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.artifact import Artifact

    Arrays = dict[str, NDArray[np.generic]]

TOP = 5


@verb
@options.artifact("the file to run")
@click.option("--input", type=options.FILE, metavar="IN.npz", help="arrays by input name (.npy for a single input)")
@click.option("--image", type=options.FILE, metavar="PHOTO", help="a picture, prepared as `edge build --preprocess` said")
@click.option("--output", type=options.FILE, metavar="OUT.npz", help="where the outputs go, by name")
@options.on()
@options.threads()
@options.as_json()
def command(artifact: Path, input: Path | None, image: Path | None, output: Path | None, on: str, threads: int, as_json: bool) -> int:
    from edge.artifact.reader import open_artifact
    from edge.pipeline.bare import runnable

    path = input or image
    if path is None or (input and image):
        raise EdgeError("run", "takes one of --input and --image", "edge run A.edge --input in.npz --output out.npz")
    with runnable(artifact) as file:
        opened = open_artifact(file)
        given = (from_file if input else from_image)(opened, path)
        outputs = answers(opened, given, on, threads)
        if output:
            keep(output, outputs)
        show(opened, outputs, pictures=image is not None, json_only=as_json)
    return 0


def answers(opened: Artifact, given: Arrays, on: str, threads: int) -> Arrays:
    """Outputs by name: in this process for `local`, else by the payload's program, on the device, by an interpreter or under an emulator."""
    from edge import devices
    from edge.artifact.emulator import emulator
    from edge.artifact.program import here
    from edge.cli.progress import Progress
    from edge.devices.remote import place_of
    from edge.session import load, run_at

    if on == "local" and (opened.payload.front or emulator(opened.path)):
        return run_at(opened, here, given, threads)
    if on == "local":
        with load(opened.path, threads=threads) as net:
            return net.run(given)
    with Progress() as say, devices.opened(on, say) as device:
        return run_at(opened, place_of(device, say), given, threads)


def from_file(opened: Artifact, path: Path) -> Arrays:
    """An .npz by names, or an .npy for the only input.  Pickles are refused: they are programs."""
    import zipfile

    import numpy as np

    from edge.artifact.npz import from_npz

    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            if len(opened.manifest.inputs) != 1:
                raise EdgeError(str(path), "is one array, and the model takes several", "give an .npz with one array an input")
            return {opened.manifest.inputs[0].name: loaded}
        loaded.close()
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise unreadable(path, error, "numpy.savez(path, input=array) makes one") from None
    return from_npz(path)


def from_image(opened: Artifact, path: Path) -> Arrays:
    from edge.artifact.preprocess import preprocess_from, read_image

    m = opened.manifest
    if m.preprocess is None:
        raise EdgeError(str(opened.path), "does not know how to prepare a picture", "build it with --preprocess imagenet")
    if len(m.inputs) != 1:
        raise EdgeError(str(opened.path), f"takes {len(m.inputs)} inputs, not one picture", "use --input")
    return {m.inputs[0].name: read_image(path, preprocess_from(m.preprocess, str(opened.path)))}


def keep(path: Path, outputs: Arrays) -> None:
    """An .npz by output names."""
    from edge.artifact.npz import to_npz
    from edge.artifact.whole_file import write_whole

    write_whole(path, [to_npz(outputs)])


def top(opened: Artifact, scores: NDArray[np.generic]) -> list[dict[str, object]]:
    """The classes with the largest values of the first output."""
    import numpy as np

    flat, labels = scores.reshape(-1), opened.labels or []
    order = np.argsort(-flat.astype(np.float64), kind="stable")[:TOP]
    return [{"class": int(i), "score": float(flat[i]), "label": labels[i] if i < len(labels) else None} for i in order]


def show(opened: Artifact, outputs: Arrays, *, pictures: bool, json_only: bool) -> None:
    first = next(iter(outputs.values()))
    facts = {name: {"shape": list(a.shape), "dtype": str(a.dtype)} for name, a in outputs.items()}
    best = top(opened, first) if pictures else []
    if json_only:
        put(json.dumps({"outputs": facts, "top": best} if pictures else {"outputs": facts}, indent=1))
        return
    for row in best:
        put(f"{row['score']:10.4f}  {row['class']:>5}  {one_line(str(row['label'] or ''))}".rstrip())
    for name, array in outputs.items() if not pictures else ():
        put(f"{one_line(name)}: {array.dtype} {list(array.shape)}")
