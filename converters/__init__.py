"""Foreign formats in: `read` gives a `Source`, the graph together with a way to evaluate the original.

A format is one file: it has `read(spec) -> Source`; SUFFIXES names it.  What cannot be read is refused with one line.
"""

from edge.converters.inputs import parse_input_shape
from edge.converters.open import read
from edge.converters.source import Source

__all__ = ["Source", "parse_input_shape", "read"]
