"""Latency and memory of an artifact, with what makes a figure trustworthy or not.  `bench` runs the artifact here."""

from edge.measure.benchmark import bench
from edge.measure.figures import Energy, Hygiene, Latency, Layer, Machine, Profile
from edge.measure.watch import Unwatched, Watch

__all__ = ["Energy", "Hygiene", "Latency", "Layer", "Machine", "Profile", "Unwatched", "Watch", "bench"]
