"""The one place that opens pictures: the formats that are allowed, sizes before anything is allocated, every mode as 8 bits or finer.

What comes out is upright (EXIF orientation applied), RGB, L, or F with values in 0…255 where a gray picture has more than 8 bits.
Alpha is dropped, not composited, and of an animation the first frame is taken, as torchvision's `Image.open(f).convert("RGB")` does.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, unreadable

if TYPE_CHECKING:
    from PIL import Image

Size = tuple[int, int]  #: width, height
#: No format that starts another program (EPS runs Ghostscript) or that few people test.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
GIVE = "give a whole JPEG, PNG, WebP, BMP, TIFF, GIF or PPM"
MAX_PIXELS = 100_000_000
#: a picture of more than PLAIN pixels must have a byte for every A_BYTE of them, as every camera's has: a few bytes may claim any number
PLAIN, A_BYTE = 16_000_000, 1000
TOO_LARGE = "is too large: it has more than 100 million pixels"
ORIENTATION = 0x0112  #: EXIF and TIFF: how the camera was held
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
BITS, PHOTOMETRIC = 258, 262  #: tags of a TIFF
#: What Pillow's readers are known to raise on damaged files.
DAMAGED = (
    OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError,
    NotImplementedError, RuntimeError, ZeroDivisionError, struct.error,
)  # fmt: skip


def read_picture(path: Path, mode: str, check: Callable[[Size], None]) -> Image.Image:
    """The picture in mode "RGB" or "L"; F for gray of more than 8 bits.  check: refuses a size, before the pixels are read."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise EdgeError("--image", "reading photos needs Pillow", "pip install 'edge-deploy[image]'") from None
    with warnings.catch_warnings(action="ignore"):  # a large picture, odd EXIF, a palette with alpha: what matters is refused below
        try:
            with Image.open(path, formats=FORMATS) as image:
                require_size(path, image.size)
                check(image.size)
                white = white_of(path, image)
                image.load()
                return upright(path, image, as_floats(path, image, white) if white else image.convert(mode))
        except UnidentifiedImageError:
            raise EdgeError(str(path), "is not a picture that edge can read", GIVE) from None
        except Image.DecompressionBombError:
            raise EdgeError(str(path), TOO_LARGE, "make it smaller") from None
        except MemoryError:
            raise EdgeError(str(path), "does not fit into this machine's memory", "make it smaller") from None
        except DAMAGED as error:
            raise unreadable(path, error, GIVE) from None


def require_size(path: Path, size: Size) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise EdgeError(str(path), TOO_LARGE, "make it smaller")
    if size[0] * size[1] > max(PLAIN, A_BYTE * (held := path.stat().st_size)):
        raise EdgeError(str(path), f"claims {size[0]} x {size[1]} pixels in {held} bytes", "give a whole picture, or a smaller one")
    if min(size) < 1:
        raise EdgeError(str(path), f"is {size[0]} x {size[1]} pixels", "give a picture with pixels")


def white_of(path: Path, image: Image.Image) -> float:
    """The value of white in a gray picture of more than 8 bits; 0 for a mode of 8 bits, which Pillow converts.  EdgeError where it has none."""
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        bits = int(tags.get(BITS, (16,))[0])
        return float((1 << bits) - 1)
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return 65535.0
    if image.mode == "I":
        what = f"has integers of {int(tags.get(BITS, (32,))[0])} bits with a sign, or of 32 bits: which value is white is not known"
        raise EdgeError(str(path), what, "save it with 8 or 16 bits a channel, without a sign")
    return 1.0 if image.mode == "F" else 0.0


def as_floats(path: Path, image: Image.Image, white: float) -> Image.Image:
    """Gray values from 0 to `white` as mode F from 0 to 255."""
    from PIL import Image

    values: NDArray[np.float32] = np.asarray(image).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= white:  # NaN too
        raise EdgeError(
            str(path), f"has values from {low:g} to {high:g}, not from 0 to {white:g}", "scale it, or save it with 8 or 16 bits a channel"
        )
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0:  # 0 is white, which Pillow heeds in 8 bits only
        np.subtract(np.float32(white), values, out=values)
    values *= np.float32(255.0 / white)
    return Image.fromarray(values)


def upright(path: Path, image: Image.Image, made: Image.Image) -> Image.Image:
    """`made` turned as `image` wants it, which must be loaded: a PNG may say so behind its pixels, a TIFF was turned by Pillow."""
    from PIL import Image

    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except DAMAGED:  # a viewer shows a picture whose EXIF is damaged as it lies
        turn = None
    return made.transpose(Image.Transpose[turn]) if turn else made
