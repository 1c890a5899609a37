"""edge run A.edge --input in.npz --output out.npz, or --image photo.jpg: feed it and keep or show what it says."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.artifact import Artifact

    Arrays = dict[str, NDArray[np.generic]]

TOP = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", help="the file to run")
    parser.add_argument("--input", type=Path, metavar="IN.npz", help="arrays by input name (.npy for a single input)")
    parser.add_argument("--image", type=Path, metavar="PHOTO", help="a picture, prepared as `edge build --preprocess` said")
    parser.add_argument("--output", type=Path, metavar="OUT.npz", help="where the outputs go, by name")
    parser.add_argument("--on", default="local", metavar="DEVICE", help="where to run it (local)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="0 for one a CPU (1)")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def run(args: argparse.Namespace) -> int:
    from edge import artifact
    from edge.errors import EdgeError

    if (args.input is None) == (args.image is None):
        raise EdgeError("run", "takes one of --input and --image", "edge run A.edge --input in.npz --output out.npz")
    opened = artifact.open(args.artifact)
    given = from_image(opened, args.image) if args.image else from_file(opened, args.input)
    outputs = answers(opened, given, args.on, args.threads)
    if args.output:
        keep(args.output, outputs)
    show(opened, outputs, pictures=args.image is not None, as_json=args.json)
    return 0


def answers(opened: Artifact, given: Arrays, on: str, threads: int) -> Arrays:
    """Outputs by name: in this process for `local`, else by the program, on the device or under an emulator."""
    from edge import devices
    from edge.artifact.emulator import emulator
    from edge.artifact.program import here
    from edge.cli.progress import Progress
    from edge.devices.remote import place_of
    from edge.session import load, run_at

    if on == "local" and emulator(opened.path):
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
    from edge.errors import EdgeError

    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            if len(opened.manifest.inputs) != 1:
                raise EdgeError(str(path), "is one array, and the model takes several", "give an .npz with one array an input")
            return {opened.manifest.inputs[0].name: loaded}
        loaded.close()
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise EdgeError(str(path), f"cannot be read: {error}", "numpy.savez(path, input=array) makes one") from None
    return from_npz(path)


def from_image(opened: Artifact, path: Path) -> Arrays:
    from edge.artifact.preprocess import preprocess_from, read_image
    from edge.errors import EdgeError

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


def show(opened: Artifact, outputs: Arrays, *, pictures: bool, as_json: bool) -> None:
    from edge.errors import one_line

    first = next(iter(outputs.values()))
    facts = {name: {"shape": list(a.shape), "dtype": str(a.dtype)} for name, a in outputs.items()}
    best = top(opened, first) if pictures else []
    if as_json:
        print(json.dumps({"outputs": facts, "top": best} if pictures else {"outputs": facts}, indent=1))
        return
    for row in best:
        print(f"{row['score']:10.4f}  {row['class']:>5}  {one_line(str(row['label'] or ''))}".rstrip())
    for name, array in outputs.items() if not pictures else ():
        print(f"{one_line(name)}: {array.dtype} {list(array.shape)}")
