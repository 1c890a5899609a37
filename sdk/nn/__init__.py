"""Layers of torch that spike: trained here, built as every other network is."""

from edge.nn.ultra import UltraDLIF, UltraLIF

__all__ = ["UltraDLIF", "UltraLIF"]
