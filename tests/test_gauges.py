"""Gauges of every kind that is known to mislead: the band holds the truth, or there is no figure and the reason names cause and cure.

A sample here; `make gauges` draws 1,000 machines a kind and makes the table of docs/meters.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gauges
import meter_trees as trees
from edge.errors import EdgeError, ToolFailed
from edge.measure.watch import Samples, Seen
from edge.meters import Here, Timeline, Trace, discover, energy_of, trace_of, watch
from edge.meters.battery import limits_of
from edge.meters.ina3221 import tegrastats_watts
from edge.meters.response import lag_after, lag_before, refresh
from edge.meters.sampling import Sampler
from edge.meters.trace import Channel, Probe, lattice
from house import ROOT

SAMPLE = 12


@pytest.mark.parametrize("kind", gauges.KINDS, ids=[kind.name for kind in gauges.KINDS])
def test_the_band_holds_the_truth_or_there_is_no_figure(kind: gauges.Kind) -> None:
    found = [gauges.outcome(kind, seed) for seed in range(SAMPLE)]
    wrong = [each.how for each in found if each.what == gauges.WRONG]
    assert len(wrong) <= 1, wrong
    if kind.figures:
        assert gauges.shares(found)[gauges.HELD] >= 0.9 * SAMPLE
        assert np.nanmedian([each.width for each in found]) < 0.15
    reasons = [each.how for each in found if each.what == gauges.NONE]
    assert all(re.fullmatch(r"gauge: [^(]+\(.+\)", reason) for reason in reasons), reasons


def test_every_kind_is_on_the_page() -> None:
    page = (ROOT / "docs" / "meters.md").read_text()
    assert [kind.name for kind in gauges.KINDS if f"| {kind.name} |" not in page] == []


T = np.arange(0, 40, 0.01)
LOOP, IDLE, RUNS = (10.0, 30.0), ((0.0, 10.0), (30.0, 39.9)), 100
LOAD = 4 + 6.0 * ((T >= 10) & (T < 30)) + 0.01 * np.sin(37 * T)


def trace(watts: gauges.Floats, **changes: object) -> Trace:
    return replace(Trace("gauge", T, watts, False, 1e-3, 1e-3, 0.0), **changes)  # type: ignore[arg-type]


def test_a_quick_gauge_has_its_figure() -> None:
    energy = energy_of(trace(LOAD), LOOP, RUNS, IDLE)
    assert energy.value == pytest.approx(1200, rel=2e-3)
    assert (energy.high or 0) - (energy.low or 0) < 0.02 * 1200


def test_how_late_a_gauge_is_comes_from_the_loads_edges() -> None:
    """A mean over 2 s is a second late on average; one that is refreshed every 2 s, up to 2."""
    late = trace(gauges.averaged(LOAD, 2.0))
    assert lag_after(late, LOOP, IDLE[1], 6.0) == pytest.approx(1.0, abs=0.02)
    assert lag_before(late, IDLE[0], LOOP, 6.0) == pytest.approx(1.0, abs=0.02)
    assert lag_after(trace(LOAD), LOOP, IDLE[1], 6.0) == pytest.approx(0, abs=0.01)
    held = trace(gauges.held(LOAD + np.random.default_rng(0).normal(0, 0.1, T.size), 2.0, 0.0))
    assert refresh(held, LOOP) == pytest.approx(2.0)
    assert refresh(trace(LOAD), LOOP) == 0


def test_the_step_of_a_gauge_is_what_all_its_values_are_multiples_of() -> None:
    assert lattice(np.array([4.0, 10.0, 4.5]), 1e-6) == pytest.approx(0.5)
    assert lattice(np.array([4.0, 10.000001]), 1e-6) == pytest.approx(1e-6)
    assert lattice(np.zeros(3), 1.0) == 0


STUCK = "(its gauge is stuck, or too coarse for this load: try --threads 0, or another meter (--energy))"
OTHER = "(measure longer (--min-secs), or with another meter (--energy))"
LESS = "(more work: --threads 0, a longer --min-secs; less else that runs there)"
UNIT = "(its driver may give another unit than Linux documents: use another meter (--energy), or none)"
SWINGS = 4 + 0.5 * np.sin(0.7 * T)
REFUSED = [
    ("stuck", trace(np.full(T.size, 4.0)), f"gauge: said 4 W all the while {STUCK}"),
    ("a counter that is stuck", trace(np.zeros(T.size), counts=True), f"gauge: its counter stood still {STUCK}"),
    (
        "refreshed once a minute",
        trace(np.where(T < 12, LOAD[5], LOAD[2000])),
        f"gauge: did not follow the load from rest to work and back: too slow for 20 s of work between 9.9 s of rest {OTHER}",
    ),
    (
        "refreshed every 5 s",
        trace(gauges.held(SWINGS, 5.0, 1.0)),
        "gauge: tells something new every 5 s, too seldom for a loop of 20 s (measure longer: --min-secs 26)",
    ),
    (
        "refreshed every 4 s",
        trace(gauges.held(SWINGS, 4.0, 1.0)),
        f"gauge: tells something new every 4 s, too seldom for 10 s of rest {OTHER}",
    ),
    (
        "a mean over 15 s",
        trace(gauges.averaged(LOAD, 15.0)),
        f"gauge: shows the load 5.8 s late: too slow for 20 s of work between 9.9 s of rest {OTHER}",
    ),
    (
        "no load at all",
        trace(SWINGS),
        f"gauge: saw 4.05 W at work and 4.02 W at rest, give or take 0.24 W: too little difference for a figure {LESS}",
    ),
    (
        "the other way round",
        trace(14 - LOAD),
        f"gauge: saw 4 W at work and 10 W at rest, give or take 0.0022 W: too little difference for a figure {LESS}",
    ),
    ("mW for µW", trace(LOAD / 1e3, limits=(0.05, 40.0)), f"gauge: saw 0.01 W at work, where 0.05 to 40 W are possible {UNIT}"),
    ("nW for µW", trace(LOAD * 1e3, limits=(0.05, 40.0)), f"gauge: saw 1e+04 W at work, where 0.05 to 40 W are possible {UNIT}"),
    (
        "the other sign",
        trace(-LOAD),
        "gauge: saw -200 J in 20 s (does what it measures feed the device, and is it wired the right way?)",
    ),
]


@pytest.mark.parametrize(("seen", "line"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_gauge_that_misleads_has_no_figure(seen: Trace, line: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        energy_of(seen, LOOP, RUNS, IDLE)
    assert str(caught.value) == line


def test_few_readings_at_rest_are_no_rest() -> None:
    t = np.arange(0, 40, 0.5)
    load = 4 + 6.0 * ((t >= 10) & (t < 30)) + 0.01 * np.sin(37 * t)
    with pytest.raises(ToolFailed) as caught:
        energy_of(Trace("gauge", t, load, False, 1e-3, 1e-3, 0.0), LOOP, RUNS, ((8.5, 10.0), (30.0, 31.5)))
    assert str(caught.value) == f"gauge: too few readings at rest {OTHER}"


def test_volts_that_flicker_do_not_make_a_stuck_current_live() -> None:
    probe = Probe("gauge", (Channel((0, 1), 1e-6),), 100, 2e-3, 5e-3, 0.0)
    volts = 5000 + np.random.default_rng(0).integers(-3, 4, T.size)
    with pytest.raises(ToolFailed) as caught:
        energy_of(trace_of(probe, Timeline(T, np.column_stack([volts, np.full(T.size, 620.0)]))), LOOP, RUNS, IDLE)
    assert str(caught.value) == f"gauge: said 3.1 W all the while {STUCK}"


def test_one_counter_of_two_that_stands_still_is_named() -> None:
    probe = Probe("rapl: package-0, dram", tuple(Channel((n,), 1e-6, wrap=1e12) for n in (0, 1)), 100, 1e-3, 61e-6, 0.05)
    with pytest.raises(ToolFailed) as caught:
        trace_of(probe, Timeline(T, np.column_stack([np.arange(T.size) * 1e4, np.full(T.size, 7.0)])))
    assert str(caught.value) == "rapl: package-0, dram: 1 of its 2 counters stood still (use another meter (--energy))"


@pytest.mark.parametrize(("zone", "names"), [("package-0", None), ("dram", "rapl: package-0")])
def test_a_rapl_counter_at_0_is_not_counted(tmp_path: Path, zone: str, names: str | None) -> None:
    """DRAM that this CPU does not count is left out; a package that is not counted is no meter."""
    files = trees.rapl()
    at = trees.PACKAGE if zone == "package-0" else "/sys/class/powercap/intel-rapl:0:1"
    found, reasons = discover(Here(trees.lay(tmp_path, files | {f"{at}/energy_uj": 0})))
    assert [probe.source for _, probe in found] == [names] * bool(names)
    cure = "(this CPU, or the virtual machine, does not count: use another meter (--energy))"
    assert [str(reason) for reason in reasons] == ([] if names else [f"rapl: {at}/energy_uj stands at 0 {cure}"])


def test_an_ina_whose_driver_gives_another_unit_is_refused(tmp_path: Path) -> None:
    """3.131 W as mW beside volts and amperes that are right."""
    base = "/sys/class/hwmon/hwmon2"
    found, reasons = discover(Here(trees.lay(tmp_path, trees.ina2xx() | {f"{base}/power1_input": 3131})))
    what = f"ina2xx: {base}: power1_input says 0.00313 W, in1_input times curr1_input 3.13 W"
    assert (found, [str(reason) for reason in reasons]) == (
        [],
        [f"{what} (its driver or its shunt's value is wrong: use another meter (--energy))"],
    )


@pytest.mark.parametrize(("volts", "watts"), [(3.85, (0.05, 40.0)), (0.00385, (0.05, 40.0)), (7.4, (0.4, 300.0)), (0.0, (0.4, 300.0))])
def test_what_a_device_takes_from_a_battery(volts: float, watts: tuple[float, float]) -> None:
    assert limits_of(volts) == watts


def test_on_a_thor_VIN_is_the_whole() -> None:
    line = "VDD_GPU 0mW/0mW VDD_CPU_SOC_MSS 4192mW/4192mW VIN_SYS_5V0 4832mW/4832mW VIN 10036mW/10036mW"
    assert tegrastats_watts(line) == pytest.approx(10.036)


def test_a_commands_watts_are_no_multiples_of_one() -> None:
    """A command tells fractions; the least step of a file's whole numbers is that of their unit."""
    load = np.rint(LOAD * 1e3) / 1e3
    told = Probe("gauge", (Channel((0,), 1.0),), 100, 0.0, 1e-3, 0.0, argv=("tegrastats",))
    assert trace_of(told, Timeline(T, load[:, None])).resolution == 1e-3
    filed = Probe("gauge", (Channel((0,), 1e-3),), 100, 0.0, 1e-3, 0.0, paths=("/mw",))
    assert trace_of(filed, Timeline(T, np.rint(SWINGS * 4)[:, None] * 250)).resolution == pytest.approx(0.25)


@pytest.mark.parametrize("status", [2, 5])
def test_a_phone_on_a_charger_is_seen_afterwards(tmp_path: Path, status: int) -> None:
    """By the command that is asked from here, too."""
    said = "  status: 3\n  voltage: 3850\n  current now: -412000\n"
    trees.lay(tmp_path, {"/system/build.prop": "", "said": said})
    trees.program(tmp_path, "dumpsys", f"cat {tmp_path}/said")
    place = Here(tmp_path)
    sampler = Sampler(trees.only(place), place)
    sampler.start()
    trees.lay(tmp_path, {"said": said.replace("3", str(status), 1)})
    with pytest.raises(EdgeError) as caught:
        sampler.stop()
    cure = "keep the charger unplugged all the while"
    assert str(caught.value) in (
        f"battery: dumpsys says status {status} now, and was discharging before the run ({cure})",
        f"battery: dumpsys: cannot be read: battery: dumpsys says status {status}, not 3 (discharging) (unplug the charger; measure over Wi-Fi)",
    )


def test_a_slow_meter_rests_longer_where_the_loop_is_long(tmp_path: Path) -> None:
    """A phone whose gauge is asked once a minute: five minutes of rest around ten of work, ten seconds around three."""
    trees.lay(tmp_path, {"/system/build.prop": "", "said": "  status: 3\n  voltage: 3850\n  current now: -412000\n"})
    trees.program(tmp_path, "dumpsys", f"cat {tmp_path}/said")
    words = [watch("auto", Here(tmp_path), work_secs=seconds).arguments for seconds in (3.0, 600.0)]
    assert words == [("--idle-secs", "10"), ("--idle-secs", "300")]


def phone(status: str = "Discharging") -> dict[str, object]:
    return trees.battery(status=status)


def battery_seen() -> Seen:
    t = np.arange(0, 40, 0.25)
    current = tuple(round(-4e5 - 6e5 * (10 <= x <= 30) - 997 * (i % 7)) for i, x in enumerate(t))
    return Seen(LOOP, RUNS, IDLE, Samples(tuple((t * 1e9).astype(int).tolist()), ((3_850_000,) * t.size, current), 0))


def test_a_charger_that_was_plugged_in_meanwhile_is_seen_afterwards(tmp_path: Path) -> None:
    root = trees.lay(tmp_path, phone())
    running = watch("auto", Here(root))
    with running:
        pass
    assert running.energy(battery_seen()).value == pytest.approx(0.6 * 3.85 * 20 * 1e3 / RUNS, rel=0.02)
    trees.lay(root, phone("Charging"))
    line = "battery: battery is 'Charging' now, and was discharging before the run (keep the charger unplugged all the while)"
    assert running.energy(battery_seen()).source == line
    named = watch("battery", Here(trees.lay(root, phone())))
    trees.lay(root, phone("Full"))
    with pytest.raises(EdgeError) as caught:
        named.energy(battery_seen())
    assert str(caught.value) == line.replace("Charging", "Full")
