"""The primitives of NIR that live in time: integrators, neurons, thresholds and delays, as ops of domain `edge` with states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.converters.nir_file import Node
from edge.converters.nir_graph import Floats, Signal, Step, fitted, numbers
from edge.errors import spelled
from edge.graph import neurons
from edge.graph.neurons import LEAK
from edge.neuron import spoken

Write = Callable[[Step, str, Node, Signal], Signal]
DELAY = "Delay"
LONGEST = 4096  #: steps of a delay
ONE = 4e-7  #: a gain so near 1 is 1: its factors were stored as float32 (snnTorch's tau / dt and dt / tau)
NEAR = 1e-3  #: of a step, that a delay may be off a whole number of them


def membrane(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """I, IF, LI and LIF: v is charged by x; IF and LIF spike."""
    return _fire(step, name, node, x, *_charge(step, name, node, x, "tau"))


def synapse(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """CubaLI and CubaLIF: x charges a current, and that the potential, this step's or the last one's."""
    a, b, _ = _leak(step, name, node, x, "tau_syn", np.array(1.0), np.array(0.0))
    w_in = fitted(step, name, "w_in", numbers(step, name, node, "w_in"), x.shape) if "w_in" in node.values else np.array(1.0)
    held = [
        step.constant(f"{name}.current.{key}", fitted(step, name, key, value, x.shape)) for key, value in (("a", a), ("b", b * w_in), ("c", a * 0))
    ]
    was = step.state(f"{name}.current", x.shape)
    step.ours(LEAK, [x.name, was.name, *held], [f"{name}.current.after"])
    current = Signal(f"{name}.current.after" if step.answers.current == "new" else was.name, x.shape)
    return _fire(step, name, node, current, *_charge(step, name, node, current, "tau_mem"))


def threshold(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """1 where x is above the threshold."""
    held = step.constant(f"{name}.threshold", fitted(step, name, "threshold", numbers(step, name, node, "threshold"), x.shape))
    step.op("Greater" if step.answers.compare == "gt" else "GreaterOrEqual", [x.name, held], f"{name}.above")
    step.op("Cast", [f"{name}.above"], name, to=1)
    return Signal(name, x.shape)


def delay_steps(step: Step, name: str, node: Node) -> Floats:
    """A delay in steps, whole numbers."""
    assert step.answers.dt is not None
    steps = numbers(step, name, node, "delay") / step.answers.dt
    whole = np.round(steps)
    if (np.abs(steps - whole) > NEAR).any() or (whole < 1).any() or (whole > LONGEST).any():
        raise step.wrong(name, f"a delay is not 1 to {LONGEST} whole steps of {step.answers.dt:g} s", f"choose another {spelled('--dt', 'dt')}")
    return whole


def delay_out(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """What the delay gives, of what it keeps alone: the last `longest` inputs, the oldest first.  x: only its shape is read."""
    steps = fitted(step, name, "delay", delay_steps(step, name, node), x.shape)
    longest = int(np.max(steps))
    was = step.state(name, (longest, *x.shape))
    index = np.broadcast_to(longest - steps, (1, 1, *x.shape)).astype(np.int64)
    step.op("GatherElements", [was.name, step.constant(f"{name}.index", index)], f"{name}.row", axis=1)
    step.op("Squeeze", [f"{name}.row", step.constant(f"{name}.axis", np.array([1], np.int64))], name)
    return Signal(name, x.shape)


def delay_in(step: Step, name: str, x: Signal) -> None:
    """What the delay keeps for the next step: one input more, the oldest less."""
    before = next(was for _, was in step.states if was.name == f"{name}.before")
    longest = before.shape[0]
    if before.shape[1:] != x.shape:
        raise step.wrong(name, f"delays {list(before.shape[1:])} and gets {list(x.shape)}")
    step.op("Unsqueeze", [x.name, step.constant(f"{name}.new.axis", np.array([1], np.int64))], f"{name}.new")
    ends = [step.constant(f"{name}.{key}", np.array([n], np.int64)) for key, n in (("from", 1), ("to", longest + 1), ("along", 1))]
    step.op("Concat", [f"{name}.before", f"{name}.new"], f"{name}.all", axis=1)
    step.op("Slice", [f"{name}.all", *ends], f"{name}.after")


def _leak(step: Step, name: str, node: Node, x: Signal, tau: str, r: Floats, rest: Floats) -> tuple[Floats, Floats, Floats]:
    """(a, b, c) of tau dv/dt = (rest - v) + r x over one step."""
    dt, constant = step.answers.dt, fitted(step, name, tau, numbers(step, name, node, tau), x.shape)
    assert dt is not None
    if (constant <= 0).any():
        raise step.wrong(name, f"{tau} is not above 0")
    if step.answers.integration == "euler" and (dt > constant * (1 + 1e-6)).any():
        raise step.wrong(
            name,
            f"a step of {dt:g} s is longer than its {tau} of {constant.min():g} s",
            f"a smaller {spelled('--dt', 'dt')}, or {spoken('integration', 'exponential')}",
        )
    part = dt / constant if step.answers.integration == "euler" else -np.expm1(-dt / constant)
    return 1 - part, _one(r * part), rest * part


def _one(gain: Floats) -> Floats:
    """The gain; exactly 1 where it was that before its factors were rounded."""
    return np.where(np.abs(gain - 1) < ONE, 1.0, gain)


def _charge(step: Step, name: str, node: Node, x: Signal, tau: str) -> tuple[Floats, Floats, Floats]:
    """(a, b, c) of the membrane.  I and IF do not leak: dv/dt = r x."""
    r = fitted(step, name, "r", numbers(step, name, node, "r"), x.shape)
    if node.kind in ("I", "IF"):
        assert step.answers.dt is not None
        return np.array(1.0), _one(r * step.answers.dt), np.array(0.0)
    return _leak(step, name, node, x, tau, r, fitted(step, name, "v_leak", numbers(step, name, node, "v_leak"), x.shape))


def _fire(step: Step, name: str, node: Node, x: Signal, a: Floats, b: Floats, c: Floats) -> Signal:
    """The op of the neuron, its constants and its state."""
    held = [step.constant(f"{name}.{key}", fitted(step, name, key, value, x.shape)) for key, value in (("a", a), ("b", b), ("c", c))]
    was = step.state(name, x.shape)
    if not node.kind.endswith("IF"):
        step.ours(LEAK, [x.name, was.name, *held], [f"{name}.after"])
        return Signal(f"{name}.after", x.shape)
    answers, limit = step.answers, numbers(step, name, node, "v_threshold")
    rest = numbers(step, name, node, "v_reset") if "v_reset" in node.values else np.zeros(1)
    if answers.reset in ("subtract", "delayed") and (rest != 0).any():
        raise step.wrong(
            name,
            f"has a v_reset of {rest.flat[np.argmax(rest != 0)]:g}, which {spoken('reset', answers.reset)} does not use",
            spoken("reset", "zero"),
        )
    if answers.spikes == "multi" and (limit <= 0).any():
        raise step.wrong(name, "has a threshold that is not above 0", spoken("spikes", "binary"))
    held += [step.constant(f"{name}.{key}", fitted(step, name, key, value, x.shape)) for key, value in (("v_threshold", limit), ("v_reset", rest))]
    step.ours(neurons.op_of(answers.compare, answers.reset, answers.spikes), [x.name, was.name, *held], [name, f"{name}.after"])
    return Signal(name, x.shape)


_SPIKING = {"dt", "reset", "compare", "spikes"}
#: kind -> how it is written, and the questions that it asks
NEURONS: dict[str, tuple[Write, set[str]]] = {
    "I": (membrane, {"dt"}),
    "IF": (membrane, _SPIKING),
    "LI": (membrane, {"dt", "integration"}),
    "LIF": (membrane, _SPIKING | {"integration"}),
    "CubaLI": (synapse, {"dt", "integration", "current"}),
    "CubaLIF": (synapse, _SPIKING | {"integration", "current"}),
    "Threshold": (threshold, {"compare"}),
    DELAY: (delay_out, {"dt"}),
}
