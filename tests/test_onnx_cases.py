"""ONNX's own node cases (onnx.backend.test) as oracle: what is read and optimized still gives the recorded outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edge import converters, graph, passes
from edge.errors import EdgeError

#: the families that a pass touches; the rest goes through unchanged
FAMILIES = tuple(
    """averagepool basic_conv batchnorm clip concat conv_ dropout_default expand flatten gelu gemm globalaveragepool globalmaxpool hardsigmoid
    hardswish identity leakyrelu matmul maxpool max_ min_ mul add sub div neg pow reduce_mean relu reshape sigmoid slice softmax split squeeze
    transpose unsqueeze constant_pad scatternd swish mish""".split()  # noqa: SIM905
)
#: what a case is refused for, when it is: its sizes are inputs, its tensors are empty, or it is no tensor at all
REASONS = ("has no static shape", "has no elements", "is open", "names", "not standard ONNX")


def cases() -> list[onnx.backend.test.case.test_case.TestCase]:  # type: ignore[name-defined]
    from onnx.backend.test.case.node import collect_testcases

    no_tensors = ("sequence", "_opt")
    found = [case for case in collect_testcases(None) if case.name.removeprefix("test_").startswith(FAMILIES)]
    return [case for case in found if not any(word in case.name for word in no_tensors)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_optimized_graphs_give_what_onnx_recorded(tmp_path: Path) -> None:
    wrong, refused, good = [], [], 0
    for case in cases():
        onnx.save(case.model, tmp_path / "case.onnx")
        inputs, outputs = case.data_sets[0]
        try:
            source = converters.read(tmp_path / "case.onnx")
            model = passes.optimize(source.model)
            names = [str(value.name) for value in model.graph.inputs]
            found = graph.evaluate(model, {name: np.asarray(array) for name, array in zip(names, inputs, strict=True)})
        except EdgeError as error:
            refused.append((case.name, str(error)))
            continue
        same = [agree(left, np.asarray(right)) for left, right in zip(found.values(), outputs, strict=True)]
        good += all(same)
        wrong += [] if all(same) else [case.name]
    assert wrong == []
    assert [entry for entry in refused if not any(reason in entry[1] for reason in REASONS)] == []
    assert good > 250 and good > 4 * len(refused), (good, len(refused))


def agree(left: np.ndarray, right: np.ndarray) -> bool:
    if right.dtype.kind == "f":
        return left.shape == right.shape and np.allclose(left.astype(np.float64), right.astype(np.float64), rtol=1e-3, atol=1e-4, equal_nan=True)
    return bool(np.array_equal(left, right))
