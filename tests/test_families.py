"""Tiny networks of the families that people deploy: what edge compiles of each is within 1e-5 of torch, on this machine and on Arm."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from families import FAMILIES  # noqa: E402

from compiled import LEVELS, SANITIZE, Case, run_compiled  # noqa: E402 torch may be missing
from edge import converters  # noqa: E402
from edge.graph.writing import to_bytes  # noqa: E402
from edge.targets import host  # noqa: E402
from graphs import Array, difference  # noqa: E402

pytestmark = pytest.mark.slow
RTOL = 1e-5  #: max|d| / max|reference|


@pytest.fixture(scope="module")
def cases() -> list[tuple[Case, Array]]:
    """Every network as a graph with one input and what torch makes of it, in float64: its own float32 is off by as much as ours."""
    import onnx

    found = []
    for seed, (name, (make, size)) in enumerate(FAMILIES.items()):
        torch.manual_seed(seed)
        module, x = make().eval(), torch.randn(*size)
        for layer in module.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2.0)
        source = converters.read(module, input_shapes={}, weights=None, example_inputs=(x,))
        proto = onnx.ModelProto.FromString(to_bytes(source.model))  # before the module's weights, which the graph shares, become float64
        with torch.no_grad():
            wanted = module.double()(x.double()).numpy().astype(np.float32)
        found.append((Case(name, proto, {source.model.graph.inputs[0].name or "": x.numpy()}), wanted))
    return found


@pytest.mark.parametrize("level", ["v3", "neon"])
def test_every_family_is_within_1e_5_of_torch(level: str, cases: list[tuple[Case, Array]], tmp_path: Path) -> None:
    found = LEVELS[level]
    if not found.run:
        found = replace(
            found, cc=tuple(word for word in found.cc if word not in SANITIZE)
        )  # test_kernels.py has the sanitizers; they double the time
    if found.run and shutil.which(found.needs) is None:
        pytest.skip(f"{found.needs} is not installed (apt-get install qemu-user)")
    if not found.run and found.needs not in host.features():
        pytest.skip(f"this CPU has no {found.needs}")
    results = run_compiled([case for case, _ in cases], found, tmp_path)
    wrong = {case.name: difference(got, wanted) for (case, wanted), (got,) in zip(cases, results, strict=True) if not difference(got, wanted) <= RTOL}
    assert wrong == {}
