"""Graph -> steps: grouping (what stays in registers), lowering by `edge.ops`, memory; and what the steps will cost on a device."""

from edge.plan.inference_energy import modelled_energy
from edge.plan.machine import machine_of
from edge.plan.making import make
from edge.plan.prediction import Prediction, predict

__all__ = ["Prediction", "machine_of", "make", "modelled_energy", "predict"]
