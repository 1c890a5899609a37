"""The zoo: its sizes are the papers', its untrained networks are worth verifying, and what it gives can be exported."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge import models
from edge.errors import EdgeError

torch = pytest.importorskip("torch")
nn = torch.nn

PICTURE = (1, 3, 224, 224)


def build(name: str, **options: object) -> nn.Module:
    """A zoo network with torch's own first weights: quick, for what only looks at shapes."""
    file, kind, fixed = models.ZOO[name]
    module = __import__(f"edge.models.{file}", fromlist=[kind])
    return getattr(module, kind)(**fixed | options).eval()


def norm_parameters(module: nn.Module) -> int:
    return sum(p.numel() for layer in module.modules() if isinstance(layer, nn.BatchNorm2d) for p in layer.parameters())


def outputs(module: nn.Module, kind: type, only_biased: bool = False) -> int:
    """Numbers that all layers of one kind produce for one picture."""
    sizes: list[int] = []
    for layer in module.modules():
        if isinstance(layer, kind) and (layer.bias is not None or not only_biased):
            layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(output.numel()))
    with torch.no_grad():
        module(torch.zeros(PICTURE))
    return sum(sizes)


# MobileNetV1: "Million MACs | Million Parameters" of tensorflow/models slim/nets/mobilenet_v1.md.  Parameters there hold three numbers a channel of
# batch norm, not two.  Its rows of width 0.75 leave out the MACs of the first layer; of width 0.5 at 224 it has 150 where the paper has 149; and
# of width 0.25 at 192 it has 34, a slip of the pen: (192 / 224)² of 41 are 30.
@pytest.mark.parametrize(
    ("name", "million_macs", "million_parameters"),
    [
        ("mobilenet_v1_x0_25_128", 14, 0.47),
        ("mobilenet_v1_x0_25_160", 21, 0.47),
        ("mobilenet_v1_x0_25_192", 30, 0.47),
        ("mobilenet_v1_x0_25", 41, 0.47),
        ("mobilenet_v1_x0_5_128", 49, 1.34),
        ("mobilenet_v1_x0_5_160", 77, 1.34),
        ("mobilenet_v1_x0_5_192", 110, 1.34),
        ("mobilenet_v1_x0_5", 149, 1.34),
        ("mobilenet_v1_x0_75_128", 104, 2.59),
        ("mobilenet_v1_x0_75_160", 162, 2.59),
        ("mobilenet_v1_x0_75_192", 233, 2.59),
        ("mobilenet_v1_x0_75", 317, 2.59),
        ("mobilenet_v1_128", 186, 4.24),
        ("mobilenet_v1_160", 291, 4.24),
        ("mobilenet_v1_192", 418, 4.24),
        ("mobilenet_v1", 569, 4.24),
    ],
)
def test_mobilenet_v1_has_the_published_size(name: str, million_macs: int, million_parameters: float) -> None:
    module, shape = build(name), models.input_shape(name)
    parameters, macs = models.cost(module, shape)
    stem = module.conv_stem.weight.numel() * (shape[2] // 2) ** 2
    assert round((macs - stem * ("x0_75" in name)) / 1e6) == million_macs
    assert round((parameters + norm_parameters(module) / 2) / 1e6, 2) == million_parameters


# The paper's tables 6 (width) and 7 (resolution: "290" is cut, not rounded).
@pytest.mark.parametrize(
    ("name", "million_macs", "million_parameters"),
    [
        ("mobilenet_v1", 569, 4.2),
        ("mobilenet_v1_x0_75", 325, 2.6),
        ("mobilenet_v1_x0_5", 149, 1.3),
        ("mobilenet_v1_x0_25", 41, 0.5),
        ("mobilenet_v1_192", 418, 4.2),
        ("mobilenet_v1_160", 290, 4.2),
        ("mobilenet_v1_128", 186, 4.2),
    ],
)
def test_mobilenet_v1_has_the_papers_size(name: str, million_macs: int, million_parameters: float) -> None:
    parameters, macs = models.cost(build(name), models.input_shape(name))
    assert million_macs in (round(macs / 1e6), macs // 1_000_000)
    assert round(parameters / 1e6, 1) == million_parameters


# MobileNetV2: "Classification Checkpoint | MACs (M) | Parameters (M)" of tensorflow/models slim/nets/mobilenet/README.md, whose 1.0 row is the
# paper's 300M (table 4, which cuts 3.47M to 3.4M).  Parameters there leave out those of batch norm.  1.0 has 300.8 MMAC: the README cuts, too.
@pytest.mark.parametrize(
    ("name", "million_macs", "million_parameters"),
    [
        ("mobilenet_v2_x0_35", 59, 1.66),
        ("mobilenet_v2_x0_5", 97, 1.95),
        ("mobilenet_v2_x0_75", 209, 2.61),
        ("mobilenet_v2", 300, 3.47),
        ("mobilenet_v2_x1_3", 509, 5.34),
        ("mobilenet_v2_x1_4", 582, 6.06),
    ],
)
def test_mobilenet_v2_has_the_published_size(name: str, million_macs: int, million_parameters: float) -> None:
    module = build(name)
    parameters, macs = models.cost(module, PICTURE)
    assert macs // 1_000_000 == million_macs
    assert round((parameters - norm_parameters(module)) / 1e6, 2) == million_parameters


# MobileNetV3 at width 1: num_params and _ops (GFLOPS, here as MMAC) in the meta of torchvision's weights.  At 0.75, which torchvision does not train:
# parameters of timm's mobilenetv3_*_075; "MACs (M)" of tensorflow/models slim/nets/mobilenet/README.md, which are the paper's (table 3).
@pytest.mark.parametrize(
    ("name", "million_macs", "million_parameters"),
    [
        ("mobilenet_v3_small_x0_75", 44, 2.04),
        ("mobilenet_v3_small", 57, 2.54),
        ("mobilenet_v3_large_x0_75", 155, 3.99),
        ("mobilenet_v3_large", 217, 5.48),
    ],
)
def test_mobilenet_v3_has_the_published_size(name: str, million_macs: int, million_parameters: float) -> None:
    parameters, macs = models.cost(build(name), PICTURE)
    assert abs(macs / 1e6 - million_macs) < (0.7 if name == "mobilenet_v3_small_x0_75" else 0.5)  # the authors' has 43.4 rounded up
    assert round(parameters / 1e6, 2) == million_parameters


# num_params in the meta of torchvision's weights; MACs of width 1 follow from the papers' tables.
@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("mobilenet_v1", 4_231_976, 568_740_352),
        ("mobilenet_v2", 3_504_872, 300_774_272),
        ("mobilenet_v3_small", 2_542_856, 56_510_400),
        ("mobilenet_v3_large", 5_483_032, 216_589_760),
    ],
)
def test_the_mobilenets_have_these_sizes_to_the_last_digit(name: str, parameters: int, macs: int) -> None:
    assert models.cost(build(name), PICTURE) == (parameters, macs)


# PP-LCNet: paper table 3 ("MFLOPs", "Params") = PaddleClas docs/en/models/PP-LCNet_en.md.  paddle.flops counts a batch norm as two operations a
# number and a bias as one, so the table's MFLOPs are MACs + 2 * norms + biases of convolutions.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "million_flops", "million_parameters"),
    [
        ("pp_lcnet_x0_25", 18, 1.5),
        ("pp_lcnet_x0_35", 29, 1.6),
        ("pp_lcnet_x0_5", 47, 1.9),
        ("pp_lcnet_x0_75", 99, 2.4),
        ("pp_lcnet_x1_0", 161, 3.0),
        ("pp_lcnet_x1_5", 342, 4.5),
        ("pp_lcnet_x2_0", 590, 6.5),
        ("pp_lcnet_x2_5", 906, 9.0),
    ],
)
def test_pp_lcnet_has_the_published_size(name: str, million_flops: int, million_parameters: float) -> None:
    module = build(name)
    parameters, macs = models.cost(module, PICTURE)
    assert round(parameters / 1e6, 1) == million_parameters
    flops = macs + 2 * outputs(module, nn.BatchNorm2d) + outputs(module, nn.Conv2d, only_biased=True)
    assert round(flops / 1e6) == million_flops


# FasterNet: the README of the authors' repository ("#params", "FLOPs", parameters without those of batch norm) and, in brackets, the paper's
# table 2, whose FLOPs count a batch norm as two operations a number.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "million_parameters", "giga_macs", "paper_giga_flops"),
    [
        ("fasternet_t0", 3.9, 0.34, 0.34),
        ("fasternet_t1", 7.6, 0.85, 0.85),
        ("fasternet_t2", 15.0, 1.90, 1.91),
        ("fasternet_s", 31.1, 4.55, 4.56),
        ("fasternet_m", 53.5, 8.72, 8.74),
        ("fasternet_l", 93.4, 15.49, 15.52),
    ],
)
def test_fasternet_has_the_published_size(name: str, million_parameters: float, giga_macs: float, paper_giga_flops: float) -> None:
    module = build(name)
    parameters, macs = models.cost(module, PICTURE)
    assert round((parameters - norm_parameters(module)) / 1e6, 1) == million_parameters
    assert round(macs / 1e9, 2) == giga_macs
    assert round((macs + 2 * outputs(module, nn.BatchNorm2d)) / 1e9, 2) == paper_giga_flops


def test_every_network_of_the_zoo_has_its_size_checked_here() -> None:
    tests = (
        test_mobilenet_v1_has_the_published_size,
        test_mobilenet_v2_has_the_published_size,
        test_mobilenet_v3_has_the_published_size,
        test_pp_lcnet_has_the_published_size,
        test_fasternet_has_the_published_size,
    )
    checked = {row[0] for test in tests for mark in test.pytestmark if mark.name == "parametrize" for row in mark.args[1]}
    assert checked == set(models.names())


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(EdgeError) as caught:
        models.create("mobilenetv2")
    assert str(caught.value) == "zoo:mobilenetv2: no such network in the zoo (did you mean 'mobilenet_v2'?)"
    with pytest.raises(EdgeError) as caught:
        models.create("zzz")
    assert str(caught.value) == f"zoo:zzz: no such network in the zoo (there are {', '.join(models.names())})"


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(EdgeError) as caught:
        build("mobilenet_v3_small", size="smal")
    assert str(caught.value) == "size=smal: MobileNetV3 has the sizes large, small (did you mean 'small'?)"


@pytest.mark.parametrize(
    ("name", "side"), [("mobilenet_v1", 224), ("mobilenet_v1_192", 192), ("mobilenet_v1_x0_25_128", 128), ("pp_lcnet_x0_25", 224)]
)
def test_a_name_says_the_resolution(name: str, side: int) -> None:
    assert models.input_shape(name) == (1, 3, side, side)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(EdgeError) as caught:
        models.create("fasternet_t0", form="slice")
    assert str(caught.value) == "form=slice: FasterNet's partial convolution has the forms split_cat, slicing (did you mean 'slicing'?)"


def test_names_are_known_without_torch_and_creating_says_how_to_get_it() -> None:
    script = """
import sys
sys.modules["torch"] = None
from edge import models
from edge.errors import EdgeError
assert "fasternet_l" in models.names()
try:
    models.create("mobilenet_v2")
except EdgeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "zoo:mobilenet_v2: the zoo needs torch (pip install -e '.[torch]')\n"


def noise(seed: int) -> torch.Tensor:
    return torch.rand(PICTURE, generator=torch.Generator().manual_seed(seed)) * 4 - 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "pp_lcnet_x1_0", "fasternet_t0"])
def test_untrained_networks_are_worth_verifying(name: str) -> None:
    """Activations stay of order one, the answer depends on the picture, and rounding errors are not amplified much."""
    module, spreads = models.create(name), []
    exact = copy.deepcopy(module).double()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            layer.register_forward_hook(lambda _layer, _inputs, output: spreads.append(output.std().item()))
    with torch.no_grad():
        one, other, truth = module(noise(1)), module(noise(2)), exact(noise(1).double())
    assert 0.05 < min(spreads) < max(spreads) < 10
    assert (one - other).abs().max() > 0.1 * one.abs().max()
    assert (one - truth).abs().max() < 3e-6 * truth.abs().max()


def test_untrained_weights_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256()
    for name, value in models.create("mobilenet_v2_x0_35").state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    assert digest.hexdigest()[:16] == "1ebaf90a02a97fe8"


@pytest.mark.slow
def test_untrained_weights_are_the_seeds_and_leave_torchs_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, another = (models.create("mobilenet_v2_x0_35", seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    assert not torch.equal(first.features[0][0].weight, another.features[0][0].weight)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_both_forms_of_the_partial_convolution_are_one_function() -> None:
    one, two = (models.create("fasternet_t0", form=form) for form in ("split_cat", "slicing"))
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(one(x), two(x))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mobilenet_v1_x0_5_160", {}),
        ("mobilenet_v2", {}),
        ("mobilenet_v3_small", {}),
        ("pp_lcnet_x1_0", {}),
        ("fasternet_t0", {"form": "split_cat"}),
        ("fasternet_t0", {"form": "slicing"}),
    ],
    ids=["mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "pp_lcnet_x1_0", "fasternet_t0-split_cat", "fasternet_t0-slicing"],
)
def test_exported_to_onnx_the_answers_stay(name: str, options: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    module = models.create(name, **options)
    x = noise(1)
    torch.onnx.export(module, (x,), tmp_path / "m.onnx", dynamo=True, verbose=False)
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (there,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    here = module(x).detach().numpy()
    assert np.abs(there - here).max() <= 1e-5 * np.abs(here).max()
