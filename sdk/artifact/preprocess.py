"""From a photo to a network's input: resize the short side, cut the middle, scale, normalise.  Written at build, applied by `edge run --image`.

    imagenet                                              the usual one of torchvision's classifiers
    resize=256,crop=224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225,color=rgb,scale=255,layout=nchw,filter=bilinear

y = (x / scale - mean) / std, by channel; x in 0…255.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.artifact.pictures import MAX_PIXELS, Size, read_picture
from edge.artifact.typed_json import decode
from edge.errors import EdgeError, did_you_mean

if TYPE_CHECKING:
    from PIL import Image

Array = NDArray[np.generic]
MODES = {"rgb": "RGB", "gray": "L"}
LAYOUTS, FILTERS = ("nchw", "nhwc"), ("nearest", "bilinear", "bicubic")
MAX_SIDE = 8192
OPTION = "--preprocess"


@dataclass(frozen=True)
class Preprocess:
    """resize: the short side in pixels, 0 to leave it.  crop: side of the middle square, 0 for the whole.  mean, std: one a channel."""

    resize: int = 0
    crop: int = 0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    color: str = "rgb"
    scale: float = 255.0
    layout: str = "nchw"
    filter: str = "bilinear"


PRESETS = {
    "imagenet": Preprocess(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "none": Preprocess(),
}
PARSERS: dict[str, Callable[[str], object]] = {
    "resize": int, "crop": int, "scale": float, "color": str, "layout": str, "filter": str,
    "mean": lambda text: tuple(float(x) for x in text.split("/")), "std": lambda text: tuple(float(x) for x in text.split("/")),
}  # fmt: skip


def parse(text: str) -> Preprocess:
    """A preset, or `key=value,…`, or a preset followed by keys that change it.  All mistakes at once in one EdgeError."""
    wrong: list[str] = []
    found: dict[str, object] = {}
    start = Preprocess()
    for number, word in enumerate(text.split(",")):
        key, equals, value = (part.strip() for part in word.partition("="))
        if not equals and number == 0 and key in PRESETS:
            start = PRESETS[key]
        elif not equals:
            wrong.append(f"'{key}' has no value" if key in PARSERS else unknown(key, [*PRESETS, *PARSERS]))
        elif key not in PARSERS:
            wrong.append(unknown(key, PARSERS))
        elif key in found:
            wrong.append(f"{key} is there twice")
        else:
            try:
                found[key] = PARSERS[key](value)
            except ValueError:
                wrong.append(f"{key}={value} is not a number")
    made = replace(start, **found)  # type: ignore[arg-type]  # each parser gives its field's type
    wrong += mistakes(made)
    if wrong:
        raise EdgeError(OPTION, "; ".join(wrong), "for example resize=256,crop=224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225")
    return made


def preprocess_from(value: object, where: str) -> Preprocess:
    """From a manifest."""
    wrong: list[str] = []
    made = decode(Preprocess, value, "preprocess", wrong)
    wrong += mistakes(made) if made else []
    if made is None or wrong:
        raise EdgeError(where, "; ".join(wrong), "build it again")
    return made


def unknown(key: str, known: object) -> str:
    names = [str(k) for k in known] if isinstance(known, list | dict) else []
    cure = did_you_mean(key, names) or f"it knows {', '.join(names)}"
    return f"unknown '{key}', {cure.rstrip('?')}" + ("?" if cure.endswith("?") else "")


def mistakes(p: Preprocess) -> list[str]:
    channels = 3 if p.color == "rgb" else 1
    words = (("color", p.color, tuple(MODES)), ("layout", p.layout, LAYOUTS), ("filter", p.filter, FILTERS))
    wrong = [f"{key}={value} is not one of {', '.join(choices)}" for key, value, choices in words if value not in choices]
    wrong += [f"{k}={v} is not between 0 and {MAX_SIDE}" for k, v in (("resize", p.resize), ("crop", p.crop)) if not 0 <= v <= MAX_SIDE]
    wrong += [f"{k} has {len(v)} values for {channels} channels" for k, v in (("mean", p.mean), ("std", p.std)) if len(v) not in (1, channels)]
    wrong += [f"{k} has a value that is not a finite number" for k, v in (("mean", p.mean), ("std", p.std)) if not all(map(math.isfinite, v))]
    if 0.0 in p.std or not (math.isfinite(p.scale) and p.scale > 0):
        wrong.append("std and scale divide: they must not be 0")
    return wrong


def read_image(path: Path, p: Preprocess, wanted: tuple[int, ...] | None = None) -> Array:
    """A photo as float32, (1, C, H, W) or (1, H, W, C) by layout.  wanted: the shape that the network takes, refused before it is made."""

    def check(size: Size) -> None:
        width, height = resized(size, p)
        if width * height > MAX_PIXELS:
            what = f"is {size[0]} x {size[1]} pixels and would be resized to {width} x {height}, more than 100 million"
            raise EdgeError(str(path), what, "cut it nearer to a square")

    image = read_picture(path, MODES[p.color], check)
    shape = shape_of(image.size, p)
    if wanted is not None and shape != wanted:
        what = f"is {image.width} x {image.height} pixels and becomes {by(shape)} ({p.layout}), the network takes {by(wanted)}"
        raise EdgeError(str(path), what, "build with resize= and crop= in --preprocess, or give a picture of that size")
    return apply(image, p)


def require_input(p: Preprocess, inputs: Mapping[str, tuple[int, ...]]) -> None:
    """EdgeError unless what the recipe makes of a picture fits the network's one input."""
    if len(inputs) != 1:
        raise EdgeError(OPTION, f"prepares one picture, the model takes {len(inputs)} inputs", f"leave {OPTION} out, and give arrays")
    ((name, wanted),) = inputs.items()
    made = shape_of((p.resize, p.resize), p) if p.resize or p.crop else ()
    place = LAYOUTS.index(p.layout)
    channels, sides = (1, slice(2, 4)) if place == 0 else (3, slice(1, 3))
    fits = len(wanted) == 4 and wanted[0] == 1 and wanted[channels] == (3 if p.color == "rgb" else 1)
    if fits and p.crop:
        fits = wanted == made
    elif fits and p.resize:  # the long side is the picture's own
        fits = min(wanted[sides]) == p.resize
    if fits:
        return
    what = f"makes {by(made) if p.crop else f'{p.color} pictures in {p.layout}'}, input '{name}' takes {by(wanted)}"
    raise EdgeError(OPTION, what, cure_for(wanted))


def cure_for(wanted: tuple[int, ...]) -> str:
    """The keys that make a picture of that shape."""
    if len(wanted) != 4 or wanted[0] != 1:
        return f"leave {OPTION} out, and give arrays: a picture is 1x3xHxW" if len(wanted) != 4 else "export the model for one picture at a time"
    layout, channels = next(((name, n) for name, n in (("nchw", wanted[1]), ("nhwc", wanted[3])) if n in (1, 3)), ("", 0))
    if not layout:
        return f"leave {OPTION} out, and give arrays: a picture has 1 or 3 channels"
    height, width = wanted[2:4] if layout == "nchw" else wanted[1:3]
    words = [f"resize={min(height, width)}", *([f"crop={height}"] if height == width else [])]
    return ",".join([*words, *(["color=gray"] if channels == 1 else []), *(["layout=nhwc"] if layout == "nhwc" else [])])


def by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def resized(size: Size, p: Preprocess) -> Size:
    """Width and height after resize=: the short side exactly, the long one cut to a whole pixel."""
    short = min(size)
    return (size[0] * p.resize // short, size[1] * p.resize // short) if p.resize else size


def shape_of(size: Size, p: Preprocess) -> tuple[int, ...]:
    """The shape of what a picture of that width and height becomes."""
    width, height = (p.crop, p.crop) if p.crop else resized(size, p)
    channels = 3 if p.color == "rgb" else 1
    return (1, channels, height, width) if p.layout == "nchw" else (1, height, width, channels)


def apply(image: Image.Image, p: Preprocess) -> Array:
    """The arithmetic on a picture of the right mode, or of mode F; it rounds as torchvision does, the long side down and the corner to even."""
    from PIL import Image

    if p.resize:
        image = image.resize(resized(image.size, p), Image.Resampling[p.filter.upper()])
    if p.crop:
        left, top = (round((side - p.crop) / 2) for side in image.size)
        image = image.crop((left, top, left + p.crop, top + p.crop))
    pixels = np.asarray(image, np.float32).reshape(image.height, image.width, -1)
    if image.mode == "F":  # bicubic overshoots: 8 bits are cut there too
        pixels = np.repeat(pixels.clip(0, 255), 3 if p.color == "rgb" else 1, axis=2)
    pixels = np.require(pixels, requirements="W")  # in place: a large picture is held once
    pixels /= np.float32(p.scale)
    pixels -= np.array(p.mean, np.float32)
    pixels /= np.array(p.std, np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) if p.layout == "nchw" else pixels)[None]
