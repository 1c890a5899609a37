"""Pictures of every mode against numpy; what is too large, damaged or of another format is refused, in little memory."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.artifact.pictures import FORMATS, UPRIGHT
from edge.artifact.preprocess import PRESETS, Preprocess, read_image
from edge.errors import EdgeError

image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
ops = pytest.importorskip("PIL.ImageOps", reason="Pillow is not installed (pip install pillow)")
GRAY = Preprocess(color="gray")
WHOLE = "(give a whole JPEG, PNG, WebP, BMP, TIFF, GIF or PPM)"
Floats = NDArray[np.float64]


def ramp(most: int, dtype: str) -> NDArray[Any]:
    return np.linspace(0, most, 48).round().reshape(6, 8).astype(dtype)


def rgb(*channels: NDArray[Any]) -> NDArray[Any]:
    return np.stack(channels, axis=-1)


R8 = ramp(255, "uint8")
COLOURS = rgb(R8, R8[::-1], R8[:, ::-1])
ALPHA = np.full((6, 8), 7, np.uint8)


def tiff(values: NDArray[Any], **tags: int) -> bytes:
    """A TIFF of one gray strip.  tags: bits, kind (1 unsigned, 2 signed, 3 float), white (0: 0 is white), order (0 little, 1 big endian)."""
    e = "<>"[tags.get("order", 0)]
    data = values.astype(values.dtype.newbyteorder(e)).tobytes()
    if tags.get("bits") == 12:
        pairs = values.reshape(-1, 2).astype(int)
        data = bytes(b for a, c in pairs for b in (a >> 4, (a & 15) << 4 | c >> 8, c & 255))
    rows = [
        (256, 4, values.shape[1]), (257, 4, values.shape[0]), (258, 3, tags.get("bits", values.dtype.itemsize * 8)), (259, 3, 1),
        (262, 3, tags.get("white", 1)), (273, 4, 8), (277, 3, 1), (278, 4, values.shape[0]), (279, 4, len(data)), (339, 3, tags.get("kind", 1)),
    ]  # fmt: skip
    order = "little" if e == "<" else "big"
    head = (b"II*\0" if e == "<" else b"MM\0*") + (8 + len(data)).to_bytes(4, order)  # type: ignore[arg-type]

    def field(kind: int, value: int) -> bytes:
        return value.to_bytes(2, order).ljust(4, b"\0") if kind == 3 else value.to_bytes(4, order)  # type: ignore[arg-type]

    entries = b"".join(t.to_bytes(2, order) + k.to_bytes(2, order) + (1).to_bytes(4, order) + field(k, v) for t, k, v in rows)  # type: ignore[arg-type]
    return head + data + len(rows).to_bytes(2, order) + entries + bytes(4)  # type: ignore[arg-type]


def saved(made: Any, kind: str, **more: Any) -> bytes:
    file = io.BytesIO()
    made.save(file, kind, **more)
    return file.getvalue()


def of(array: NDArray[Any], kind: str = "PNG", mode: str | None = None) -> bytes:
    made = image.fromarray(array)
    return saved(made.convert(mode) if mode else made, kind)


def with_palette(alpha: bool) -> bytes:
    made = image.fromarray(COLOURS).quantize(48)
    return saved(made, "PNG", **({"transparency": bytes(range(48))} if alpha else {}))


def gray_modes() -> list[tuple[str, bytes, Floats, float]]:
    """A picture; its gray values of 0…1; the error that 8 bits may have."""
    g16, unit = ramp(65535, "uint16"), ramp(100, "float32") / np.float32(100)
    return [
        ("8-bit PNG", of(R8), R8 / 255, 0),
        ("1-bit PNG", of(R8 > 127), (R8 > 127) * 1.0, 0),
        ("gray with alpha, which is dropped", of(rgb(R8, ALPHA)), R8 / 255, 0),
        ("16-bit PNG", of(g16), g16 / 65535, 1e-6),
        ("16-bit PGM", of(g16, "PPM"), g16 / 65535, 1e-6),
        ("PGM up to 1023", b"P5 8 6 1023\n" + ramp(1023, ">u2").tobytes(), ramp(1023, "float64") / 1023, 2e-5),
        ("16-bit TIFF", tiff(g16), g16 / 65535, 1e-6),
        ("16-bit TIFF, big endian", tiff(g16, order=1), g16 / 65535, 1e-6),
        ("16-bit TIFF in which 0 is white", tiff(g16, white=0), 1 - g16 / 65535, 1e-6),
        ("8-bit TIFF in which 0 is white", tiff(R8, white=0), 1 - R8 / 255, 0),
        ("12-bit TIFF", tiff(ramp(4095, "uint16"), bits=12), ramp(4095, "float64") / 4095, 1e-6),
        ("float TIFF", tiff(unit, kind=3), unit, 1e-6),
        ("float TIFF, big endian", tiff(unit, kind=3, order=1), unit, 1e-6),
        ("float TIFF in which 0 is white", tiff(unit, kind=3, white=0), 1 - unit, 1e-6),
        ("GIF", of(R8, "GIF"), R8 / 255, 0),
    ]


@pytest.mark.parametrize(("data", "want", "error"), [m[1:] for m in gray_modes()], ids=[m[0] for m in gray_modes()])
def test_gray_is_scaled_and_never_clipped(data: bytes, want: Floats, error: float, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(data)
    got = read_image(tmp_path / "p", GRAY)
    np.testing.assert_allclose(got[0, 0], want, rtol=0, atol=max(error, 1e-6))
    thrice = read_image(tmp_path / "p", Preprocess())
    assert thrice.shape == (1, 3, 6, 8)
    np.testing.assert_array_equal(thrice[0], np.repeat(got[0], 3, axis=0))


def colour_modes() -> list[tuple[str, bytes, Floats, float]]:
    c16 = rgb(ramp(65535, "uint16"), ramp(65535, "uint16")[::-1], ramp(65535, "uint16")[:, ::-1])
    ppm16 = b"P6 8 6 65535\n" + c16.astype(">u2").tobytes()
    cmyk = 255 - np.concatenate([COLOURS, np.zeros((6, 8, 1), np.uint8)], axis=-1)
    cmyk[..., 3] = 0
    return [
        ("PNG", of(COLOURS), COLOURS / 255, 0),
        ("PNG with alpha, which is dropped", of(np.dstack([COLOURS, ALPHA])), COLOURS / 255, 0),
        ("BMP", of(COLOURS, "BMP"), COLOURS / 255, 0),
        ("PPM", of(COLOURS, "PPM"), COLOURS / 255, 0),
        ("TIFF", of(COLOURS, "TIFF"), COLOURS / 255, 0),
        ("WebP without loss", saved(image.fromarray(COLOURS), "WEBP", lossless=True), COLOURS / 255, 0),
        ("palette", with_palette(alpha=False), COLOURS / 255, 0),
        ("palette with alpha", with_palette(alpha=True), COLOURS / 255, 0),
        ("CMYK TIFF", saved(image.fromarray(cmyk, "CMYK"), "TIFF"), COLOURS / 255, 1 / 255),
        ("PPM of 16 bits a channel", ppm16, c16 / 65535, 1 / 255),
        ("PNG of 16 bits a channel", png16(c16), c16 / 65535, 1 / 255),
        ("animation: the first frame", moving("GIF"), np.zeros((6, 8, 3)), 0),
        ("animated PNG: the first frame", moving("PNG"), np.zeros((6, 8, 3)), 0),
        ("animated WebP: the first frame", moving("WEBP"), np.zeros((6, 8, 3)), 0),
        ("TIFF of two pages: the first", moving("TIFF"), np.zeros((6, 8, 3)), 0),
    ]


def moving(kind: str) -> bytes:
    first, second = image.new("RGB", (8, 6)), image.new("RGB", (8, 6), "white")
    return saved(first, kind, save_all=True, append_images=[second])


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def png16(pixels: NDArray[Any]) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write."""
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], 16, 2, zlib.compress(lines))


def png(width: int, height: int, bits: int, colour: int, data: bytes) -> bytes:
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bits, colour, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("data", "want", "error"), [m[1:] for m in colour_modes()], ids=[m[0] for m in colour_modes()])
def test_colours_are_those_of_the_file(data: bytes, want: Floats, error: float, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    (tmp_path / "p").write_bytes(data)
    got = read_image(tmp_path / "p", Preprocess(layout="nhwc"))
    np.testing.assert_allclose(got[0], want, rtol=0, atol=max(error, 1e-6))
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_as_viewers_show_it(kind: str, orientation: int, tmp_path: Path) -> None:
    exif = image.Exif()
    exif[0x0112] = orientation
    more = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    image.fromarray(COLOURS).save(tmp_path / "p", kind, exif=exif, **more)
    with image.open(tmp_path / "p") as made:
        want = np.asarray(ops.exif_transpose(made).convert("RGB"))
    got = read_image(tmp_path / "p", Preprocess(layout="nhwc", scale=1))
    np.testing.assert_array_equal(got[0], want)
    assert got.shape == ((1, 8, 6, 3) if orientation > 4 else (1, 6, 8, 3))
    assert (orientation in UPRIGHT) == (orientation != 1)


def test_a_gray_picture_of_16_bits_is_upright_too(tmp_path: Path) -> None:
    exif = image.Exif()
    exif[0x0112] = 6
    image.fromarray(ramp(65535, "uint16")).save(tmp_path / "p.png", exif=exif)
    got = read_image(tmp_path / "p.png", GRAY)
    np.testing.assert_allclose(got[0, 0], np.rot90(ramp(65535, "float64"), -1) / 65535, atol=1e-6)


def refused() -> list[tuple[str, bytes, str]]:
    cure = "(save it with 8 or 16 bits a channel, without a sign)"
    integers = "bits with a sign, or of 32 bits: which value is white is not known"
    outside = "(scale it, or save it with 8 or 16 bits a channel)"
    nan = np.full((6, 8), np.nan, np.float32)
    return [
        ("32-bit integers", tiff(ramp(70000, "uint32")), f"has integers of 32 {integers} {cure}"),
        ("16-bit integers with a sign", tiff(ramp(30000, "int16"), kind=2), f"has integers of 16 {integers} {cure}"),
        ("floats up to 255", tiff(ramp(255, "float32"), kind=3), f"has values from 0 to 255, not from 0 to 1 {outside}"),
        ("floats below 0", tiff(ramp(1, "float32") - 1, kind=3), f"has values from -1 to 0, not from 0 to 1 {outside}"),
        ("NaN", tiff(nan, kind=3), f"has values from nan to nan, not from 0 to 1 {outside}"),
        ("EPS named as a photo", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", f"is not a picture that edge can read {WHOLE}"),
        ("text", b"hello", f"is not a picture that edge can read {WHOLE}"),
        ("nothing", b"", f"is not a picture that edge can read {WHOLE}"),
        (
            "a sliver that grows",
            png(1, 60000, 8, 2, zlib.compress(bytes(4) * 60000)),
            "is 1 x 60000 pixels and would be resized to 256 x 15360000, more than 100 million (cut it nearer to a square)",
        ),
        (
            "a claim of 75 million pixels in a few bytes",
            png(9, 8_388_615, 8, 2, b""),
            "claims 9 x 8388615 pixels in 57 bytes (give a whole picture, or a smaller one)",
        ),
        ("a claim of gigabytes", png(60000, 60000, 8, 2, b""), "is too large: it has more than 100 million pixels (make it smaller)"),
        ("a claim of more", png(2**31 - 1, 2**31 - 1, 16, 6, b""), "is too large: it has more than 100 million pixels (make it smaller)"),
    ]


@pytest.mark.parametrize(("data", "line"), [r[1:] for r in refused()], ids=[r[0] for r in refused()])
def test_what_has_no_right_answer_is_one_line(data: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(data)
    with pytest.raises(EdgeError) as caught:
        read_image(tmp_path / "p.jpg", PRESETS["imagenet"])
    assert str(caught.value) == f"{tmp_path}/p.jpg: {line}"


def test_the_shape_is_refused_before_it_is_made(tmp_path: Path) -> None:
    image.fromarray(COLOURS).save(tmp_path / "p.png")
    with pytest.raises(EdgeError) as caught:
        read_image(tmp_path / "p.png", Preprocess(resize=12), (1, 3, 12, 12))
    assert str(caught.value) == (
        f"{tmp_path}/p.png: is 8 x 6 pixels and becomes 1x3x12x16 (nchw), the network takes 1x3x12x12 "
        "(build with resize= and crop= in --preprocess, or give a picture of that size)"
    )


HOSTILE = """
import resource, sys
from pathlib import Path
from edge.artifact.preprocess import PRESETS, read_image
from edge.errors import EdgeError
import PIL.Image
import numpy
PIL.Image.preinit()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
for path in sys.argv[1:]:
    try:
        read_image(Path(path), PRESETS["imagenet"])
        print("read")
    except EdgeError as error:
        print("refused")
"""


def test_hostile_pictures_take_little_memory(tmp_path: Path) -> None:
    """64 MB: less than any of them would take."""
    names = []
    for name, data, _ in [*refused(), ("9000 x 9000 of nothing", png(9000, 9000, 8, 2, zlib.compress(bytes(9000 * 27001))), "")]:
        names.append(str(tmp_path / name))
        Path(names[-1]).write_bytes(data)
    done = subprocess.run([sys.executable, "-c", HOSTILE, *names], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused"] * len(names)


@pytest.mark.parametrize("make", [lambda: of(COLOURS), lambda: tiff(R8), lambda: of(COLOURS, "JPEG"), lambda: of(R8, "GIF"), lambda: moving("WEBP")])
def test_damaged_pictures_are_one_line(make: Callable[[], bytes], tmp_path: Path) -> None:
    random, path, whole = np.random.default_rng(0), tmp_path / "p", make()
    for _ in range(60):
        data = bytearray(whole[: random.integers(len(whole) // 2, len(whole) + 1)])
        for at in random.integers(0, len(data), 3):
            data[at] = random.integers(256)
        path.write_bytes(data)
        try:
            read_image(path, Preprocess(8, 8))
        except EdgeError as error:
            assert str(error).startswith(f"{path}: ")


def test_the_documents_list_the_formats() -> None:
    text = (Path(__file__).parent.parent / "docs" / "pictures.md").read_text()
    assert all(name.lower() in text.lower() for name in FORMATS)
