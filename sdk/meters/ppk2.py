"""Nordic Power Profiler Kit II as an ampere meter in a board's supply line, through the package ppk2-api.

It sends 100,000 samples a second of 4 bytes, little-endian: bits 0-13 the ADC's value, 14-16 the range, 18-23 a counter, 24-31 the logic inputs.
[github.com/NordicSemiconductor/pc-nrfconnect-ppk; github.com/IRNAS/ppk2-api-python]
The package turns them into µA by the instrument's calibration; the counter is ours to check: a sample that was lost is a gap in time.
Watts are those amperes times the volts that the user states, as the kit does not measure them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import EdgeError, ToolFailed
from edge.meters.clock import align
from edge.meters.listening import Listener
from edge.meters.meter import Meta
from edge.meters.trace import PLAUSIBLE, Trace

if TYPE_CHECKING:
    from ppk2_api.ppk2_api import PPK2_API

META = Meta(
    what="a board of up to 1 A fed through a Power Profiler Kit II, at volts that you state",
    accuracy=0.1,
    basis="~10 %: what the kit is sold for is finding where current goes; it is better within one range",
)
HZ, PART = 100_000, 1_000_000
TABLES = ("R", "GS", "GI", "O", "S", "I", "UG")
RANGES = ("0", "1", "2", "3", "4")
RESOLUTION = 1e-3  #: A, of the highest range; the lower ones are finer
MAX_STRANGE = 0.01  #: share of samples out of their order
LIMITS = (0.8, 5.0)  #: V


def connect(port: str, volts: float | None) -> Ppk2:
    """port: empty for the only one attached.  EdgeError without volts."""
    if volts is None or not LIMITS[0] <= volts <= LIMITS[1]:
        raise EdgeError("ppk2", "measures amperes only: state the volts that feed the board, 0.8 to 5", f"--energy ppk2:{port}@3.3")
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError:
        raise EdgeError("ppk2", "needs the package ppk2-api", "pip install ppk2-api") from None
    path = port or only(PPK2_API.list_devices())
    try:
        kit = PPK2_API(path, timeout=1, write_timeout=2)
    except (OSError, ValueError) as error:
        raise ToolFailed("ppk2", f"cannot open {path}: {error}") from None
    return Ppk2(kit, path, volts)


def only(attached: list[Any]) -> str:
    """The package lists paths, or pairs of path and serial number."""
    paths = [entry if isinstance(entry, str) else entry[0] for entry in attached]
    if len(paths) != 1:
        raise ToolFailed("ppk2", f"{', '.join(paths)}: which?" if paths else "none is attached", "--energy ppk2:PORT@VOLTS")
    return str(paths[0])


class Ppk2:
    """A recorder.  Power to the board is switched on, and left on."""

    def __init__(self, kit: PPK2_API, path: str, volts: float) -> None:
        self._kit, self._path, self._volts = kit, path, volts
        self._listener = Listener(kit.get_data, f"ppk2 {path}")

    def start(self) -> None:
        try:
            good = self._kit.get_modifiers() and all(calibrated(self._kit.modifiers.get(table), table) for table in TABLES)
        except UnicodeDecodeError:
            good = False
        if not good:
            self._kit.ser.close()
            raise ToolFailed(f"ppk2 {self._path}", "sent no calibration that makes sense", "unplug it and plug it in again")
        self._kit.use_ampere_meter()
        self._kit.current_vdd = self._volts * 1e3  # set_source_voltage would turn its regulator
        self._kit.toggle_DUT_power("ON")
        self._kit.start_measuring()
        self._listener.start()

    def stop(self) -> Trace:
        try:
            chunks = self._listener.stop()
            self._kit.stop_measuring()
        finally:
            self._kit.ser.close()
        return trace_of_samples(self._kit, chunks, self._volts, f"ppk2 {self._path}")


def trace_of_samples(kit: PPK2_API, chunks: list[tuple[float, bytes]], volts: float, where: str) -> Trace:
    """chunks: (arrival, bytes) in order."""
    raw = b"".join(data for _, data in chunks)
    words = np.frombuffer(raw[: len(raw) // 4 * 4], "<u4")
    index = positions(words, where)
    ends = np.cumsum([len(data) for _, data in chunks]) // 4
    clock = align([(arrival, index[end - 1] / HZ) for (arrival, _), end in zip(chunks, ends, strict=True) if end], where, late=True)
    parts = [words[at : at + PART] for at in range(0, words.size, PART)]  # the package makes lists: of ten minutes at once they are gigabytes
    watts = np.concatenate([np.array(kit.get_samples(part.tobytes())[0], np.float64) for part in parts]) * 1e-6 * volts
    if watts.size != words.size or not np.all(np.abs(watts) < PLAUSIBLE):
        raise ToolFailed(where, "its calibration makes no sense of its samples", "unplug it and plug it in again")
    t = clock.offset + clock.rate * index / HZ
    return Trace(f"{where}, at {volts:g} V", t, watts, False, RESOLUTION * volts, 1 / HZ, META.accuracy, clock.error)


def calibrated(values: object, table: str) -> bool:
    """Five finite numbers; a resistance is above 0."""
    if not isinstance(values, dict) or not all(isinstance(values.get(r), int | float) and math.isfinite(values[r]) for r in RANGES):
        return False
    return table != "R" or min(values[r] for r in RANGES) > 0


def positions(words: np.ndarray[Any, np.dtype[np.uint32]], where: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which sample of the stream each word is: its counter goes on by one, modulo 64, and by more over samples that were lost."""
    if words.size < 2:
        raise ToolFailed(where, "sent no samples", "is it wired between supply and board?")
    counter = (words >> 18 & 63).astype(np.int64)
    step = np.mod(np.diff(counter), 64)
    strange = float(np.mean(step != 1))
    if strange > MAX_STRANGE or torn(step):
        raise ToolFailed(where, f"{strange:.1%} of its samples do not follow each other", "use another USB port or cable")
    return np.concatenate([[0], np.cumsum(np.where(step == 0, 64, step))])


def torn(step: np.ndarray[Any, np.dtype[np.int64]]) -> bool:
    """Whether a lap of the counter somewhere is mostly out of order: a part of a sample was lost, and all after it is read across two."""
    laps = step[: step.size // 64 * 64].reshape(-1, 64)
    return bool(laps.size) and bool(((laps != 1).mean(axis=1) > 0.5).any())
