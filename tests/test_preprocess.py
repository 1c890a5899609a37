"""`--preprocess`: parsed at build, all mistakes at once, applied by `edge run --image`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.artifact.preprocess import PRESETS, Preprocess, parse, preprocess_from, read_image, require_input
from edge.errors import EdgeError

EXAMPLE = "(for example resize=256,crop=224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225)"


def recipes() -> list[tuple[str, Preprocess]]:
    return [
        ("imagenet", PRESETS["imagenet"]),
        ("imagenet,crop=192", Preprocess(256, 192, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))),
        ("none", Preprocess()),
        (
            "resize=28, crop=28,mean=0.2860,std=0.3530,color=gray,scale=255",
            Preprocess(28, 28, (0.286,), (0.353,), "gray"),
        ),
        ("mean=1/2/3,layout=nhwc,filter=nearest,scale=1", Preprocess(mean=(1, 2, 3), layout="nhwc", filter="nearest", scale=1.0)),
    ]


@pytest.mark.parametrize(("text", "want"), recipes())
def test_a_recipe_is_read(text: str, want: Preprocess) -> None:
    assert parse(text) == want


def mistakes() -> list[tuple[str, str]]:
    return [
        ("imagenett", "unknown 'imagenett', did you mean 'imagenet'?"),
        ("croop=3", "unknown 'croop', did you mean 'crop'?"),
        ("crop=x,resize=-1", "crop=x is not a number; resize=-1 is not between 0 and 8192"),
        ("crop", "'crop' has no value"),
        ("crop=1,crop=2", "crop is there twice"),
        ("color=blue,layout=x", "color=blue is not one of rgb, gray; layout=x is not one of nchw, nhwc"),
        ("filter=y", "filter=y is not one of nearest, bilinear, bicubic"),
        ("mean=1/2,std=0", "mean has 2 values for 3 channels; std and scale divide: they must not be 0"),
        ("mean=nan,scale=0", "mean has a value that is not a finite number; std and scale divide: they must not be 0"),
        ("crop=99999", "crop=99999 is not between 0 and 8192"),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), mistakes())
def test_all_mistakes_come_at_once(text: str, message: str) -> None:
    with pytest.raises(EdgeError) as caught:
        parse(text)
    assert str(caught.value) == f"--preprocess: {message} {EXAMPLE}"


def test_a_hostile_manifest_is_refused() -> None:
    with pytest.raises(EdgeError) as caught:
        preprocess_from({"resize": 1 << 40, "colour": "x"}, "m.edge")
    assert str(caught.value) == "m.edge: preprocess: unknown key 'colour' (did you mean 'color'?) (build it again)"
    with pytest.raises(EdgeError) as caught:
        preprocess_from({"resize": 1 << 40}, "m.edge")
    assert str(caught.value) == "m.edge: resize=1099511627776 is not between 0 and 8192 (build it again)"


def test_the_arithmetic(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    image.fromarray(pixels).save(tmp_path / "p.png")
    recipe = Preprocess(crop=4, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0))
    want = (pixels[1:5, 2:6].astype(np.float32) / 255 - np.float32([0.1, 0.2, 0.3])) / np.float32([1, 2, 4])
    got = read_image(tmp_path / "p.png", recipe)
    assert (got.dtype, got.shape, got.flags.c_contiguous) == (np.float32, (1, 3, 4, 4), True)
    np.testing.assert_allclose(got[0], want.transpose(2, 0, 1), rtol=1e-6)
    nhwc = read_image(tmp_path / "p.png", Preprocess(crop=4, mean=recipe.mean, std=recipe.std, layout="nhwc"))
    np.testing.assert_array_equal(nhwc[0], got[0].transpose(1, 2, 0))
    assert read_image(tmp_path / "p.png", Preprocess(resize=12, color="gray")).shape == (1, 1, 12, 16)
    assert read_image(tmp_path / "p.png", PRESETS["imagenet"]).shape == (1, 3, 224, 224)


@pytest.mark.parametrize(
    ("size", "resized", "corner"),
    [
        ((451, 300), (384, 256), (80, 16)),  # 384.85 pixels wide: torchvision cuts
        ((300, 454), (256, 387), (16, 82)),  # (387 - 224) / 2 = 81.5: to the even one
        ((256, 257), (256, 257), (16, 16)),  # 16.5
        ((100, 30), (853, 256), (314, 16)),
    ],
)
def test_sides_and_corner_are_torchvisions(size: tuple[int, int], resized: tuple[int, int], corner: tuple[int, int], tmp_path: Path) -> None:
    """Resize: int(resize * long / short).  CenterCrop: int(round((side - crop) / 2.0))."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image.fromarray(pixels).save(tmp_path / "p.png")
    left, top = corner
    want = np.asarray(image.fromarray(pixels).resize(resized, image.Resampling.BILINEAR))[top : top + 224, left : left + 224]
    got = read_image(tmp_path / "p.png", Preprocess(256, 224, (0.0,), (1.0,), scale=1.0))
    np.testing.assert_array_equal(got[0], want.transpose(2, 0, 1))


def test_what_is_no_picture(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
    (tmp_path / "p.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    with pytest.raises(EdgeError) as caught:
        read_image(tmp_path / "p.jpg", Preprocess())
    assert str(caught.value).startswith(f"{tmp_path}/p.jpg: ")
    with pytest.raises(EdgeError) as caught:
        read_image(tmp_path / "none.jpg", Preprocess())
    assert str(caught.value) == f"{tmp_path}/none.jpg: cannot be read: No such file or directory (check the path and its permissions)"


@pytest.mark.parametrize("pillows_own_limit", [1000, 10])
def test_a_picture_that_is_too_large(pillows_own_limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
    image.new("L", (9, 9)).save(tmp_path / "p.png")
    monkeypatch.setattr("edge.artifact.pictures.MAX_PIXELS", 80)
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", pillows_own_limit)
    with pytest.raises(EdgeError) as caught:
        read_image(tmp_path / "p.png", Preprocess())
    assert str(caught.value) == f"{tmp_path}/p.png: is too large: it has more than 100 million pixels (make it smaller)"


def test_a_picture_that_is_cut_short(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
    image.effect_noise((64, 64), 80).save(tmp_path / "p.png")
    whole = (tmp_path / "p.png").read_bytes()
    (tmp_path / "p.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EdgeError) as caught:
        read_image(tmp_path / "p.png", Preprocess())
    assert str(caught.value) == f"{tmp_path}/p.png: cannot be read: image file is truncated (give a whole JPEG, PNG, WebP, BMP, TIFF, GIF or PPM)"


def misfits() -> list[tuple[str, dict[str, tuple[int, ...]], str]]:
    square, gray = {"x": (1, 3, 32, 32)}, {"x": (1, 1, 28, 28)}
    arrays = "leave --preprocess out, and give arrays"
    return [
        ("imagenet", square, "makes 1x3x224x224, input 'x' takes 1x3x32x32 (resize=32,crop=32)"),
        ("resize=32,crop=32,color=gray", square, "makes 1x1x32x32, input 'x' takes 1x3x32x32 (resize=32,crop=32)"),
        ("resize=28,crop=28", gray, "makes 1x3x28x28, input 'x' takes 1x1x28x28 (resize=28,crop=28,color=gray)"),
        ("none", gray, "makes rgb pictures in nchw, input 'x' takes 1x1x28x28 (resize=28,crop=28,color=gray)"),
        ("resize=64", square, "makes rgb pictures in nchw, input 'x' takes 1x3x32x32 (resize=32,crop=32)"),
        ("imagenet", {"x": (1, 224, 224, 3)}, "makes 1x3x224x224, input 'x' takes 1x224x224x3 (resize=224,crop=224,layout=nhwc)"),
        ("imagenet", {"x": (1, 3, 240, 320)}, "makes 1x3x224x224, input 'x' takes 1x3x240x320 (resize=240)"),
        ("imagenet", {"x": (8, 3, 224, 224)}, "makes 1x3x224x224, input 'x' takes 8x3x224x224 (export the model for one picture at a time)"),
        ("imagenet", {"x": (1, 640)}, f"makes 1x3x224x224, input 'x' takes 1x640 ({arrays}: a picture is 1x3xHxW)"),
        ("imagenet", {"x": (1, 4, 9, 9)}, f"makes 1x3x224x224, input 'x' takes 1x4x9x9 ({arrays}: a picture has 1 or 3 channels)"),
        ("imagenet", {"x": (1,), "y": (1,)}, f"prepares one picture, the model takes 2 inputs ({arrays})"),
    ]


@pytest.mark.parametrize(("recipe", "inputs", "message"), misfits())
def test_a_recipe_that_does_not_fit_the_input(recipe: str, inputs: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(EdgeError) as caught:
        require_input(parse(recipe), inputs)
    assert str(caught.value) == f"--preprocess: {message}"


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [
        ("imagenet", (1, 3, 224, 224)),
        ("none", (1, 3, 7, 9)),
        ("none,layout=nhwc", (1, 7, 9, 3)),
        ("resize=240", (1, 3, 240, 320)),
        ("crop=8,color=gray", (1, 1, 8, 8)),
    ],
)
def test_a_recipe_that_fits(recipe: str, wanted: tuple[int, ...]) -> None:
    require_input(parse(recipe), {"x": wanted})
