"""The two ways to watch a run: the runner samples files itself, or a recorder here looks on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import numpy as np

from edge.errors import EdgeError, ToolFailed
from edge.measure.figures import Energy, no_energy
from edge.measure.watch import Seen, Watch
from edge.meters.clock import SAME, Clock, between
from edge.meters.energy import energy_of
from edge.meters.meter import Recorder
from edge.meters.place import Place
from edge.meters.trace import Probe, Timeline, Trace, trace_of

Asked = Callable[[], Clock]
MOST_IDLE = 10.0  #: seconds to sleep before and after for a slow meter; more only where the loop is longer
IDLE_UPDATES = 5.0  #: new values of a meter that an idle span should have: those behind an edge do not count
MAX_FILES = 16  #: targets/runtime/runner.h: RUNNER_MAX_SAMPLES


def idle_arguments(idle_secs: float) -> tuple[str, ...]:
    return ("--idle-secs", f"{idle_secs:g}")


@dataclass(frozen=True)
class RunnerWatch:
    """The runner reads `paths` (those of the probe, as they lie where it runs) in a thread of its own: no wire and no second clock.

    place: where it runs, to ask once more when it is over.
    """

    probe: Probe
    paths: tuple[str, ...]
    idle_secs: float = 1.0
    place: Place | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        samples = [word for path in self.paths for word in ("--sample", path)]
        return (*samples, "--sample-ms", str(round(1000 / self.probe.hz)), *idle_arguments(self.idle_secs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def energy(self, seen: Seen) -> Energy:
        if self.probe.recheck and self.place:
            self.probe.recheck(self.place)
        return energy_of(trace_of(self.probe, timeline_of(self.probe, seen)), seen.loop, seen.runs, seen.idle)


def timeline_of(probe: Probe, seen: Seen) -> Timeline:
    """What the runner read.  ToolFailed where it read nothing, or its columns are not of one length."""
    samples = seen.samples
    if samples is None or len(samples.values) != len(probe.paths) or any(len(column) != len(samples.t_ns) for column in samples.values):
        raise ToolFailed(probe.source, "the runner sent no readings of it", "build the file again with this edge")
    t = np.array(samples.t_ns, np.float64) * 1e-9
    return Timeline(t, np.array(samples.values, np.float64).T.reshape(t.size, len(probe.paths)), missed=samples.missed)


class HostWatch:
    """A recorder on this machine.  clock: from the clock of where the model ran to ours, the same where that is here; or what to ask for it, before
    and after."""

    def __init__(self, recorder: Recorder, idle_secs: float = 1.0, clock: Clock | Asked = SAME) -> None:
        self.arguments = idle_arguments(idle_secs)
        self.clock = SAME
        self._asked = clock
        self._recorder = recorder
        self._trace: Trace | None = None

    def _now(self) -> Clock:
        return self._asked if isinstance(self._asked, Clock) else self._asked()

    def __enter__(self) -> Self:
        self.clock = self._now()
        self._recorder.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._trace = self._recorder.stop()
        except EdgeError:
            if error is None:
                raise
        if error is None:
            self.clock = self.clock if self._asked is self.clock else between(self.clock, self._now(), "the device")

    def energy(self, seen: Seen) -> Energy:
        assert self._trace is not None, "energy is asked for after the run"
        trace = self._trace
        asleep = 0.0 if self.clock is SAME else seen.asleep
        loop, *idle = (self.clock.span((start + asleep, end + asleep)) for start, end in (seen.loop, *seen.idle))
        return energy_of(replace(trace, late=trace.late + self.clock.error), loop, seen.runs, idle)


class Yielding:
    """A watch that nobody asked for by name: where it cannot say, the profile goes on without it, with its words as the reason."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._reason = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        return self._watch.arguments

    def __enter__(self) -> Self:
        try:
            self._watch.__enter__()
        except EdgeError as failure:
            self._reason = str(failure)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._reason:
            return
        try:
            self._watch.__exit__(kind, error, trace)
        except EdgeError as failure:
            self._reason = str(failure)

    def energy(self, seen: Seen) -> Energy:
        if self._reason:
            return no_energy(self._reason)
        try:
            return self._watch.energy(seen)
        except EdgeError as failure:
            return no_energy(str(failure))
