"""Joules that are known come out again: of counters and powers, of any shape, however the readings lie; and the band tells the truth."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meter_trees as trees
from edge.errors import ToolFailed
from edge.measure.figures import Energy, measured, modelled, no_energy
from edge.meters import Timeline, Trace, energy_of, trace_of
from edge.meters.clock import Clock, align, between, compare, device_clock
from edge.meters.energy import idle_power, integral
from edge.meters.trace import UNIT, Channel, Probe

POWER = Probe("bench supply", (Channel((0,), 1e-3),), 1000, 0.0, 1e-3, 0.0, paths=("/power",))
COUNTER = Probe("counter", (Channel((0,), 1e-6, wrap=float(trees.WRAP)),), 1000, 0.0, 61e-6, 0.0, paths=("/energy_uj",))
LOOP, SECONDS, RUNS = (1.2, 9.9), 11.0, 100


def powers(shape: str, sampling: str, hz: float = 1000) -> Trace:
    """A meter that tells milliwatts."""
    t = trees.SAMPLINGS[sampling](hz, SECONDS)
    watts = np.array([round(1e3 * trees.SHAPES[shape].watts(x)) for x in t], np.float64)
    return trace_of(POWER, Timeline(t, trees.live(watts, 1)[:, None]))


def counted(shape: str, sampling: str, hz: float = 1000) -> Trace:
    """A counter by UNIT microjoules that begins again in the middle of the loop."""
    t = trees.SAMPLINGS[sampling](hz, SECONDS)
    first = trees.WRAP - round(1e6 * trees.SHAPES[shape].joules(5.5))
    raw = [[(first + round(1e6 * trees.SHAPES[shape].joules(x)) // trees.UNIT * trees.UNIT) % trees.WRAP] for x in t]
    return trace_of(COUNTER, Timeline(t, np.array(raw, np.float64)))


CASES = list(itertools.product([powers, counted], trees.SHAPES, trees.SAMPLINGS))


@pytest.mark.parametrize(("meter", "shape", "sampling"), CASES, ids=["-".join([m.__name__, *rest]) for m, *rest in CASES])
def test_known_joules_come_out_within_a_thousandth(meter: Callable[[str, str], Trace], shape: str, sampling: str) -> None:
    truth = (trees.SHAPES[shape].joules(LOOP[1]) - trees.SHAPES[shape].joules(LOOP[0])) * 1e3 / RUNS
    energy = energy_of(meter(shape, sampling), LOOP, RUNS)
    assert energy.value == pytest.approx(truth, rel=1e-3)
    assert energy.low is not None
    assert energy.high is not None
    assert energy.low <= truth <= energy.high
    assert energy.high - energy.low < 0.03 * truth


@pytest.mark.parametrize("shape", trees.SHAPES)
def test_the_band_widens_with_slow_readings_and_still_holds_the_truth(shape: str) -> None:
    truth = (trees.SHAPES[shape].joules(LOOP[1]) - trees.SHAPES[shape].joules(LOOP[0])) * 1e3 / RUNS
    wide = [energy_of(powers(shape, "jittered", hz), LOOP, RUNS) for hz in (1000, 7)]
    assert [(e.low or 0) <= truth <= (e.high or 0) for e in wide] == [True, True]
    assert (wide[1].high or 0) - (wide[1].low or 0) >= (wide[0].high or 0) - (wide[0].low or 0)


def test_a_hole_in_the_powers_widens_the_band_and_one_in_a_counter_does_not() -> None:
    t = np.concatenate([np.arange(0, 4, 0.001), np.arange(6, 11, 0.001)])
    watts = np.where(t % 1 < 0.5, 2.0, 8.0)
    energy = energy_of(trace_of(POWER, Timeline(t, trees.live(watts * 1e3, 1)[:, None])), LOOP, RUNS)
    assert (energy.high or 0) - (energy.low or 0) >= 2 * 2 * 3 * 1e3 / RUNS  # ± half of 6 W for 2 s
    raw = np.array([[round(1e6 * trees.SHAPES["square wave"].joules(x))] for x in t], np.float64)
    energy = energy_of(trace_of(COUNTER, Timeline(t, raw)), LOOP, RUNS)
    assert energy.value == pytest.approx(1e3 / RUNS * (trees.square(LOOP[1]) - trees.square(LOOP[0])), rel=1e-6)


def steps(before: float, after: float) -> Trace:
    """5 W from 2 to 8 s; less outside."""
    t = trees.even(1000, 10)
    return trace_of(POWER, Timeline(t, trees.live(1e3 * np.where(t < 2, before, np.where(t < 8, 5.0, after)), 1)[:, None]))


def test_idle_is_taken_off_and_told() -> None:
    energy = energy_of(steps(1.5, 1.5), (3, 7), 8, [(0, 1.9), (8.1, 9.9)])
    assert (energy.gross, energy.idle, energy.value) == (pytest.approx(2500), pytest.approx(750), pytest.approx(1750))
    assert (energy.kind, energy.source, energy.samples, energy.rate) == ("measured", "bench supply", 4001, pytest.approx(1000, rel=1e-3))


def test_idle_that_changed_is_in_the_band() -> None:
    """1 W before and 2 W after: 1.5 W, give or take half a watt, for 4 s."""
    same, changed = (energy_of(steps(*watts), (3, 7), 8, [(0, 1.9), (8.1, 10)]) for watts in ((1.5, 1.5), (1.0, 2.0)))
    assert changed.value == pytest.approx(1750, rel=0.02)
    assert (changed.high or 0) - (changed.low or 0) == pytest.approx((same.high or 0) - (same.low or 0) + 2 * 0.5 * 4 / 8 * 1e3, rel=0.01)
    assert idle_power(steps(1.0, 2.0), [(0, 1.9), (8.1, 9.999)])[0] == pytest.approx(1.5, rel=0.01)


def test_a_meter_that_tells_late_does_not_take_work_for_idle() -> None:
    """A fuel gauge: each reading is the mean of the second before it.  1 W at rest, 5 W from 4 to 10 s."""
    fine = np.arange(0, 14, 0.001)
    watts = np.where((fine >= 4) & (fine < 10), 5.0, 1.0)
    t = np.arange(1, 14, 0.25)
    told = np.array([watts[(fine >= x - 1) & (fine < x)].mean() for x in t])
    trace = Trace("gauge", t, told, False, 0.0, 1.0, 0.0)
    energy = energy_of(trace, (4.0, 10.0), 1, [(1.0, 4.0), (10.0, 13.5)])
    assert (energy.idle or 0) == pytest.approx(6000, rel=1e-9)
    assert (energy.low or 0) <= 24_000 <= (energy.high or 0)


def test_the_band_of_a_power_that_scatters_holds_the_truth() -> None:
    """A hundred meters that see 4 s of it in 400 moments: at least 90 of the bands hold what was used."""
    held = 0
    for seed in range(100):
        watts = np.random.default_rng(seed).choice([2.0, 8.0], size=400_001)
        truth = float(watts[100_000:300_001].sum() - (watts[100_000] + watts[300_000]) / 2) * 2e-5 * 1e3
        t = np.arange(0, 8, 0.01)
        energy = energy_of(Trace("x", t, trees.live(watts[(t / 2e-5).round().astype(int)]), False, 0.0, 0.0, 0.0), (2.0, 6.0), 1)
        held += (energy.low or 0) <= truth <= (energy.high or 0)
    assert held >= 90


def test_without_idle_the_source_says_so() -> None:
    energy = energy_of(steps(1.5, 1.5), (3, 7), 8, [(11, 12), (0.5, 0.5)])
    assert (energy.value, energy.idle) == (energy.gross, None)
    assert energy.source == "bench supply; idle was not measured and is not subtracted"


def test_the_meters_own_accuracy_is_a_share_of_the_net() -> None:
    trace = steps(1.5, 1.5)
    exact, rough = (energy_of(Trace(*(trace.source, trace.t, trace.y, False, 0.0, 0.0, share)), (3, 7), 8, [(0, 1.9)]) for share in (0.0, 0.02))
    assert (rough.high or 0) - (exact.high or 0) == pytest.approx(0.02 * (exact.value or 0))


def refused() -> list[tuple[str, Trace, tuple[float, float], int, str]]:
    trace = steps(1, 1)
    return [
        ("a loop of no length", trace, (3, 3), 1, "bench supply: 1 inferences in 0 s cannot be measured (measure longer: --min-secs)"),
        ("no inference", trace, (3, 4), 0, "bench supply: 0 inferences in 1 s cannot be measured (measure longer: --min-secs)"),
        (
            "a gauge that tells something new once a minute",
            replace(trace, update=60.0),
            (3, 7),
            1,
            "bench supply: tells something new every 60 s, too seldom for a loop of 4 s (measure longer: --min-secs)",
        ),
        ("few readings", trace, (3, 3.0035), 1, "bench supply: 4 readings in 0.0035 s are too few (measure longer: --min-secs)"),
        (
            "no power",
            steps(-9, -9),
            (8.1, 9.9),
            1,
            "bench supply: saw -16.2 J in 1.8 s (does what it measures feed the device, and is it wired the right way?)",
        ),
        ("begun late", trace, (-1, 3), 1, "bench supply: recorded +1.00 to +11.00 s of a loop of 4.00 s"),
        ("ended early", trace, (8, 12), 1, "bench supply: recorded -8.00 to +2.00 s of a loop of 4.00 s"),
    ]


@pytest.mark.parametrize(("trace", "loop", "runs", "line"), [case[1:] for case in refused()], ids=[case[0] for case in refused()])
def test_what_cannot_be_told_is_refused(trace: Trace, loop: tuple[float, float], runs: int, line: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        energy_of(trace, loop, runs)
    assert str(caught.value) == line


def timelines() -> list[tuple[str, Probe, list[float], list[list[float]], str]]:
    far = 1.0001 * trees.WRAP * 1e-6 / 1e4
    return [
        ("nothing", POWER, [], [], "bench supply: gave no reading (7 failed)"),
        ("columns", POWER, [0, 1], [[1, 2], [3, 4]], "bench supply: gave 2 columns, not those of its channels"),
        ("times", POWER, [0, 1, 1], [[1]] * 3, "bench supply: gave times that do not rise"),
        ("endless time", POWER, [0, math.inf], [[1]] * 2, "bench supply: gave times that do not rise"),
        ("not a number", POWER, [0, 1], [[1], [math.nan]], "bench supply: gave a reading that is not finite"),
        (
            "huge power",
            POWER,
            [0, 1],
            [[1], [1e18]],
            f"bench supply: gave 1e+15 W, which cannot be ({UNIT})",
        ),
        (
            "huge negative power",
            POWER,
            [0, 1],
            [[1], [-1e18]],
            f"bench supply: gave 1e+15 W, which cannot be ({UNIT})",
        ),
        ("beyond its range", COUNTER, [0, 1], [[1], [3e11]], "counter: its counter said 3e+11, beyond 0 to 2.62143e+11"),
        ("negative counter", COUNTER, [0, 1], [[1], [-5]], "counter: its counter said -5, beyond 0 to 2.62143e+11"),
        ("set back", COUNTER, [0, 1], [[1e9], [5]], "counter: its counter jumped (it was set back during the run: measure again)"),
        (
            "a charger that was plugged in",
            Probe("battery", (Channel((0,), 1e-6, absolute=True),), 4, 1.0, 0.0, 0.0),
            [0, 1],
            [[-4e5], [4e5]],
            "battery: its current changed direction (keep the charger unplugged all the while)",
        ),
        (
            "a long silence",
            COUNTER,
            [0, far],
            [[1], [2]],
            "counter: its counter may have begun again more than once in 26.2 s without a reading (this machine is too busy)",
        ),
    ]


@pytest.mark.parametrize(("probe", "t", "values", "line"), [case[1:] for case in timelines()], ids=[case[0] for case in timelines()])
def test_readings_that_cannot_be_are_refused(probe: Probe, t: list[float], values: list[list[float]], line: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        trace_of(probe, Timeline(np.array(t), np.array(values, np.float64).reshape(len(t), -1 if t else 1), missed=7))
    assert str(caught.value) == line


WRAPS = st.integers(200_000_000, trees.WRAP)  # µJ: from 200 J


@settings(deadline=None)
@given(wrap=WRAPS, first=st.integers(0, trees.WRAP), steps=st.lists(st.integers(0, 90_000_000), min_size=1, max_size=60))
def test_a_counter_adds_up_wherever_it_begins_again(wrap: int, first: int, steps: list[int]) -> None:
    """Any steps of at most 9000 W over 10 ms: the sum is exact to the microjoule."""
    raw = np.array([(first % wrap + sum(steps[:n])) % wrap for n in range(len(steps) + 1)], np.float64)
    probe = Probe("counter", (Channel((0,), 1e-6, wrap=float(wrap)),), 100, 0.0, 1e-6, 0.0)
    trace = trace_of(probe, Timeline(np.arange(raw.size) * 0.01, raw[:, None]))
    np.testing.assert_allclose(trace.y * 1e6, np.cumsum([0, *steps]), rtol=0, atol=0.5)


WATTS = st.lists(st.floats(0, 100), min_size=8, max_size=40)


@settings(deadline=None)
@given(watts=WATTS, data=st.data())
def test_energy_adds_up_over_time(watts: list[float], data: st.DataObject) -> None:
    t = np.cumsum(data.draw(st.lists(st.floats(0.001, 1), min_size=len(watts), max_size=len(watts))))
    a, b, c = sorted(data.draw(st.tuples(*[st.floats(float(t[0]), float(t[-1]))] * 3)))
    for counts in (False, True):
        trace = Trace("x", t, np.cumsum(watts) if counts else np.array(watts), counts, 0.0, 0.0, 0.0)
        parts = integral(trace, a, b) + integral(trace, b, c)
        assert integral(trace, a, c) == pytest.approx(parts, rel=1e-9, abs=1e-9)
        assert parts >= 0


@settings(deadline=None)
@given(watts=st.floats(0.001, 1000), seed=st.integers(0, 2**32 - 1))
def test_a_constant_power_is_exact_however_it_is_sampled(watts: float, seed: int) -> None:
    t = np.sort(np.random.default_rng(seed).uniform(0, 10, 200))
    trace = Trace("x", np.unique(np.r_[0, t, 10]), np.full(np.unique(np.r_[0, t, 10]).size, watts), False, 0.0, 0.0, 0.0)
    assert integral(trace, 2.5, 7.5) == pytest.approx(5 * watts, rel=1e-12)


def test_two_clocks_are_laid_on_each_other() -> None:
    """The other runs 80 ppm slow and began 1000 s later; marks are taken to a tenth of a millisecond."""
    other = np.linspace(3, 13, 20)
    error = np.random.default_rng(0).uniform(-1e-4, 1e-4, 20)
    clock = align([(1000 + 1.00008 * x + e, x) for x, e in zip(other, error, strict=True)], "board")
    assert clock.span((4, 12)) == pytest.approx((1004.00032, 1012.00096), abs=1e-4)
    assert 0 < clock.error <= 2.5e-4
    assert align([(7.0, 2.0)], "board") == Clock(5.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("marks", "line"),
    [
        ([], "board: its clock was never compared with ours"),
        ([(0.0, 0.0), (8.0, 4.0)], "board: its clock runs 2.000 times as fast as ours (samples were lost, or a mark is wrong)"),
    ],
)
def test_a_clock_that_is_none_is_refused(marks: list[tuple[float, float]], line: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        align(marks, "board")
    assert str(caught.value) == line


def test_the_quickest_answer_is_believed() -> None:
    """Round trips of 20, 4 and 50 ms; the other clock began 1000 s ago."""
    host = iter([0.0, 0.02, 1.0, 1.004, 2.0, 2.05])
    other = iter([1000.001, 1001.002, 1002.049])
    assert compare(lambda: next(other), "board", 3, lambda: next(host)) == Clock(pytest.approx(-1000), 1.0, pytest.approx(0.002))
    with pytest.raises(ToolFailed) as caught:
        compare(lambda: 0.0, "board", 0)
    assert str(caught.value) == "board: its clock was never compared with ours"


def test_a_devices_uptime_is_its_clock() -> None:
    """It is cut to hundredths, so five thousandths are added and stay in doubt."""
    place = trees.Acted({"/proc/uptime": lambda t: "1234.56 99.00\n"})
    found, before = device_clock(place, "board"), time.monotonic()  # type: ignore[arg-type]
    assert found.offset == pytest.approx(before - 1234.565, abs=0.5)
    assert 0.005 <= found.error < 0.5
    with pytest.raises(ToolFailed) as caught:
        device_clock(trees.Acted({"/proc/uptime": lambda t: "nan 1"}), "board")  # type: ignore[arg-type]
    assert str(caught.value) == "board: its /proc/uptime says 'nan'"


def test_a_clock_that_was_set_meanwhile_is_refused() -> None:
    with pytest.raises(ToolFailed) as caught:
        between(Clock(5.0), Clock(17.5), "board")
    assert str(caught.value) == "board: its clock went 12.5 s off ours meanwhile (did it start anew, or this machine sleep?)"


def test_a_modelled_energy_has_nothing_of_a_meter() -> None:
    assert modelled((1.0, 2.0, 3.0), "model of rpi4", gross=6.0, idle=4.0) == Energy(2.0, 1.0, 3.0, "modelled", "model of rpi4", 6.0, 4.0)
    assert no_energy("no meter here") == Energy(source="no meter here")
    assert measured((1.0, 2.0, 3.0), "rapl", gross=2.5, idle=0.5, samples=300, rate=100.0).kind == "measured"


BAND = {"value": 1.0, "low": 1.0, "high": 1.0}
ONLY_MEASURED = "a measured energy has samples and rate, any other has not"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"kind": "guessed"}, "energy is 'guessed', neither measured nor modelled"),
        ({"kind": "modelled"}, "an energy has a kind, a value and a band, or none of them"),
        (BAND, "an energy has a kind, a value and a band, or none of them"),
        (BAND | {"low": 2.0, "high": 3.0, "kind": "modelled"}, "energy 1.0 lies outside its band 2.0 to 3.0"),
        (BAND | {"value": math.nan, "low": 2.0, "high": 3.0, "kind": "modelled"}, "energy nan lies outside its band 2.0 to 3.0"),
        (BAND | {"kind": "measured", "gross": 2.0}, ONLY_MEASURED),
        (BAND | {"kind": "modelled", "gross": 2.0, "samples": 3}, ONLY_MEASURED),
        ({"rate": 1.0}, ONLY_MEASURED),
        (BAND | {"kind": "modelled"}, "an energy with a kind has gross, one without has neither gross nor idle"),
        ({"idle": 1.0}, "an energy with a kind has gross, one without has neither gross nor idle"),
    ],
)
def test_kinds_of_energy_do_not_mix(fields: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError) as caught:
        Energy(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == line
