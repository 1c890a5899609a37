"""Gauges that are made up, and what they make of a machine whose joules are known: rest, warm-up, a loop, rest.

    make gauges                               # 1,000 runs a kind: the table of docs/meters.md, a minute or two
    python tests/gauges.py --runs 100 --kind slow

A run draws a machine (watts at rest and at work, noise fast and slow, what it did before), the times of the spans, and a gauge of the kind.
It ends with a figure whose band holds the truth, a figure whose band does not, or no figure.  `LEAST_HELD` of the runs must not be the second.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.errors import EdgeError
from edge.meters import Timeline, energy_of, trace_of
from edge.meters.battery import limits_of
from edge.meters.trace import Channel, Floats, Probe
from edge.report.table import table

STEP = 0.01  #: seconds of the simulation
HISTORY = 90.0  #: seconds before the first rest, in which the machine was busy or not
LEAST_HELD = 0.95
HELD, WRONG, NONE = "held", "wrong", "no figure"
Random = np.random.Generator


@dataclass(frozen=True)
class Machine:
    """t, watts (n,): what it took every STEP.  loop, idle: spans of seconds.  base: watts at rest.  joules: of the loop above rest: the truth."""

    t: Floats
    watts: Floats
    loop: tuple[float, float]
    idle: tuple[tuple[float, float], tuple[float, float]]
    base: float
    joules: float


def machine(rng: Random, *, rest: float, work: float) -> Machine:
    """rest, work: seconds of each idle span and of the loop."""
    base, warm = float(np.exp(rng.uniform(np.log(0.8), np.log(15)))), float(rng.uniform(0.01, 0.3))
    step = base * float(rng.uniform(0.15, 2.0))
    begin, start = HISTORY + rest, HISTORY + rest + warm
    end = start + work
    t = np.arange(0, end + rest + 1, STEP)
    load = np.where((t >= begin) & (t < end), 1.0, 0.0)
    if rng.random() < 0.5:  # a transfer, a build: up to the first rest
        load[(t < HISTORY) & (t > HISTORY - rng.uniform(1, HISTORY))] = rng.uniform(0.2, 1.5)
    white = rng.normal(0, base * rng.uniform(0.001, 0.1), t.size) * (1 + load)
    slow = np.interp(t, np.arange(0, t[-1] + 5, 5.0), rng.normal(0, base * rng.choice([0.0, 0.005, 0.02]), int(t[-1] / 5) + 2))
    watts = np.maximum(base + step * load + (white + slow) * (rng.random() > 0.2), 0.05 * base)  # a fifth of them without any noise
    inside = (t >= start) & (t < end)
    return Machine(t, watts, (start, end), ((HISTORY, begin), (end, end + rest)), base, float(watts[inside].mean() - base) * work)


Shown = Callable[[Random, Machine], tuple[Probe, Timeline]]


def ina(**changes: object) -> Probe:
    """A supply's gauge of µW, as sdk/meters/ina2xx.py has it."""
    probe = Probe("gauge", (Channel((0,), 1e-6),), 100, 2e-3, 25e-3, 0.0, ("/power1_input",), limits=(0.05, 200.0))
    return replace(probe, **changes)  # type: ignore[arg-type]


def pack(volts: float, **changes: object) -> Probe:
    """A battery's gauge, of µW."""
    probe = Probe("gauge", (Channel((0,), 1e-6, absolute=True),), 4, 1.0, 5e-3, 0.0, ("/power_now",), limits=limits_of(volts))
    return replace(probe, **changes)  # type: ignore[arg-type]


def asked(m: Machine, hz: float, watts: Floats, rng: Random) -> tuple[Floats, Floats]:
    """The times at which the runner reads, jittered, and the gauge's watts then."""
    t = np.arange(HISTORY - 0.05, m.t[-1], 1 / hz)
    t = np.sort(t + rng.uniform(0, 0.3 / hz, t.size))
    return t, watts[np.minimum((t / STEP).astype(int), watts.size - 1)]


def micro(values: Floats, step: float = 25e-3) -> Floats:
    """Whole µW, in steps of `step` W, as a column."""
    return (np.rint(values / step) * np.rint(step * 1e6))[:, None]


def averaged(watts: Floats, seconds: float) -> Floats:
    """A mean over the seconds before."""
    n, total = max(1, int(seconds / STEP)), np.concatenate([[0.0], np.cumsum(watts)])
    at = np.arange(watts.size)
    first = np.maximum(at - n + 1, 0)
    return np.asarray((total[at + 1] - total[first]) / (at + 1 - first))


def filtered(watts: Floats, seconds: float) -> Floats:
    """A low-pass of that time constant."""
    out, keep, last = np.empty_like(watts), np.exp(-STEP / seconds), float(watts[0])
    for i, value in enumerate(watts.tolist()):
        last = keep * last + (1 - keep) * value
        out[i] = last
    return out


def held(watts: Floats, seconds: float, phase: float) -> Floats:
    """New every `seconds`, the same until then."""
    t = np.arange(watts.size) * STEP
    at = np.maximum(np.floor((t - phase) / seconds) * seconds + phase, 0)
    return watts[np.minimum((at / STEP).astype(int), watts.size - 1)]


def gauge(probe: Probe, shown: Callable[[Random, Machine], Floats], step: float = 0.0) -> Shown:
    """One that shows `shown` of the machine, in steps of the probe's resolution."""

    def read(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
        t, watts = asked(m, probe.hz, shown(rng, m), rng)
        return probe, Timeline(t, micro(watts, step or probe.resolution))

    return read


def coarse(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
    """Steps of 0.1 to 2 W, which its file does not say; cut off or rounded."""
    step = float(rng.choice([0.1, 0.25, 0.5, 1.0, 2.0]))
    t, watts = asked(m, 50, m.watts - rng.choice([0.0, step / 2]), rng)
    return ina(), Timeline(t, micro(np.maximum(watts, 0), step))


def muddled(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
    """A battery's gauge that is refreshed seldom, says a mean and is coarse."""
    every, step = float(rng.choice([0.25, 1.0, 4.0, 15.0])), float(rng.choice([5e-3, 0.05, 0.5]))
    t, watts = asked(m, 4, held(averaged(m.watts, float(rng.choice([0.1, 2.0, 8.0]))), every, float(rng.uniform(0, every))), rng)
    return pack(7.4), Timeline(t, micro(watts, step))


def unit(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
    """mW for µW, or nW."""
    t, watts = asked(m, 100, m.watts, rng)
    return ina(), Timeline(t, micro(watts * rng.choice([1e-3, 1e3]), 1e-6))


def amperes(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
    """A phone's battery that says mA, which its file took for µA, or the other way round."""
    volts, wrong = 3.85, float(rng.choice([1e-3, 1e3]))
    t, watts = asked(m, 4, np.minimum(m.watts, 30), rng)
    values = np.column_stack([np.full(t.size, 3_850_000.0), np.rint(watts / volts * 1e6 * wrong)])
    return pack(volts, channels=(Channel((0, 1), 1e-12, absolute=True),)), Timeline(t, values)


def plugged(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
    """A charger from some time on: the gauge tells what flows into the battery, with the other sign or none; or nothing.

    Without what `recheck` sees: it is not asked here.
    """
    since, charge, signed = rng.uniform(*m.loop), rng.choice([0.0, 5.0, 15.0]), rng.random() < 0.5
    watts = np.where(m.t < since, -m.watts if signed else m.watts, charge)
    t, seen = asked(m, 4, watts, rng)
    return pack(7.4), Timeline(t, micro(seen, 5e-3))


def stuck_midway(rng: Random, m: Machine) -> Floats:
    """From some time on it says what it said then."""
    since = rng.uniform(m.idle[0][0], m.loop[1])
    return np.where(m.t < since, m.watts, m.watts[int(since / STEP)])


def flickering(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
    """Volts that flicker, and a current that is stuck."""
    t, _ = asked(m, 100, m.watts, rng)
    probe = ina(channels=(Channel((0, 1), 1e-6),), paths=("/in1_input", "/curr1_input"), resolution=5e-3)
    return probe, Timeline(t, np.column_stack([5000 + rng.integers(-3, 4, t.size), np.full(t.size, np.rint(m.base * 200))]).astype(float))


def counter(rng: Random, m: Machine, every: float = 1e-3, wrap: float = 65_712_999_613.0) -> tuple[Probe, Timeline]:
    """RAPL: µJ, which begin again somewhere in the loop."""
    total = np.cumsum(m.watts) * STEP * 1e6
    total += wrap - total[int(rng.uniform(*m.loop) / STEP)]
    t, joules = asked(m, 100, held(total, max(every, STEP), float(rng.uniform(0, every))), rng)
    probe = Probe("gauge", (Channel((0,), 1e-6, wrap=wrap),), 100, 1e-3, 61e-6, 0.0, ("/energy_uj",), limits=(0.3, 2000.0))
    return probe, Timeline(t, (np.rint(joules / 61) * 61 % wrap)[:, None])


def stuck_counter(rng: Random, m: Machine) -> tuple[Probe, Timeline]:
    probe, timeline = counter(rng, m)
    return probe, replace(timeline, values=np.full_like(timeline.values, rng.choice([0.0, 4711.0])))


def slow(rng: Random, m: Machine, least: float = 2.0, most: float = 90.0) -> Floats:
    """New every 2 to 90 s: a moment's watts, or the mean since the last."""
    every = float(np.exp(rng.uniform(np.log(least), np.log(most))))
    return held(m.watts if rng.random() < 0.5 else averaged(m.watts, every), every, float(rng.uniform(0, every)))


def averaging(rng: Random, m: Machine) -> Floats:
    seconds = float(np.exp(rng.uniform(np.log(0.5), np.log(60))))
    return averaged(m.watts, seconds) if rng.random() < 0.5 else filtered(m.watts, seconds / 2)


@dataclass(frozen=True)
class Kind:
    """rest, work: what the seconds of each span are drawn from, beside each other."""

    name: str
    shown: Shown
    spans: Sequence[tuple[float, float]]
    figures: bool = False  #: most runs must have one: the gauge is good


SHORT, LONG = ((1.0, 3.0), (1.0, 10.0), (2.0, 30.0)), ((5.0, 10.0), (7.0, 30.0), (10.0, 60.0), (60.0, 120.0))
KINDS = (
    Kind("good", gauge(ina(), lambda rng, m: m.watts), SHORT, True),
    Kind("good, of a battery", gauge(pack(7.4), lambda rng, m: held(m.watts, 1.0, float(rng.uniform(0, 1)))), ((7.0, 15.0), (10.0, 60.0))),
    Kind("a counter that wraps", counter, SHORT, True),
    Kind("a slow counter", lambda rng, m: counter(rng, m, float(rng.uniform(0.05, 40))), LONG),
    Kind("a counter that stands still", stuck_counter, SHORT),
    Kind("stuck", gauge(ina(), lambda rng, m: np.full_like(m.watts, m.base)), SHORT),
    Kind("stuck from some time on", gauge(ina(), stuck_midway), SHORT),
    Kind("a stuck current, volts that flicker", flickering, SHORT),
    Kind("refreshed every 2 to 90 s", gauge(ina(), slow), LONG),
    Kind("refreshed every 60 s", gauge(ina(), lambda rng, m: slow(rng, m, 60, 60.01)), LONG),
    Kind("a mean over 0.5 to 60 s", gauge(ina(), averaging), LONG),
    Kind("slow, a mean and coarse at once", muddled, LONG),
    Kind("a mean over 30 s", gauge(ina(), lambda rng, m: averaged(m.watts, 30)), LONG),
    Kind("coarse, and does not say so", coarse, SHORT),
    Kind("the other sign", gauge(ina(), lambda rng, m: -m.watts), SHORT),
    Kind("mW or nW for µW", unit, SHORT),
    Kind("mA for µA, or µA for mA", amperes, ((7.0, 15.0), (10.0, 60.0))),
    Kind("a charger midway", plugged, ((7.0, 15.0), (10.0, 60.0))),
)


@dataclass(frozen=True)
class Outcome:
    """what: held, wrong or no figure.  how: the figure against the truth, or the reason.  width: half the band, as a share of the truth."""

    what: str
    how: str
    width: float = float("nan")


def outcome(kind: Kind, seed: int) -> Outcome:
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    rest, work = kind.spans[rng.integers(len(kind.spans))]
    m = machine(rng, rest=rest, work=work)
    try:
        energy = energy_of(trace_of(*kind.shown(rng, m)), m.loop, 1000, m.idle)
    except EdgeError as error:
        return Outcome(NONE, str(error))
    low, high, truth = energy.low or 0.0, energy.high or 0.0, m.joules
    how = f"{energy.value:.4g} [{low:.4g}, {high:.4g}] J for {truth:.4g}, in {work:g} s between {rest:g} s of rest"
    return Outcome(HELD if low <= truth <= high else WRONG, how, (high - low) / 2 / truth)


def shares(found: Sequence[Outcome]) -> Counter[str]:
    return Counter(each.what for each in found)


def row(kind: Kind, runs: int) -> list[str]:
    found = [outcome(kind, seed) for seed in range(runs)]
    widths = [each.width for each in found if each.what != NONE]
    width = f"± {np.median(widths):.0%}" if len(widths) >= runs / 100 else "-"
    return [kind.name, *(f"{shares(found)[what] / runs:.1%}" for what in (HELD, NONE, WRONG)), width]


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[head.lstrip(">") for head in heads], ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="how often the band of a made-up gauge holds the truth")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--kind", default="", help="only kinds with this in their name")
    parser.add_argument("--markdown", action="store_true", help="as docs/meters.md has it")
    parser.add_argument("--show", action="store_true", help="every run that is wrong")
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if given.kind in kind.name]
    if given.show:
        for kind in kinds:
            for seed in range(given.runs):
                each = outcome(kind, seed)
                print(f"{kind.name}, {seed}: {each.what}: {each.how}")
        return 0
    rows = [row(kind, given.runs) for kind in kinds]
    heads = ("gauge", ">band holds the truth", ">no figure", ">wrong", ">median band")
    print(markdown(heads, rows) if given.markdown else table(heads, rows))
    return int(any(float(cells[3].rstrip("%")) > 100 * (1 - LEAST_HELD) for cells in rows))


if __name__ == "__main__":
    sys.exit(main())
