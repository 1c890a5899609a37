"""What a plan will cost: work, traffic and time by hand-made numbers; then what must hold on every board."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from edge import passes, plan, targets
from edge.errors import EdgeError
from edge.kernels.core import Core
from edge.plan.cores import cores_of
from edge.plan.inference_energy import modelled_energy
from edge.plan.machine import Machine, Memory, Power, machine_of
from edge.plan.prediction import Prediction, predict
from edge.plan.step_cost import cost
from edge.plan.traffic import Touch, split, touches
from edge.plan.work import Work, work
from edge.targets.profile import CLASSES
from edge.words.dtype import Dtype
from edge.words.plan import Buffer, Constant, Level, Place, Plan
from edge.words.schedule import Schedule
from edge.words.step import Access, Operand, Step
from graphs import Weights, small
from house import ROOT

BOARDS = ("rpi-zero2w", "rpi3", "rpi4", "rpi5")
KERNELS = ROOT / "targets" / "kernels"


def planned(text: str, weights: Weights, core: Core | None = None) -> Plan:
    return plan.make(passes.optimize(small(text, weights)), {"level": core or Core()})


# ---- what a step computes

WORK = [
    (
        "a pointwise layer computes whole blocks of outputs",
        "(float[1,5,6,7] x) => (float[1,20,6,7] y) { y = Conv (x, w) }",
        {"w": (20, 5, 1, 1)},
        Work("pointwise", 6 * 7 * 5 * 32, 0),
    ),
    (
        "its activation and residual are instructions an element, idle lanes too",
        "(float[1,16,6,7] x) => (float[1,16,6,7] y) { c = Conv (x, w) r = Relu (c) s = Add (r, x) y = Relu (s) }",
        {"w": (16, 16, 1, 1)},
        Work("pointwise", 6 * 7 * 16 * 16, 3 * 6 * 7 * 16),
    ),
    (
        "a first layer",
        "(float[1,3,8,8] x) => (float[1,4,4,4] y) { y = Conv <pads=[1,1,1,1], strides=[2,2]> (x, w) }",
        {"w": (4, 3, 3, 3)},
        Work("convolution", 16 * 27 * 16, 0),
    ),
    (
        "a depthwise layer",
        "(float[1,20,8,8] x) => (float[1,20,8,8] y) { y = Conv <group=20, pads=[1,1,1,1]> (x, w) }",
        {"w": (20, 1, 3, 3)},
        Work("depthwise", 64 * 9 * 32, 0),
    ),
    (
        "grouped weights are made dense over a block",
        "(float[1,32,4,4] x) => (float[1,32,4,4] y) { y = Conv <group=8> (x, w) }",
        {"w": (32, 4, 1, 1)},
        Work("convolution", 16 * 16 * 32, 0),
    ),
    (
        "a classifier",
        "(float[2,10] x) => (float[2,5] y) { y = Gemm <transB=1> (x, w) }",
        {"w": (5, 10)},
        Work("fc", 2 * 10 * 16, 0),
    ),
    (
        "a division of two maps",
        "(float[1,3,4,4] x, float[1,3,4,4] z) => (float[1,3,4,4] y) { y = Div (x, z) }",
        {},
        Work("elementwise", 0, 8 * 48),
    ),
    (
        "a pooling window",
        "(float[1,16,8,8] x) => (float[1,16,4,4] y) { c = Conv (x, w) y = MaxPool <kernel_shape=[2,2], strides=[2,2]> (c) }",
        {"w": (16, 16, 1, 1)},
        Work("elementwise", 0, 4 * 256),
    ),
]


@pytest.mark.parametrize(("text", "weights", "expected"), [case[1:] for case in WORK], ids=[case[0] for case in WORK])
def test_what_a_step_asks_of_a_core(text: str, weights: Weights, expected: Work) -> None:
    made = planned(text, weights)
    asked = [work(step, made) for step in made.steps if step.kernel not in ("channels_f32", "copy_f32")]
    assert asked[-1] == expected


# ---- where its bytes lie


def chain(*sizes: int, weights: int = 0) -> Plan:
    """Steps that hand one buffer of so many floats to the next; each reads `weights` floats of its own."""
    buffers, constants, steps, at = {}, {}, [], 0
    for i, floats in enumerate(sizes):
        place = Place.INPUT if i == 0 else Place.ARENA
        buffers[f"b{i}"] = Buffer(f"b{i}", (1, floats), Dtype.F32, place=place, offset=at)
        at += 4 * floats if i else 0
        if i:
            constants[f"w{i}"] = Constant(f"w{i}", np.zeros(weights, np.float32))
            operands = (Operand("x", f"b{i - 1}"), Operand("w", f"w{i}", Access.WEIGHT), Operand("y", f"b{i}", Access.WRITE))
            steps.append(Step(f"s{i}", "Gemm", "fc_f32", operands))
    levels = {"level": Level((Schedule(),) * len(steps), ("level",) * len(steps))}
    return Plan("chain", tuple(steps), buffers, constants, ("b0",), (f"b{len(sizes) - 1}",), at, levels=levels)


def test_what_was_just_written_is_near_and_weights_are_a_whole_run_away() -> None:
    first, second = touches(chain(100, 200, 300, weights=1000))
    assert [touch.bytes for touch in second] == [800, 4000, 1200]  # input, weights, output
    volumes = (400 + 4000 + 800, 800 + 4000 + 1200)
    assert second[0].distance == sum(volumes) // 2
    assert second[1].distance == min(sum(volumes), 400 + 800 + 1200 + 2 * 4000) == 10400
    assert first[2].distance == second[0].distance  # until it is read, as long as since it was written


def test_the_next_user_of_an_address_finds_it_in_the_cache() -> None:
    """The third buffer lies where the first did: writing it brings nothing from far away."""
    made = chain(10, 100, 1000, 100)
    reused = replace(made, buffers=made.buffers | {"b3": replace(made.buffers["b3"], offset=made.buffers["b1"].offset)})
    apart, shared = touches(made)[0][2], touches(reused)[0][2]
    assert apart.bytes == shared.bytes == 400
    assert touches(made)[2][2].distance > touches(reused)[2][2].distance


SPLITS = [
    ("fits twice", 400, {"l1": 1000.0, "l2": 0.0, "dram": 0.0}),
    ("just fits", 1000, {"l1": 1000.0, "l2": 0.0, "dram": 0.0}),
    ("half is gone", 1500, {"l1": 500.0, "l2": 500.0, "dram": 0.0}),
    ("next cache", 2000, {"l1": 0.0, "l2": 1000.0, "dram": 0.0}),
    ("between the next and DRAM", 6000, {"l1": 0.0, "l2": 500.0, "dram": 500.0}),
    ("far", 10**9, {"l1": 0.0, "l2": 0.0, "dram": 1000.0}),
]


@pytest.mark.parametrize(("distance", "where"), [case[1:] for case in SPLITS], ids=[case[0] for case in SPLITS])
def test_a_cache_keeps_its_size_and_nothing_of_twice_that(distance: int, where: dict[str, float]) -> None:
    assert split([Touch(1000, distance)], {"l1": 1000, "l2": 4000}) == where


# ---- what it takes

UNIT = Machine(
    cores=4, flops=1e9, reached=dict.fromkeys(CLASSES, 0.5), l1=1000,
    memories={"l2": Memory(4000, True, 1e9, 2e9), "dram": Memory(0, True, 1e8, 1e8)}, hidden=0.75, kept=0.7, start=1e-6,
    join=2e-6, power=Power(1.0, 2.0, 5.0, 1e-10, 1e-11, 1e-9),
)  # fmt: skip
MILLION = Work("pointwise", 1_000_000, 0)
COSTS = [
    ("arithmetic alone", MILLION, (), 8, 1, 1e-6 + 4e-3, "arithmetic"),
    ("other instructions count as a MAC does", Work("fc", 500_000, 500_000), (), 8, 1, 1e-6 + 4e-3, "arithmetic"),
    ("a quarter of the shorter shows", MILLION, (Touch(100_000, 10**9),), 8, 1, 1e-6 + 4e-3 + 0.25 * 1e-3, "arithmetic"),
    ("DRAM is longer", MILLION, (Touch(1_000_000, 10**9),), 8, 1, 1e-6 + 1e-2 + 0.25 * 4e-3, "dram"),
    ("four cores lose a little and share DRAM", MILLION, (Touch(100_000, 10**9),), 8, 4, 7e-6 + 1e-3 / 0.7 + 0.25 * 1e-3, "arithmetic"),
    ("six pieces take four cores two turns", MILLION, (), 6, 4, 7e-6 + 4e-3 / 3 / 0.7, "arithmetic"),
    ("one piece takes one core", MILLION, (), 1, 4, 1e-6 + 4e-3, "arithmetic"),
    ("the second level", Work("fc", 0, 0), (Touch(1_000_000, 3000),), 8, 1, 1e-6 + 1e-3, "l2"),
    ("nothing is begun for nothing", Work("fc", 0, 0), (), 8, 1, 1e-6, "start"),
]


@pytest.mark.parametrize(("asked", "touched", "chunks", "threads", "seconds", "bound"), [c[1:] for c in COSTS], ids=[c[0] for c in COSTS])
def test_the_time_of_a_step(asked: Work, touched: tuple[Touch, ...], chunks: int, threads: int, seconds: float, bound: str) -> None:
    found = cost(asked, touched, chunks, UNIT, threads)
    assert found.seconds == pytest.approx(seconds)
    assert max(found.parts, key=lambda part: found.parts[part]) == bound


@pytest.mark.parametrize(("threads", "watts"), [(1, 2.0), (2, 3.0), (4, 5.0)])
def test_the_energy_of_a_step_in_both_ways(threads: int, watts: float) -> None:
    found = cost(MILLION, (Touch(1000, 10**9), Touch(1000, 2500)), 8, UNIT, threads)
    assert found.by_power == pytest.approx(found.seconds * watts)
    near = {1: 1000, 2: 250, 4: 0}[threads]  # several first caches hold what one does not
    assert found.by_operations == pytest.approx(found.seconds * 1.0 + 1e6 * 1e-10 + near * 1e-11 + 1000 * 1e-9)


# ---- what must hold on every board

BLOCK = "(float[1,32,56,56] x) => (float[1,10] y) { a = Conv (x, w) r = Relu (a) d = Conv <group=96, pads=[1,1,1,1]> (r, u) e = HardSwish (d)"
NET = BLOCK + " p = Conv (e, v) s = Add (p, x) g = GlobalAveragePool (s) f = Flatten (g) y = Gemm <transB=1> (f, z) }"
NET_WEIGHTS: Weights = {"w": (96, 32, 1, 1), "u": (96, 1, 3, 3), "v": (32, 96, 1, 1), "z": (10, 32)}


def on(board: str, threads: int = 1) -> Prediction:
    profile = targets.load(board)
    return predict(planned(NET, NET_WEIGHTS, next(iter(cores_of(profile).values()))), profile, threads)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("board", BOARDS)
def test_a_figure_lies_in_its_band(board: str, threads: int) -> None:
    found = on(board, threads)
    for layer in found.layers:
        assert layer.mj is not None
        assert 0 < layer.ms.low <= layer.ms.value <= layer.ms.high and 0 < layer.mj.low <= layer.mj.value <= layer.mj.high, layer.name
    assert found.latency_ms.value == pytest.approx(sum(layer.ms.value for layer in found.layers))


@pytest.mark.parametrize("board", BOARDS)
def test_nothing_is_faster_than_the_peak(board: str) -> None:
    profile, found = targets.load(board), on(board, 4)
    assert profile.clock
    assert found.latency_ms.low >= 1e3 * 2 * found.macs / (profile.levels[0].flops.most * profile.clock.most * 4)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("board", BOARDS)
def test_two_ways_to_energy_agree_within_the_band(board: str, threads: int) -> None:
    energy = on(board, threads).energy_mj
    assert energy.low is not None and energy.high is not None and energy.by_power and energy.by_operations
    assert energy.low <= energy.by_operations <= energy.high and 0.5 < energy.by_power / energy.by_operations < 2


def test_a_newer_board_is_faster_and_more_cores_are_too() -> None:
    times = [on(board).latency_ms.value for board in BOARDS]
    assert times == sorted(times, reverse=True)
    for board in BOARDS:
        several = [on(board, threads).latency_ms.value for threads in (1, 2, 4)]
        assert several == sorted(several, reverse=True), board
    assert on("rpi4", 0) == on("rpi4", 4) == on("rpi4", 100)


def test_one_layer_can_be_asked_alone() -> None:
    """As a search over networks asks: only its neighbours' traffic is missing."""
    profile = targets.load("rpi4")
    made = planned(NET, NET_WEIGHTS, next(iter(cores_of(profile).values())))
    for index, layer in enumerate(predict(made, profile).layers):
        (alone,) = predict(made.alone(index), profile).layers
        assert layer.ms.low / 2 <= alone.ms.value <= layer.ms.high and alone.computed == layer.computed


@pytest.mark.parametrize("threads", [1, 4])
def test_energy_for_a_profile_is_above_idle(threads: int) -> None:
    """As a meter's is; the whole board's stands beside it, and is what a prediction says."""
    profile = targets.load("rpi5")
    made = planned(NET, NET_WEIGHTS)
    whole, energy = predict(made, profile, threads), modelled_energy(made, profile, threads)
    assert energy.gross == pytest.approx(whole.energy_mj.value)
    assert energy.idle == pytest.approx(float(profile.power["idle"]) * whole.latency_ms.value)
    assert energy.value == pytest.approx(energy.gross - energy.idle)
    assert 0 < energy.low <= energy.value <= energy.high < whole.energy_mj.high  # type: ignore[operator]
    assert energy.low <= (whole.energy_mj.by_operations or 0) - energy.idle <= energy.high
    assert energy.source == "power of profile rpi5 above idle over the modelled time; the band also holds a count of operations"


def test_measured_time_takes_the_place_of_modelled_time() -> None:
    profile, made = targets.load("rpi4"), planned(NET, NET_WEIGHTS)
    energy = modelled_energy(made, profile, 1, seconds=0.010)
    assert (energy.gross, energy.idle) == (pytest.approx(3.9 * 10), pytest.approx(2.7 * 10))
    assert (energy.value, energy.high) == (pytest.approx(1.2 * 10), pytest.approx((4.6 - 3.0) * 10))
    assert energy.source == "power of profile rpi4 above idle over the measured time; the band also holds a count of operations"


def test_without_power_figures_there_is_no_energy() -> None:
    profile = targets.load("rpi5")
    with pytest.raises(EdgeError) as caught:
        modelled_energy(planned(NET, NET_WEIGHTS), replace(profile, power={}))
    assert str(caught.value) == "target 'rpi5': its profile lacks power figures"


INCOMPLETE = [
    ("rpi4", {"clock": None}, "clock"),
    ("rpi4", {"together": None, "efficiency": {}}, ", ".join(f"efficiency.{name}" for name in CLASSES) + ", together"),
    ("rpi5", {"overhead": {}, "bandwidth": {}}, "bandwidth.dram, overhead.step, overhead.thread"),
]  # fmt: skip


@pytest.mark.parametrize(("board", "without", "missing"), INCOMPLETE)
def test_a_profile_that_says_too_little_says_what(board: str, without: dict[str, object], missing: str) -> None:
    profile = replace(targets.load(board), **without)  # type: ignore[arg-type]
    cure = "name a board, or extend the profile by these figures"
    message = f"target '{board}': its profile says too little to predict from: no {missing} ({cure})"
    with pytest.raises(EdgeError) as caught:
        machine_of(profile, profile.levels[0])
    assert str(caught.value) == message
    with pytest.raises(EdgeError) as caught:
        modelled_energy(chain(1, 1), profile)
    assert str(caught.value) == message


def test_every_case_of_a_machine_moves_every_figure_the_right_way() -> None:
    profile = targets.load("rpi5")
    best, worst = (machine_of(profile, profile.levels[0], case) for case in ("low", "high"))
    for name in ("flops", "l1", "hidden", "kept"):
        assert getattr(best, name) >= getattr(worst, name)
    for name in ("start", "join"):
        assert getattr(best, name) < getattr(worst, name)
    assert best.power and worst.power and all(getattr(best.power, f.name) < getattr(worst.power, f.name) for f in fields(Power))
    assert all(best.reached[name] > worst.reached[name] for name in CLASSES)
    assert all(best.memories[name].one > worst.memories[name].one for name in worst.memories)
