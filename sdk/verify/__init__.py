"""Does an artifact still compute what its model computes?  Whole, and layer by layer, with the first guilty layer named."""

from edge.verify.checking import verify
from edge.verify.comparison import Comparison, Tolerance, compared, tolerance_for
from edge.verify.outcome import Outcome, require_good

__all__ = ["Comparison", "Outcome", "Tolerance", "compared", "require_good", "tolerance_for", "verify"]
