"""Graph -> steps: grouping (what stays in registers), lowering by `edge.ops`, memory."""

from edge.plan.making import make

__all__ = ["make"]
