"""The generated C of two small networks, kept to be read: `pytest tests/test_golden_c.py --update-golden` writes it anew.

A difference is a change of what the compiler prints: read it, and keep it if it is meant.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge import codegen, passes, plan, targets
from edge.plan.cores import cores_of
from graphs import small

GOLDEN = Path(__file__).parent / "golden"
NETWORKS = {
    "conv_relu": (
        "(float[1,3,8,8] picture) => (float[1,8,4,4] map) "
        "{ c = Conv <kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]> (picture, w, b)  map = Relu (c) }",
        {"w": (8, 3, 3, 3), "b": (8,)},
    ),
    "count_above": (
        "(float[2,6] x, int64[3] columns) => (int64[2] above) "
        "{ g = Gather <axis=1> (x, columns)  m = Greater (g, limit)  n = Cast <to=7> (m)  above = ReduceSum <keepdims=0> (n, axes) }",
        {"limit": np.array(0.5, np.float32), "axes": np.array([1])},
    ),
}


@pytest.mark.parametrize("target", ["rpi4", "x86-64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_generated_c_is_as_it_was_read(name: str, target: str, request: pytest.FixtureRequest) -> None:
    profile = targets.load(target)
    made = plan.make(passes.optimize(small(*NETWORKS[name])), cores_of(profile))  # type: ignore[arg-type]
    level = list(made.levels)[-1]
    text = codegen.emit(made, dict.fromkeys(made.levels, ()), target, codegen.Vectors(), split=False)[f"steps_{level}.c"]
    file = GOLDEN / f"{name}_{target}.c"
    if request.config.getoption("--update-golden"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), f"pytest {Path(__file__).name} --update-golden writes {file.name}, to be read in review"
