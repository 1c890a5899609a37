"""The graph: an `onnx_ir.Model` with static shapes.

load, save      files                         infer     static shape and type of every value
check           structure, limits, weights    evaluate  the meaning of any value, by ONNX Runtime or onnx.reference
`rewrite` holds the words passes are written in, `domain` our own ops.  Nothing heavy is imported until a function is called.
"""

import logging

from edge.graph.limits import check
from edge.graph.meaning import evaluate
from edge.graph.reading import load
from edge.graph.shapes import infer
from edge.graph.writing import save

if not (log := logging.getLogger("onnx_ir")).handlers:
    log.addHandler(logging.NullHandler())
    log.propagate = False  # it warns of damaged models in their own words, terminal escapes included; ours is the one line

__all__ = ["check", "evaluate", "infer", "load", "save"]
