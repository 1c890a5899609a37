"""Checkpoints: the official ones fit by name and shape, whatever else is refused in one line, and nothing in them runs."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge import models
from edge.errors import EdgeError

torch = pytest.importorskip("torch")
nn = torch.nn


# Names and shapes that the published checkpoints have, some of each kind, and how many entries there are in all: timm's
# mobilenetv1_100.ra4_e3600_r224_in1k, torchvision's mobilenet_v2-b0353104.pth, mobilenet_v3_large-8738ca79.pth and mobilenet_v3_small-047dcff4.pth,
# PPLCNet_x1_0_pretrained.pdparams (batch norm as Paddle names it), fasternet_t0-epoch.281-val_acc1.71.9180.pth.
OFFICIAL: dict[str, tuple[int, dict[str, tuple[int, ...]]]] = {
    "mobilenet_v1": (
        164,
        {
            "conv_stem.weight": (32, 3, 3, 3),
            "bn1.running_mean": (32,),
            "blocks.0.0.conv_dw.weight": (32, 1, 3, 3),
            "blocks.0.0.bn1.weight": (32,),
            "blocks.0.0.conv_pw.weight": (64, 32, 1, 1),
            "blocks.0.0.bn2.num_batches_tracked": (),
            "blocks.3.5.conv_dw.weight": (512, 1, 3, 3),
            "blocks.4.0.conv_pw.weight": (1024, 512, 1, 1),
            "blocks.4.1.bn2.running_var": (1024,),
            "classifier.weight": (1000, 1024),
            "classifier.bias": (1000,),
        },
    ),
    "mobilenet_v2": (
        314,
        {
            "features.0.0.weight": (32, 3, 3, 3),
            "features.0.1.num_batches_tracked": (),
            "features.1.conv.0.0.weight": (32, 1, 3, 3),
            "features.1.conv.1.weight": (16, 32, 1, 1),
            "features.1.conv.2.running_var": (16,),
            "features.2.conv.1.0.weight": (96, 1, 3, 3),
            "features.17.conv.3.bias": (320,),
            "features.18.0.weight": (1280, 320, 1, 1),
            "classifier.1.weight": (1000, 1280),
        },
    ),
    "mobilenet_v3_large": (
        312,
        {
            "features.0.0.weight": (16, 3, 3, 3),
            "features.1.block.0.0.weight": (16, 1, 3, 3),
            "features.1.block.1.1.running_mean": (16,),
            "features.4.block.2.fc1.weight": (24, 72, 1, 1),
            "features.4.block.2.fc2.bias": (72,),
            "features.4.block.3.0.weight": (40, 72, 1, 1),
            "features.9.block.0.0.weight": (184, 80, 1, 1),
            "features.13.block.1.0.weight": (672, 1, 5, 5),
            "features.15.block.2.fc1.weight": (240, 960, 1, 1),
            "features.16.0.weight": (960, 160, 1, 1),
            "classifier.0.weight": (1280, 960),
            "classifier.3.bias": (1000,),
        },
    ),
    "mobilenet_v3_small": (
        244,
        {
            "features.1.block.1.fc1.weight": (8, 16, 1, 1),
            "features.4.block.2.fc1.weight": (24, 96, 1, 1),
            "features.11.block.3.1.weight": (96,),
            "features.12.0.weight": (576, 96, 1, 1),
            "classifier.0.weight": (1024, 576),
            "classifier.3.weight": (1000, 1024),
        },
    ),
    "pp_lcnet_x1_0": (
        146,
        {
            "conv1.conv.weight": (16, 3, 3, 3),
            "conv1.bn._mean": (16,),
            "blocks2.0.dw_conv.conv.weight": (16, 1, 3, 3),
            "blocks5.1.dw_conv.conv.weight": (256, 1, 5, 5),
            "blocks6.0.se.conv1.weight": (64, 256, 1, 1),
            "blocks6.1.se.conv2.bias": (512,),
            "blocks6.1.pw_conv.bn._variance": (512,),
            "last_conv.weight": (1280, 512, 1, 1),
            "fc.weight": (1280, 1000),
            "fc.bias": (1000,),
        },
    ),
    "fasternet_t0": (
        131,
        {
            "patch_embed.proj.weight": (40, 3, 4, 4),
            "patch_embed.norm.running_mean": (40,),
            "stages.0.blocks.0.mlp.0.weight": (80, 40, 1, 1),
            "stages.0.blocks.0.mlp.1.weight": (80,),
            "stages.0.blocks.0.mlp.3.weight": (40, 80, 1, 1),
            "stages.0.blocks.0.spatial_mixing.partial_conv3.weight": (10, 10, 3, 3),
            "stages.1.reduction.weight": (80, 40, 2, 2),
            "stages.1.norm.bias": (80,),
            "stages.6.blocks.1.mlp.0.weight": (640, 320, 1, 1),
            "avgpool_pre_head.1.weight": (1280, 320, 1, 1),
            "head.bias": (1000,),
        },
    ),
}


def as_published(module: nn.Module) -> dict[str, np.ndarray]:
    """The module's weights under the names and in the layout of the library they are published by."""
    arrays = {name: value.numpy() for name, value in module.state_dict().items()}
    if type(module).__name__ != "PPLCNet":
        return arrays
    arrays["fc.weight"] = arrays["fc.weight"].T / np.float32(0.8)
    renamed = {name.replace("running_mean", "_mean").replace("running_var", "_variance"): value for name, value in arrays.items()}
    return {name: np.ascontiguousarray(value) for name, value in renamed.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("name", OFFICIAL)
def test_names_are_those_of_the_official_checkpoints(name: str) -> None:
    count, some = OFFICIAL[name]
    arrays = as_published(models.create(name))
    assert len(arrays) == count
    assert {key: arrays[key].shape for key in some} == some


def save_paddle(path: Path, arrays: dict[str, np.ndarray], protocol: int) -> Path:
    path.write_bytes(pickle.dumps({**arrays, "StructuredToParameterName@@": {name: f"p_{name}" for name in arrays}}, protocol))
    return path


def save_torch(path: Path, found: object, **options: bool) -> Path:
    torch.save(found, path, **options)
    return path


def save_npz(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_pdparams_file_gives_the_same_answers(tmp_path: Path, protocol: int) -> None:
    trained = models.create("pp_lcnet_x0_25", seed=3, classes=7)
    path = save_paddle(tmp_path / "PPLCNet_x0_25_pretrained.pdparams", as_published(trained), protocol)
    x = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(models.create("pp_lcnet_x0_25", weights=path)(x), trained(x), rtol=1e-5, atol=1e-5)


class Kinds(torch.nn.Module):
    """A module of a user's: all of its names begin with `model.`, and not all of its arrays are float32."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.model = torch.nn.Module()
        self.model.wide = torch.nn.Parameter(torch.tensor([number / 3], dtype=torch.float64))
        self.model.narrow = torch.nn.Parameter(torch.tensor([number], dtype=torch.float16))
        self.model.register_buffer("index", torch.tensor([int(number) + (1 << 40)]))
        self.model.register_buffer("mask", torch.tensor([number > 1]))


@pytest.mark.parametrize("file", ["w.pth", "w.npz"])
def test_a_module_of_any_types_and_names_gets_its_own_numbers_back(tmp_path: Path, file: str) -> None:
    trained, module = Kinds(2), Kinds(1)
    state = trained.state_dict()
    if file == "w.pth":
        torch.save(state, tmp_path / file)
    else:
        save_npz(tmp_path / file, {name: value.numpy() for name, value in state.items()})
    models.load_weights(module, tmp_path / file)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_a_pdparams_file_may_keep_bfloat16_as_halves_of_float32(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0], np.float32)
    path = save_paddle(tmp_path / "w.pdparams", other(conv_bias=(values.view(np.uint32) >> 16).astype(np.uint16)), 4)
    module = Net()
    models.load_weights(module, path)
    assert module.conv.bias.tolist() == values.tolist()


def test_paddles_dropout_scales_when_it_does_not_drop() -> None:
    from edge.models.pp_lcnet import PPLCNet

    weight = np.ones((4, 2), np.float32)  # Paddle: (in, out), inference multiplies by 1 - p
    assert PPLCNet(0.25).from_paddle({"fc.weight": weight})["fc.weight"].tolist() == [[np.float32(0.8)] * 4] * 2


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"model": w, "epoch": 3}, lambda w: {"state_dict": {f"model.{k}": v for k, v in w.items()}},
                                  lambda w: {f"module.{k}": v for k, v in w.items()}, lambda w: {k: v.bfloat16() for k, v in w.items()}],
                         ids=["plain", "model", "lightning", "parallel", "bfloat16"])  # fmt: skip
@pytest.mark.parametrize("zipped", [True, False])
def test_pth_files_of_training_scripts_load(tmp_path: Path, wrap, zipped: bool) -> None:
    trained = models.create("mobilenet_v2_x0_35", seed=3).bfloat16().float()
    path = save_torch(tmp_path / "w.pth", wrap(trained.state_dict()), _use_new_zipfile_serialization=zipped)
    loaded = models.create("mobilenet_v2_x0_35", weights=path)
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_an_npz_file_loads(tmp_path: Path) -> None:
    trained = models.create("fasternet_t0", seed=3, classes=5)
    loaded = models.create("fasternet_t0", weights=save_npz(tmp_path / "w.npz", as_published(trained)))
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in loaded.state_dict().items())


class Net(nn.Module):
    """Small enough for a table of everything that can be wrong with a checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)


GOOD = {name: value.numpy() for name, value in Net().state_dict().items() if value.ndim}


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (open, ("/nonexistent/owned", "w"))


def other(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    """GOOD with some arrays changed or, when None, left out; `conv_weight` stands for conv.weight."""
    arrays = GOOD | {name.replace("_", ".", 1): value for name, value in changes.items()}
    return {name: value for name, value in arrays.items() if value is not None}


SAVE = "write it with torch.save(module.state_dict(), path)"
NOT_TORCH = f"not one that torch.load(weights_only=True) reads ({SAVE})"
NOT_PADDLE = "not a pickle of nothing but arrays (write it with paddle.save(layer.state_dict(), path))"
NOT_NPZ = "not an .npz of plain arrays (write it with numpy.savez(path, **arrays))"
STRANGER = "a checkpoint of another network or of another library's version of it?"
ALONE = "save the state dict alone, not the module or the training state"
NO_TENSOR = f"'conv.weight' is no tensor of numbers ({ALONE})"
DIVERGED = "the training diverged or the file is damaged"


def wide_npz(path: Path) -> None:
    """An array whose header promises 4 TiB."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("w.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})


REFUSED = [
    ("w.safetensors", lambda path: path.write_bytes(b""), "weights are read from .npz, .pdparams, .pth, .pt, .ckpt, .bin"),
    ("w.ptg", lambda path: path.write_bytes(b""), "weights are read from .npz, .pdparams, .pth, .pt, .ckpt, .bin (did you mean '.pt'?)"),
    ("none.pth", lambda path: None, "no such file"),
    ("folder.pth", lambda path: path.mkdir(), "is no file"),
    ("empty.pth", lambda path: path.write_bytes(b""), NOT_TORCH),
    ("text.pth", lambda path: path.write_text("hello"), NOT_TORCH),
    ("code.pth", lambda path: torch.save({"conv.weight": Bomb()}, path), NOT_TORCH),
    ("module.pth", lambda path: torch.save(Net(), path), NOT_TORCH),
    ("tensor.pth", lambda path: torch.save(torch.ones(3), path), f"not a state dict but a Tensor ({SAVE})"),
    ("state.pth", lambda path: torch.save({"epoch": 3}, path), f"'epoch' is no tensor of numbers ({ALONE})"),
    ("wide.pth", lambda path: torch.save({"conv.weight": torch.ones(1).expand(1 << 40)}, path), NO_TENSOR),
    ("complex.pth", lambda path: torch.save({"conv.weight": torch.ones(1, dtype=torch.complex64)}, path), NO_TENSOR),
    ("empty.pdparams", lambda path: path.write_bytes(b""), NOT_PADDLE),
    ("code.pdparams", lambda path: path.write_bytes(pickle.dumps({"conv.weight": Bomb()})), NOT_PADDLE),
    ("object.pdparams", lambda path: path.write_bytes(pickle.dumps({"w": np.array([None])})), NOT_PADDLE),
    ("text.pdparams", lambda path: path.write_bytes(pickle.dumps({"w": np.array(["a"])})), NOT_PADDLE),
    ("list.pdparams", lambda path: path.write_bytes(pickle.dumps([1])), f"not a state dict but a list ({SAVE})"),
    ("memo.pdparams", lambda path: path.write_bytes(b"\x80\x02}r\xff\xff\xff\x7f."), NOT_PADDLE),
    ("bytes.pdparams", lambda path: path.write_bytes(b"\x80\x05\x96" + bytes([0] * 5 + [16, 0, 0]) + b"."), NOT_PADDLE),
    ("empty.npz", lambda path: path.write_bytes(b""), NOT_NPZ),
    ("object.npz", lambda path: np.savez(path, w=np.array([None])), NOT_NPZ),
    ("wide.npz", wide_npz, NOT_NPZ),
    ("text.npz", lambda path: np.savez(path, w=np.array(["a"])), NOT_NPZ),
    ("bomb.npz", lambda path: np.savez_compressed(path, w=np.zeros(20 << 20, np.float32)), None),
    ("missing.npz", lambda path: save_npz(path, other(conv_bias=None)), f"does not fit Net: 1 missing: conv.bias ({STRANGER})"),
    ("named.npz", lambda path: save_npz(path, {f"x{i}": np.ones(1) for i in range(9)}),
     f"does not fit Net: 6 missing: conv.weight, conv.bias, norm.weight, …; 9 unexpected: x0, x1, x2, … ({STRANGER})"),
    ("shaped.npz", lambda path: save_npz(path, other(conv_bias=np.ones(3))),
     "does not fit Net: 1 of another shape: conv.bias is (3,), not (2,) (another width or number of classes?)"),
    ("nan.npz", lambda path: save_npz(path, other(conv_bias=np.array([1, np.nan]))),
     f"NaN, infinity or negative variance in 1: conv.bias ({DIVERGED})"),
    ("huge.npz", lambda path: save_npz(path, other(conv_bias=np.array([1, 1e300]))),
     f"NaN, infinity or negative variance in 1: conv.bias ({DIVERGED})"),
    ("variance.npz", lambda path: save_npz(path, other(norm_running_var=np.array([1.0, -1.0]))),
     f"NaN, infinity or negative variance in 1: norm.running_var ({DIVERGED})"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "write", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_no_fitting_checkpoint_is_refused_in_one_line(tmp_path: Path, file: str, write, message: str | None) -> None:
    path, module = tmp_path / file, Net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    write(path)
    message = message or f"unpacks to 83886208 bytes from {path.stat().st_size} (weights do not compress like that: is it a checkpoint?)"
    with pytest.raises(EdgeError) as caught:
        models.load_weights(module, path)
    assert str(caught.value) == f"{path}: {message}"
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("file", ["a.pth", "old.pth", "a.npz", "a2.pdparams", "a4.pdparams"])
def test_damaged_checkpoints_load_or_are_refused_but_never_crash(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    state = {name: torch.from_numpy(value) for name, value in GOOD.items()}
    {
        "a.pth": lambda: save_torch(path, state),
        "old.pth": lambda: save_torch(path, state, _use_new_zipfile_serialization=False),
        "a.npz": lambda: save_npz(path, GOOD),
        "a2.pdparams": lambda: save_paddle(path, GOOD, 2),
        "a4.pdparams": lambda: save_paddle(path, GOOD, 4),
    }[file]()
    models.load_weights(Net(), path)
    whole, random, refused = path.read_bytes(), np.random.default_rng(0), 0
    for turn in range(200):
        data = bytearray(whole)
        if turn % 2:
            del data[random.integers(len(data)) :]
        else:
            data[random.integers(len(data))] = random.integers(256)
        path.write_bytes(data)
        try:
            models.load_weights(Net(), path)
        except EdgeError:
            refused += 1
    assert refused >= 95
