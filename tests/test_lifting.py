"""Old nodes that onnx's converter or checker do not know: the lifted graph answers as the file does, by ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge import converters, graph, passes

#: (opset, shape of x, shape of y, node)
NODES = (
    (9, "2, 3, 4, 5", "2, 3, 4, 5", "MeanVarianceNormalization (x)"),
    (13, "2, 3, 4, 5", "2, 3, 4, 5", "MeanVarianceNormalization (x)"),
    (17, "2, 3, 4, 5", "2, 3, 4, 5", "MeanVarianceNormalization <axes = [1, 3]> (x)"),
    (18, "2, 4, 3, 3", "2, 4, 3, 3", "GroupNormalization <num_groups = 2> (x, s, b)"),
    (20, "2, 4, 6", "2, 4, 6", "GroupNormalization <num_groups = 2, epsilon = 0.1> (x, s, b)"),
    (9, "5, 6, 5", "4, 8, 5", 'Pad <mode = "reflect", pads = [-1, 1, -1, 0, 1, 1], value = 1.5> (x)'),
    (7, "3, 4", "4, 6", "Pad <pads = [1, 2, 0, 0], value = 1.5> (x)"),
    (9, "3, 4", "4, 6", 'Pad <mode = "edge", pads = [1, 2, 0, 0], value = 1.5> (x)'),
    (7, "2, 3, 4", "2, 3, 4", "Hardmax (x)"),
    (12, "2, 3, 4", "2, 3, 4", "Hardmax <axis = -2> (x)"),
    (11, "2, 3, 4", "2, 3, 4", "Hardmax <axis = 2> (x)"),
)


@pytest.mark.parametrize(
    ("opset", "dims", "out", "node"), NODES, ids=[f"{node.partition(' ')[0]}-{opset}-{i}" for i, (opset, _, _, node) in enumerate(NODES)]
)
def test_a_lifted_node_means_what_it_meant(opset: int, dims: str, out: str, node: str) -> None:
    head = f'<ir_version: 7, opset_import: ["" : {opset}]> g (float[{dims}] x) => (float[{out}] y)'
    model = onnx.parser.parse_model(f"{head} <float[2] s = {{2, 3}}, float[2] b = {{1, -1}}> {{ y = {node} }}")
    source = converters.read(model, input_shapes={}, weights=None, example_inputs=None)
    x = {"x": np.random.default_rng(0).standard_normal([int(n) for n in dims.split(",")]).astype(np.float32)}
    expected = graph.evaluate(source.model, x, ["y"])["y"]
    assert expected == pytest.approx(source.run(x)["y"], rel=1e-5, abs=1e-5)
    assert graph.evaluate(passes.optimize(source.model, None), x, ["y"])["y"] == pytest.approx(source.run(x)["y"], rel=1e-5, abs=1e-5)
