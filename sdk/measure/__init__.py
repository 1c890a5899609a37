"""Latency and memory of an artifact, with what makes a figure trustworthy or not.  `bench` runs the artifact here.

`count` runs it under an emulator and counts instructions.
"""

from edge.measure.benchmark import bench
from edge.measure.counting import count
from edge.measure.counts import CountedLayer, Counts, Executed
from edge.measure.figures import Energy, Hygiene, Latency, Layer, Machine, Profile
from edge.measure.watch import Unwatched, Watch

__all__ = [
    "CountedLayer",
    "Counts",
    "Energy",
    "Executed",
    "Hygiene",
    "Latency",
    "Layer",
    "Machine",
    "Profile",
    "Unwatched",
    "Watch",
    "bench",
    "count",
]
