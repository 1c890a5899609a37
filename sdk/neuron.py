"""What a file of spiking neurons leaves open, and the words that answer it.

m = a * v + b * x + c          the potential v is charged by the input x; a, b, c follow from time constants and step
s = m > threshold (gt) or m >= threshold (ge): 0 or 1 (binary); or how often the threshold fits into m (multi)
v of the next step = v_reset where s > 0 (zero), m - s * threshold (subtract), or m (none)
delayed: v of the next step = m, and its m is a * v + b * x + c - s * threshold: what a spike takes away has not decayed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from edge.errors import EdgeError, spelled

COMPARES, RESETS, SPIKES = ("gt", "ge"), ("zero", "subtract", "delayed", "none"), ("binary", "multi")
INTEGRATIONS, CURRENTS = ("euler", "exponential"), ("new", "old")


@dataclass(frozen=True)
class Answers:
    """What a file of neurons does not say; None or "" where nobody has said it.

    dt: seconds of a time step.  reset, compare, spikes: as above.  integration: how the time constant tau becomes a step's decay a:
    1 - dt/tau (euler) or exp(-dt/tau) (exponential).  current: of which step the synaptic
    current is that charges the membrane, this one (new) or the last (old).
    """

    dt: float | None = None
    reset: str = ""
    compare: str = ""
    spikes: str = ""
    integration: str = ""
    current: str = ""

    @property
    def given(self) -> dict[str, float | str]:
        """What was said, by name."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) not in (None, "")}


#: name -> the question, and the words that answer it
QUESTIONS = {
    "dt": ("how long is a time step", "SECONDS"),
    "reset": ("what does a spike do to the potential", "|".join(RESETS)),
    "compare": ("does a potential at the threshold spike", "|".join(COMPARES)),
    "spikes": ("can a step have more than one spike", "|".join(SPIKES)),
    "integration": ("how does a time constant become a decay", "|".join(INTEGRATIONS)),
    "current": ("which synaptic current charges the membrane", "|".join(CURRENTS)),
}
CHOICES = {"reset": RESETS, "compare": COMPARES, "spikes": SPIKES, "integration": INTEGRATIONS, "current": CURRENTS}
#: what the specification of NIR writes down [nir, docs/source/primitives.md]: v > v_threshold, v becomes v_reset, one spike
#: spikingjelly: IFNode, LIFNode, ParametricLIFNode and CUBALIFNode, as export_to_nir writes them [spikingjelly 2.0.0, nir_exchange/to_nir.py]
#: snntorch: Leaky and Synaptic as they are by default, as export_to_nir writes them [snntorch 1.0.0, _neurons/leaky.py, export_nir.py]
PRESETS: dict[str, dict[str, object]] = {
    "nir": {"reset": "zero", "compare": "gt", "spikes": "binary"},
    "spikingjelly": {"dt": 1e-4, "reset": "zero", "compare": "ge", "spikes": "binary", "integration": "euler", "current": "new"},
    "snntorch": {"dt": 1e-4, "reset": "delayed", "compare": "gt", "spikes": "binary", "integration": "euler", "current": "new"},
}


def spoken(name: str, value: object) -> str:
    """An answer as the user would give it."""
    return spelled(f"--{name} {value}", f"neurons={{{name!r}: {value!r}}}")


def answers(said: Mapping[str, object]) -> Answers:
    """The answers that were given by name, `preset` among them; a single word goes before its preset's.  EdgeError for what is no answer."""
    words = {name: value for name, value in said.items() if value not in (None, "")}
    for name, value in words.items():
        choices = tuple(PRESETS) if name == "preset" else CHOICES.get(name)
        where = spoken(name, value)
        if name == "dt":
            if not isinstance(value, (int, float)) or not 0 < value <= 1:
                raise EdgeError(where, "is not above 0 and at most 1", "the time step in seconds, e.g. 1e-3")
        elif choices is None:
            raise EdgeError(where, "is no question", f"they are {', '.join(QUESTIONS)}")
        elif value not in choices:
            raise EdgeError(where, "is no answer", f"one of {', '.join(choices)}")
    preset = PRESETS[str(words.pop("preset"))] if "preset" in words else {}
    return Answers(**{**preset, **words})  # type: ignore[arg-type]


def require(given: Answers, asked: set[str], where: str) -> None:
    """Refuse a file whose neurons ask what nobody has answered, every question spelled out."""
    open_ = [name for name in QUESTIONS if name in asked and getattr(given, name) in (None, "")]
    if open_:
        spelled_out = "; ".join(f"{QUESTIONS[name][0]}: {spoken(name, QUESTIONS[name][1])}" for name in open_)
        raise EdgeError(where, f"leaves open: {spelled_out}", "its maker knows; a wrong answer is a wrong network")
