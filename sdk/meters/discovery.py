"""Which meters there are, which of them are here, and the one that was asked for."""

from __future__ import annotations

import os
import re
from functools import cache

import edge.meters
from edge.artifact.emulator import EMULATOR
from edge.errors import EdgeError, did_you_mean
from edge.listing import modules_with
from edge.measure.watch import Unwatched, Watch
from edge.meters.clock import SAME, Clock
from edge.meters.energy import LEAST
from edge.meters.meter import Meter
from edge.meters.place import Here, Place
from edge.meters.sampling import Sampler
from edge.meters.snapshot import looked_over
from edge.meters.trace import Probe
from edge.meters.watching import IDLE_UPDATES, MAX_FILES, MOST_IDLE, Asked, HostWatch, RunnerWatch, Yielding

WORD = re.compile(r"(?P<name>[a-z0-9_]+)(?::(?P<port>[^@]*))?(?:@(?P<volts>[0-9]+(?:\.[0-9]+)?))?")


@cache
def meters() -> dict[str, Meter]:
    """Every file of this folder that has META, by its name."""
    table = {}
    for name, module in modules_with(edge.meters.__path__, edge.meters.__name__, "META").items():
        table[name] = Meter(name, module.META, getattr(module, "find", None), getattr(module, "connect", None))
    return table


def names() -> list[str]:
    return sorted(meters())


def discover(place: Place | None = None) -> tuple[list[tuple[Meter, Probe]], list[EdgeError]]:
    """The machine's own meters, best first, and why others that are there cannot be used.  Instruments on a cable are not looked for."""
    found, reasons = [], list[EdgeError]()
    place = looked_over(place or Here())
    for meter in sorted(meters().values(), key=lambda meter: (meter.meta.rank or 0, meter.name)):
        if meter.find is None:
            continue
        try:
            probe = meter.find(place)
        except EdgeError as error:
            reasons.append(error)
        except OSError as error:
            reasons.append(unreadable(meter, error))
        else:
            if probe is not None:
                found.append((meter, probe))
    return found, reasons


def unreadable(meter: Meter, error: OSError) -> EdgeError:
    return EdgeError(meter.name, f"{error.filename or ''}: {error.strerror}", meter.meta.denied if isinstance(error, PermissionError) else "")


def watch(
    word: str, place: Place | None = None, *, idle_secs: float = 1.0, work_secs: float = 0.0, clock: Clock | Asked = SAME, from_here: bool = False
) -> Watch:
    """auto: the best meter here, or none and the reason why.  none: nothing.  A meter that is named must be there: EdgeError else.

    place: where the model will run.  clock: from that machine's clock to ours (`clock.compare`), for what is recorded from here; or what to ask
    for it, which is done only then.
    from_here: everything is; for a program that is not asked to sample files itself.
    """
    place = place or Here()
    if word == "none":
        return Unwatched()
    if word == "auto":
        return automatic(place, idle_secs, work_secs, clock, from_here)
    match = WORD.fullmatch(word)
    meter = meters().get(match["name"]) if match else None
    if not match or not meter:
        words = ["auto", "none", *names()]
        raise EdgeError("--energy", f"no meter '{word}'", did_you_mean(word.partition(":")[0], words) or ", ".join(words))
    if meter.connect:
        return HostWatch(meter.connect(match["port"] or "", float(match["volts"]) if match["volts"] else None), idle_secs, clock)
    if match["port"] is not None or match["volts"] is not None:
        raise EdgeError("--energy", f"{meter.name} is read on the machine itself and takes no port", f"--energy {meter.name}")
    assert meter.find is not None, f"{meter.name}: a meter has find or connect"
    try:
        probe = meter.find(looked_over(place))
    except OSError as error:
        raise unreadable(meter, error) from None
    if probe is None:
        here = ", ".join(found.name for found, _ in discover(place)[0])
        raise EdgeError(meter.name, "is not on this machine", f"here: {here}" if here else "here is no meter")
    return watching(probe, place, idle_secs, work_secs, clock, from_here)


def automatic(place: Place, idle_secs: float, work_secs: float, clock: Clock | Asked, from_here: bool) -> Watch:
    if isinstance(place, Here) and os.environ.get(EMULATOR):
        return Unwatched(f"not measured: {EMULATOR} is set, and an emulator's energy is not the device's")
    found, reasons = discover(place)
    if not found:
        return Unwatched("; ".join(["no meter here", *map(str, reasons)]))
    try:
        return Yielding(watching(found[0][1], place, idle_secs, work_secs, clock, from_here))
    except EdgeError as error:
        return Unwatched(str(error))


def watching(probe: Probe, place: Place, idle_secs: float, work_secs: float, clock: Clock | Asked, from_here: bool) -> Watch:
    """Files are read by the runner, beside the model and on its clock; what a command tells is asked from here.

    idle_secs: more, where the meter is so slow that it would not be read often enough in them.  work_secs: that the loop is asked to take.
    """
    idle_secs = max(idle_secs, min(max(MOST_IDLE, work_secs / 2), (LEAST + 2) / probe.hz + IDLE_UPDATES * probe.update))
    if 0 < len(probe.paths) <= MAX_FILES and not from_here:
        return RunnerWatch(probe, tuple(place.at(path) for path in probe.paths), idle_secs, place)
    if not place.parallel:
        raise EdgeError(probe.source, "is asked from here, and the line to the device carries one thing at a time", "use ssh, or an instrument")
    return HostWatch(Sampler(probe, place), idle_secs, clock)
