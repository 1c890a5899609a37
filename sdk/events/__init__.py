"""Event recordings: what a camera of spikes saw, read from files and sorted into the time steps of a network."""

from __future__ import annotations

from edge.events.reading import read as read
from edge.events.recording import Recording as Recording
from edge.events.recording import raster as raster
from edge.events.synthetic import saccades as saccades
