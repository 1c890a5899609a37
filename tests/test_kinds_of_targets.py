"""Hardware that is not a CPU: what its profiles say, how they are refused, and that a new one touches nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import edge
from edge import cli, targets
from edge.errors import EdgeError
from edge.targets import kinds, profile_file
from edge.targets.kinds.chip import TERMS, Chip
from edge.targets.kinds.gpu import Gpu
from edge.targets.profile import Figure

GFLOPS = '{ value = 10, unit = "GFLOP/s", source = "data sheet" }'
COUNT = '{ value = 10, unit = "UNIT", source = "data sheet" }'
ENERGY = '{ value = 2, unit = "pJ", low = 1, high = 3, kind = "measured", source = "a paper" }'
GPU = f'kind = "gpu"\ndescription = "mine"\nvulkan = "1.3"\nrates.f32 = {GFLOPS}\n'
CHIP = 'kind = "chip"\ndescription = "mine"\n' + "".join(f"{name} = {COUNT.replace('UNIT', name)}\n" for name in ("cores", "neurons"))
CHIP += f"[energy]\nsynop = {ENERGY}\n"
BOTH_NAMES = f"""extends = "rpi4"
[levels.a]
cpu = "x"
features = ["fp"]
lanes = {COUNT.replace("UNIT", "lanes")}
registers = {COUNT.replace("UNIT", "registers")}
flops = {COUNT.replace("UNIT", "flop/cycle")}
rates.f32 = {COUNT.replace("UNIT", "flop/cycle")}
"""
MISSING = "cores: is missing; neurons: is missing; energy.synop: is missing; energy.update: is missing"

NOT_YET = {
    "videocore-vii": "target 'videocore-vii': is a GPU: building for it is not supported yet (--target rpi5 runs on its CPU)",
    "neuromorphic-generic": "target 'neuromorphic-generic': is a neuromorphic chip: building for it is not supported yet (--target cpu runs the network without spikes)",  # noqa: E501
}


@pytest.mark.parametrize("name", NOT_YET)
@pytest.mark.parametrize("command", ["build zoo:fasternet_t0 --target", "predict zoo:fasternet_t0 --target"])
def test_building_for_other_hardware_says_what_to_do_instead(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command.split(), name]) == 2
    assert capsys.readouterr().err == f"edge: {NOT_YET[name]}\n"


def test_in_python_the_cure_is_an_argument() -> None:
    with pytest.raises(EdgeError) as caught:
        edge.build("net.onnx", target="videocore-vii")
    assert str(caught.value) == NOT_YET["videocore-vii"].replace("--target rpi5", "target='rpi5'")


@pytest.mark.parametrize("name", NOT_YET)
def test_the_page_of_a_target_shows_its_kind_and_every_figure(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["targets", name]) == 0
    shown, profile = unfolded(capsys.readouterr().out), targets.read(name)
    kind = kinds.kind(profile.kind)
    assert shown.startswith(unfolded(f"{name}: {profile.description}\n{profile.kind}: {kind.summary(profile)}\n"))
    assert [key for key, figure in kind.figures(profile) if unfolded(f"{key} {figure} {figure.source}") not in shown] == []


def unfolded(text: str) -> str:
    """Without the ends of lines, which depend on the screen."""
    return " ".join(text.split())


@pytest.mark.parametrize("name", targets.names("chip"))
def test_every_energy_of_a_chip_has_a_band_and_a_kind(name: str) -> None:
    chip = targets.read(name)
    assert isinstance(chip, Chip) and set(chip.energy) == set(TERMS)
    assert [key for key, figure in chip.energy.items() if None in (figure.low, figure.high) or not figure.kind] == []


@pytest.mark.parametrize("name", [*targets.names("gpu"), *targets.names("chip")])
def test_a_figure_from_memory_says_so(name: str) -> None:
    profile = targets.read(name)
    vague = [key for key, f in kinds.kind(profile.kind).figures(profile) if ("memory:" in f.source or "chosen" in f.source) and "~" not in f.source]
    assert vague == [] and profile.instead in targets.names("cpu")


def test_a_core_has_a_rate_for_each_arithmetic() -> None:
    assert {name: str(rate) for name, rate in targets.load("rpi5").levels[0].rates.items()} == {
        "f32": "16 flop/cycle",
        "f16": "32 flop/cycle",
        "s8": "64 op/cycle",
    }


@pytest.mark.parametrize("key", ["flops", "rates.f32"])
def test_the_old_name_of_the_rate_of_floats_is_read(key: str, tmp_path: Path) -> None:
    lanes = '{ value = 4, unit = "lanes", source = "manual" }'
    registers, rate = lanes.replace("lanes", "registers"), '{ value = 8, unit = "flop/cycle", source = "manual" }'
    level = f'cpu = "cortex_a72"\nfeatures = ["fp"]\nlanes = {lanes}\nregisters = {registers}\n{key} = {rate}\n'
    (tmp_path / "b.toml").write_text(f'extends = "rpi4"\n[levels.mine]\n{level}')
    assert targets.load(str(tmp_path / "b.toml")).levels[0].rates == {"f32": Figure(8, "flop/cycle", "manual")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "gpus"', "b.toml: kind 'gpus' is not a kind of profile (did you mean 'gpu'?)"),
        ("kind = 3", "b.toml: kind 3 is not a kind of profile (known: cpu, chip, gpu)"),
        ('extends = "videocore-vii"', "b.toml: extends 'videocore-vii', which is of kind gpu, and is of kind cpu itself (kind = \"gpu\")"),
        ('kind = "gpu"\ndescription = "mine"', "b.toml: vulkan: is missing; rates.f32: is missing"),
        (GPU + 'cache = "x"', "b.toml: unknown key 'cache' (did you mean 'caches'?)"),
        (GPU.replace("1.3", "new"), "b.toml: vulkan: must be a version of Vulkan such as '1.2', not 'new'"),
        (GPU.replace("f32", "f64"), "b.toml: unknown key 'rates.f64' (did you mean 'f16'?)"),
        ('kind = "chip"\ndescription = "mine"', f"b.toml: {MISSING}"),
        (CHIP, "b.toml: energy.update: is missing"),
        (CHIP.replace(', kind = "measured"', ""), "b.toml: energy.synop.kind: is missing"),
        (CHIP.replace("measured", "guessed"), "b.toml: energy.synop.kind: unknown 'guessed' (known: measured, simulated, claimed, chosen)"),
        (CHIP.replace("low = 1, high = 3, ", ""), "b.toml: energy.synop.low: is missing; energy.synop.high: is missing"),
        (
            BOTH_NAMES,
            "b.toml: levels.a.flops: is rates.f32 by its old name, and both are there",
        ),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_refused_in_one_line(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.toml").write_text(text)
    with pytest.raises(EdgeError) as caught:
        targets.read("./b.toml")
    assert str(caught.value) == message


def test_a_profile_of_ones_own_extends_a_gpu(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(f'kind = "gpu"\nextends = "videocore-vii"\ndescription = "faster"\n[rates]\nf32 = {GFLOPS}')
    gpu = targets.read(str(tmp_path / "b.toml"))
    assert isinstance(gpu, Gpu) and gpu.rates["f32"] == Figure(10, "GFLOP/s", "data sheet") and gpu.vulkan == "1.2"


def test_a_new_profile_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Shipped beside ours, a toy GPU and a toy board are listed, shown and refused or built for like the others."""
    shutil.copytree(profile_file.SHIPPED, tmp_path / "profiles")
    (tmp_path / "profiles" / "gpu" / "toy.toml").write_text(GPU)
    (tmp_path / "profiles" / "cpu" / "toy-board.toml").write_text('extends = "rpi4"\ndescription = "a toy"\nboards = ["Toy"]\n')
    monkeypatch.setattr(profile_file, "SHIPPED", tmp_path / "profiles")
    assert cli.main(["targets"]) == 0
    assert "toy                   mine\n                      gpu: Vulkan 1.3, f32 10 GFLOP/s\n" in capsys.readouterr().out
    assert targets.load("toy-board").levels == targets.load("rpi4").levels and targets.of_board("Toy 1").name == "toy-board"  # type: ignore[union-attr]
    with pytest.raises(EdgeError) as caught:
        targets.load("toy")
    assert str(caught.value) == "target 'toy': is a GPU: building for it is not supported yet (--target cpu runs on its CPU)"
