"""What the commands and Python call: a story each for building, profiling and predicting."""

from edge.pipeline.bare import runnable
from edge.pipeline.building import build, export, is_bare
from edge.pipeline.predicting import predict
from edge.pipeline.profiling import profile
from edge.plan.cores import cores_of

__all__ = ["build", "cores_of", "export", "is_bare", "predict", "profile", "runnable"]
