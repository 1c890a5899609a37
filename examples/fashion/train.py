"""Trains the three small networks and writes what the example ships.

    python examples/fashion/train.py [--data FOLDER] [--epochs 10] [--out FOLDER] [NETWORK …]

One CPU thread and a fixed seed, about five minutes a network.  Per network: AdamW under one learning-rate cycle, pictures flipped and shifted by up
to two pixels, cross entropy with smoothed labels.  The weights are written as float16 (vectors as float32), and it is those rounded weights whose
accuracy is recorded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import idx
import networks
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import EdgeError
from edge.models import load_weights

SEED = 20260101
BATCH = 128
PEAK = 6e-3
SHIPPED = 1000  #: of the test pictures, the first
NETWORKS = ("mobilenet", "pplcnet", "fasternet")
FOLDER = Path("/usr/share/datasets/fashion-mnist")


def tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, 28, 28) bytes -> (N, 1, 28, 28) float32, pixel / 255."""
    return torch.from_numpy(pictures[:, None].astype(np.float32) / 255)


def augment(x: Tensor, draw: torch.Generator) -> Tensor:
    """Half of the batch mirrored, all of it shifted by one random step of up to two pixels each way, black moving in."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=draw) < 0.5
    x = torch.where(mirrored, x.flip(3), x)
    down, right = torch.randint(0, 5, (2,), generator=draw).tolist()
    return functional.pad(x, (2, 2, 2, 2))[:, :, down : down + 28, right : right + 28]


def top1(module: nn.Module, pictures: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """Share of pictures whose largest logit is the label."""
    module.eval()
    with torch.no_grad():
        guesses = torch.cat([module(batch).argmax(1) for batch in tensor(pictures).split(500)])  # type: ignore[no-untyped-call]
    return float((guesses.numpy() == labels).mean())


def train(module: nn.Module, pictures: NDArray[np.uint8], labels: NDArray[np.uint8], epochs: int, report: str) -> None:
    """Trains in place; one line an epoch on stderr."""
    draw = torch.Generator().manual_seed(SEED)
    x, y = tensor(pictures).to(memory_format=torch.channels_last), torch.from_numpy(labels.astype(np.int64))
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # depthwise convolutions train twice as fast
    optimizer = torch.optim.AdamW(module.parameters(), lr=PEAK, weight_decay=0.02)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps * epochs, pct_start=0.2)
    for epoch in range(epochs):
        module.train()
        began, total = time.perf_counter(), 0.0
        for chosen in torch.randperm(len(x), generator=draw)[: steps * BATCH].split(BATCH):  # type: ignore[no-untyped-call]
            loss = functional.cross_entropy(module(augment(x[chosen], draw)), y[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"{report} epoch {epoch + 1}/{epochs}: loss {total / steps:.4f}, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def save(module: nn.Module, path: Path) -> None:
    """Weights as .npz: matrices float16, vectors (norms, biases) float32."""
    arrays = {name: value.contiguous().numpy() for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    np.savez_compressed(path, **{name: value.astype(np.float16 if value.ndim > 1 else np.float32) for name, value in arrays.items()})


def save_pictures(pictures: NDArray[np.uint8], labels: NDArray[np.uint8], folder: Path) -> None:
    """The first 1,000 pictures with their labels as pictures.npz, and the first three as .png named after what they show."""
    from PIL import Image

    np.savez_compressed(folder / "pictures.npz", pictures=pictures[:SHIPPED], labels=labels[:SHIPPED])
    names = (networks.HERE / "labels.txt").read_text().splitlines()
    for picture, label in zip(pictures[:3], labels[:3], strict=True):
        Image.fromarray(picture).save(folder / f"{names[label].lower().replace(' ', '-')}.png")


def main() -> int:
    parser = argparse.ArgumentParser(description="train the small networks of this example")
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--data", type=Path, default=FOLDER, help=f"folder of the four idx .gz files ({FOLDER})")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=networks.HERE, help="where NETWORK.npz and results.json go")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        shown, test = idx.pictures(options.data, "train"), idx.pictures(options.data, "t10k")
    except EdgeError as error:
        print(f"train: {error}", file=sys.stderr)
        return error.exit_code
    save_pictures(*test, options.out)
    record = options.out / "results.json"
    results = json.loads(record.read_text()) if record.exists() else {}
    for name in options.networks:
        torch.manual_seed(SEED)
        module = networks.untrained(name)
        train(module, *shown, options.epochs, name)
        save(module, options.out / f"{name}.npz")
        load_weights(module, options.out / f"{name}.npz")
        first = top1(module, test[0][:SHIPPED], test[1][:SHIPPED])
        results[name] = {"top1_first_1000": first, "top1_10000": top1(module, *test), "epochs": options.epochs, "seed": SEED}
        print(f"{name}: {results[name]}")
        record.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
