"""`make demo`: three small trained networks on real pictures and five full-size ones, built, checked and measured on this machine; then the same
eight for the Raspberry Pi 4, checked under QEMU, with modelled time and energy.  A line as each is done, the tables at the end.

python examples/demo.py              # four minutes on two cores
python examples/demo.py --full       # every full-size network of the zoo on this machine
python examples/demo.py --only fashion/mobilenet     # one network, half a minute; shell wildcards choose several
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import raspberry_pi
from numpy.typing import NDArray

import edge
from edge import models
from edge.cli.progress import Progress
from edge.cli.signals import Interrupted, ending_on_signals
from edge.report.table import table
from edge.verify import require_good, verify

Pictures = NDArray[np.float32]
Labels = NDArray[np.int64]
FASHION = Path(__file__).resolve().parent / "fashion"
SMALL = ("fashion/mobilenet", "fashion/pplcnet", "fashion/fasternet")
FEW = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "pp_lcnet_x1_0", "fasternet_t0")
SECONDS = 1.0  #: of measuring a network


@dataclass(frozen=True)
class Row:
    """One line of the table; top1: right answers of ours and of torch on the 1,000 pictures, in per cent; theirs: torch's share of 1."""

    name: str
    macs: int
    file: int
    arena: int
    error: float
    top1: str
    theirs: float
    p50: float
    build: float
    stable: bool

    def cells(self) -> tuple[str, ...]:
        figures = (f"{self.macs / 1e6:.1f}", f"{self.file / 1e6:.2f}", f"{self.arena / 1e6:.2f}", f"{self.error:.1e}", self.top1)
        return (self.name, *figures, f"{self.p50:.3f}{'' if self.stable else ' *'}", f"{self.macs / self.p50 / 1e6:.0f}", f"{self.build:.1f}")


HEADER = ("network", ">MMAC", ">file MB", ">arena MB", ">error", ">top-1 % edge / torch", ">p50 ms", ">GMAC/s", ">build s")


def main() -> int:
    """Prints the table; 1 when a network is not right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true", help="every full-size network of the zoo, not one a family")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="networks by name, with shell wildcards: 'fashion/*', fasternet_t0")
    arguments = parser.parse_args()
    ours, few = (tuple(fnmatch.filter(names, arguments.only)) for names in (SMALL, full_size() if arguments.full else FEW))
    if not ours and not few:
        raise edge.EdgeError(f"--only {arguments.only}", "no network has such a name", f"there are {', '.join((*SMALL, *FEW))}")
    began = time.monotonic()
    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="edge-demo-") as folder, Progress() as say:
        trained = list(small(Path(folder), ours, say))
        rows = [*trained, *zoo(Path(folder), few, say)]
        pis = [*raspberry(Path(folder), {row.name: row.theirs for row in trained}, say)]
        pis += raspberry_zoo(Path(folder), [name for name in few if name in FEW], say)
    print()
    print(table(HEADER, [row.cells() for row in rows]).rstrip("\n"))
    print("\nfloat32, batch 1, one thread, this CPU at its best level; error: max|d| / max|torch| on generated inputs\n")
    print(raspberry_pi.text(pis, {row.name: row.theirs for row in trained}, {row.name: row.p50 for row in rows}))
    print(f"{time.monotonic() - began:.0f} s in all")
    if not all(row.stable for row in rows):
        print("* the machine was busy or its clock moved: run it again on a quiet machine before you quote the figure")
    return 0


def load_pictures() -> tuple[Pictures, Labels]:
    """(1000, 1, 1, 28, 28) from 0 to 1, and their classes."""
    data = np.load(FASHION / "pictures.npz")
    return data["pictures"].astype(np.float32)[:, None, None] / np.float32(255), data["labels"]


def small(folder: Path, names: Sequence[str], say: Progress) -> Iterator[Row]:
    """The trained ones, with their answers on 1,000 real pictures beside torch's."""
    pictures, labels = load_pictures()
    for name in names:
        done(say, name)
        short = Path(name).name
        path, seconds = built(f"{FASHION / 'networks.py'}:{short}", folder / f"{short}.edge", say)
        with edge.load(path) as net:
            answers = np.array([int(np.argmax(np.asarray(net(picture)))) for picture in pictures])
        ours, theirs = float((answers == labels).mean()), float((torch_answers(short, pictures) == labels).mean())
        if ours != theirs:
            raise edge.CheckFailed(name, f"top-1 is {ours:.1%}, torch's is {theirs:.1%}", "edge verify shows where they part")
        row = measured(name, path, seconds, say, f"{ours:.1%} / {theirs:.1%}".replace("%", ""), theirs)
        result(say, f"{row.name}: {row.p50:.3f} ms a picture, {ours:.1%} of 1,000 right, as by torch; built in {seconds:.0f} s")
        yield row


def raspberry(folder: Path, theirs: dict[str, float], say: Progress) -> Iterator[raspberry_pi.Pi]:
    """The same for the Raspberry Pi 4.  theirs: torch's top-1 by name."""
    pictures, labels = load_pictures()
    for name in theirs:
        done(say, f"{name} for the Raspberry Pi 4")
        pi = raspberry_pi.on_pi(name, f"{FASHION / 'networks.py'}:{Path(name).name}", folder, pictures, labels, say)
        if pi.top1 not in (None, theirs[name]):
            raise edge.CheckFailed(
                name, f"top-1 on the Pi's CPU is {pi.top1:.1%}, torch's is {theirs[name]:.1%}", "edge verify shows where they part"
            )
        result(say, f"{name} for the Raspberry Pi 4: {raspberry_pi.band(pi.ms['rpi4'])} ms, modelled")
        yield pi


def raspberry_zoo(folder: Path, names: Sequence[str], say: Progress) -> Iterator[raspberry_pi.Pi]:
    """One network a family for the Raspberry Pi 4; the build checks it under QEMU."""
    for name in names:
        done(say, f"{name} for the Raspberry Pi 4")
        pi = raspberry_pi.on_pi(name, f"zoo:{name}", folder, None, None, say)
        result(say, f"{name} for the Raspberry Pi 4: {raspberry_pi.band(pi.ms['rpi4'])} ms, modelled; {pi.checked}")
        yield pi


def torch_answers(name: str, pictures: Pictures) -> Labels:
    """The class that torch gives each picture."""
    import torch

    sys.path.insert(0, str(FASHION))
    import networks

    module, _ = networks.trained(name)
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(pictures[:, 0])).argmax(1))


def full_size() -> tuple[str, ...]:
    """Every PP-LCNet and FasterNet, and the MobileNets; their other widths and resolutions cost the same work over again."""
    return tuple(name for name in models.names() if not re.match(r"mobilenet.*_(x\d|\d{3})", name))


def zoo(folder: Path, names: Sequence[str], say: Progress) -> Iterator[Row]:
    """Full size, 224 x 224, drawn weights."""
    for name in names:
        done(say, name)
        path, seconds = built(f"zoo:{name}", folder / f"{name}.edge", say)
        row = measured(name, path, seconds, say, "-")
        result(say, f"{row.name}: {row.p50:.3f} ms, {row.macs / row.p50 / 1e6:.0f} GMAC/s, error {row.error:.1e}; built in {seconds:.0f} s")
        yield row
        path.unlink()


def built(model: str, path: Path, say: Progress) -> tuple[Path, float]:
    """The artifact and the seconds it took."""
    began = time.monotonic()
    edge.build(model, target="cpu", out=path, say=say)
    return path, time.monotonic() - began


def measured(name: str, path: Path, seconds: float, say: Progress, top1: str, theirs: float = float("nan")) -> Row:
    """Checked against its model's own outputs, then timed."""
    say(f"{name}: verifying")
    outcome = verify(path)
    require_good(outcome)
    say(f"{name}: measuring")
    profile = edge.profile(path, min_secs=SECONDS)
    stable = profile.hygiene.stable
    return Row(name, profile.macs, profile.artifact_bytes, profile.arena_bytes, outcome.worst, top1, theirs, profile.latency_ms.p50, seconds, stable)


def result(say: Progress, text: str) -> None:
    """A line that stays, in front of the line that is rewritten."""
    if say.redraws:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(text, flush=True)


def done(say: Progress, name: str) -> None:
    """One line a network where there is no terminal to rewrite a line on."""
    if not say.redraws:
        print(f"building {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except edge.EdgeError as error:
        print(f"demo: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except Interrupted as ended:
        print(f"demo: {ended}", file=sys.stderr)
        raise SystemExit(ended.code) from None
