"""What Python calls, `edge.build`, `edge.export`, `edge.predict`: the same as in `pipeline`, with cures that name arguments instead of options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from edge import pipeline
from edge.errors import spelled_for_python

P = ParamSpec("P")
R = TypeVar("R")


def _in_python(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with spelled_for_python():
            return function(*args, **kwargs)

    return call


build = _in_python(pipeline.build)
export = _in_python(pipeline.export)
predict = _in_python(pipeline.predict)
