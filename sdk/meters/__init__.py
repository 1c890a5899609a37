"""Energy meters: one file each, found by listing the folder (docs/meters.md).

names()                  every meter that edge knows
discover(place)          those of this machine or device, best first, and why others that are there cannot be used
watch(word, place)       what `edge profile --energy WORD` gives to `bench`: "auto", "none", or NAME[:PORT[@VOLTS]]
"""

from edge.meters.clock import SAME, Clock, align, compare, device_clock
from edge.meters.discovery import discover, meters, names, watch
from edge.meters.energy import energy_of
from edge.meters.place import Here, Nowhere, Place, There
from edge.meters.trace import Probe, Timeline, Trace, trace_of

__all__ = [
    "SAME",
    "Clock",
    "Here",
    "Nowhere",
    "Place",
    "Probe",
    "There",
    "Timeline",
    "Trace",
    "align",
    "compare",
    "device_clock",
    "discover",
    "energy_of",
    "meters",
    "names",
    "trace_of",
    "watch",
]
