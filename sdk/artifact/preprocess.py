"""From a photo to a network's input: resize the short side, cut the middle, scale, normalise.  Written at build, applied by `edge run --image`.

    imagenet                                              the usual one of torchvision's classifiers
    resize=256,crop=224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225,color=rgb,scale=255,layout=nchw,filter=bilinear

y = (x / scale - mean) / std, by channel; x in 0…255.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.artifact.typed_json import decode
from edge.errors import EdgeError, did_you_mean, unreadable

Array = NDArray[np.generic]
MODES = {"rgb": "RGB", "gray": "L"}
LAYOUTS, FILTERS = ("nchw", "nhwc"), ("nearest", "bilinear", "bicubic")
MAX_SIDE, MAX_PIXELS = 8192, 100_000_000
TOO_LARGE = "is too large: it has more than 100 million pixels"
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


def read_image(path: Path, p: Preprocess) -> Array:
    """A photo as float32, (1, C, H, W) or (1, H, W, C) by layout."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise EdgeError("--image", "reading photos needs Pillow", "pip install 'edge-deploy[image]'") from None
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning), Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise EdgeError(str(path), TOO_LARGE, "make it smaller")
            return apply(image.convert(MODES[p.color]), p)
    except UnidentifiedImageError:
        raise EdgeError(str(path), "is not a picture that Pillow knows", "give a .jpg or .png") from None
    except Image.DecompressionBombError:
        raise EdgeError(str(path), TOO_LARGE, "make it smaller") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error, "give a whole .jpg or .png") from None


def apply(image: object, p: Preprocess) -> Array:
    """The arithmetic on a PIL image of the right mode; it rounds as torchvision does, the long side down and the corner to even."""
    from PIL import Image

    assert isinstance(image, Image.Image)
    if p.resize:
        short = min(image.size)
        width, height = (side * p.resize // short for side in image.size)
        image = image.resize((width, height), Image.Resampling[p.filter.upper()])
    if p.crop:
        left, top = (round((side - p.crop) / 2) for side in image.size)
        image = image.crop((left, top, left + p.crop, top + p.crop))
    pixels = np.asarray(image, np.float32).reshape(image.height, image.width, -1)
    normal = (pixels / np.float32(p.scale) - np.array(p.mean, np.float32)) / np.array(p.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1) if p.layout == "nchw" else normal)[None]
