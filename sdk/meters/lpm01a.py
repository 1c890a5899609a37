"""ST X-NUCLEO-LPM01A, the PowerShield that feeds and measures a microcontroller board.  [ST UM2269; `help` of its firmware]

A shell over USB: commands end with CR LF and are answered by `PowerShield > ack COMMAND`, or `error` with a line `Error detail: …`.
With `output energy` it sends, `freq` times a second, the joules since the last such line: 6409-07 is 6409 × 10^-7; between them come lines
`TimeStamp: 003s 250ms, buff 00%` of its own clock, by which lost lines are noticed.
"""

from __future__ import annotations

import re
import time

import numpy as np

from edge.errors import EdgeError, ToolFailed
from edge.meters.clock import align
from edge.meters.listening import Listener, Port, open_port
from edge.meters.meter import Meta
from edge.meters.trace import Trace

META = Meta(
    what="a board of some ten mA at 1.8 to 3.3 V fed by an X-NUCLEO-LPM01A",
    accuracy=0.02,
    basis="2 % in static mode [ST UM2243]; ~2 % in dynamic mode",
)
BAUD, HZ = 3_686_400, 1000
LIMITS = (1.8, 3.3)  #: V
SETUP = ("htc", "output energy", "format ascii_dec", "freq 1k", "acqtime inf", "acqmode dyn", "trigsrc sw", "trigdelay 0", "pwrend on")
JOULES = re.compile(rb"(\d{1,4})([+-]\d{2})")
STAMP = re.compile(rb"TimeStamp: (\d{1,7})s (\d{1,3})ms")
RESOLUTION = 1e-7  #: J
MOST = 1e-3  #: J a line: 1 W, more than it can feed
PATIENCE = 2.0  #: seconds for an answer
LOST = 20, 0.005  #: lines, and share of them, by which the count may differ from the time stamps


def connect(port: str, volts: float | None) -> Lpm01a:
    """EdgeError without a port or volts: it feeds the board, so nobody guesses them."""
    if not port or volts is None or not LIMITS[0] <= volts <= LIMITS[1]:
        raise EdgeError("lpm01a", "feeds the board: state its port and 1.8 to 3.3 V", "--energy lpm01a:/dev/ttyACM0@3.3")
    return Lpm01a(open_port(port, BAUD, "lpm01a"), port, volts)


class Lpm01a:
    """A recorder.  The board's power is switched on, and left on."""

    def __init__(self, port: Port, path: str, volts: float) -> None:
        self._port, self._volts, self._where = port, volts, f"lpm01a {path}"
        self._listener = Listener(lambda: port.read(port.in_waiting) if port.in_waiting else b"", self._where)

    def start(self) -> None:
        try:
            for command in (*SETUP, f"volt {round(self._volts * 1000)}m", "pwr on nostatus", "start"):
                self._ask(command)
        except (OSError, EdgeError) as error:
            self._port.close()
            raise error if isinstance(error, EdgeError) else ToolFailed(self._where, str(error)) from None
        self._listener.start()

    def _ask(self, command: str) -> None:
        """ToolFailed unless it acknowledges."""
        self._port.write(f"{command}\r\n".encode())
        said, until = b"", time.monotonic() + PATIENCE
        while time.monotonic() < until and len(said) < 1 << 16:
            said += self._port.read(1)
            if said.endswith(b"\n") and f"ack {command}".encode() in said:
                return
            if said.endswith(b"\n") and b"rror detail" in said:
                break
        detail = said.decode(errors="replace").rpartition("detail:")[2].strip()[:80] if b"detail:" in said else "no answer"
        raise ToolFailed(self._where, f"did not take '{command}': {detail}", "is it a PowerShield, and free?")

    def stop(self) -> Trace:
        try:
            chunks = self._listener.stop()
            for command in ("stop", "hrc"):
                self._port.write(f"{command}\r\n".encode())
        except OSError as error:
            raise ToolFailed(self._where, f"went away: {error}", "check its cable") from None
        finally:
            self._port.close()
        return trace_of_lines(chunks, self._volts, self._where)


Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


def trace_of_lines(chunks: list[tuple[float, bytes]], volts: float, where: str) -> Trace:
    """chunks: (arrival, bytes) in order."""
    joules, stops = parsed(b"".join(data for _, data in chunks), where)
    came = np.searchsorted(stops, np.cumsum([len(data) for _, data in chunks]), side="right")
    clock = align([(arrival, count / HZ) for (arrival, _), count in zip(chunks, came, strict=True) if count], where, late=True)
    t = clock.offset + clock.rate * np.arange(joules.size + 1) / HZ
    total = np.concatenate([[0.0], np.cumsum(joules)])
    return Trace(f"{where}, at {volts:g} V", t, total, True, RESOLUTION, 1 / HZ, META.accuracy, clock.error)


def parsed(raw: bytes, where: str) -> tuple[Floats, Floats]:
    """Joules of each line, and where in the stream it ended.  ToolFailed where lines were lost, cannot be true, or report an error."""
    joules: list[float] = []
    stops: list[int] = []
    at = 0
    for line in raw.split(b"\n")[:-1]:
        at += len(line) + 1
        text = line.strip(b"\0\r >")
        stamp = STAMP.match(text)
        if stamp:
            due, (few, share) = (int(stamp[1]) + int(stamp[2]) / 1000) * HZ, LOST
            if abs(due - len(joules)) > few + share * due:
                raise ToolFailed(where, f"sent {len(joules)} lines in the time of {due:.0f}", "use another USB port or cable")
        elif match := JOULES.fullmatch(text):
            joules.append(int(match[1]) * 10.0 ** int(match[2]))
            if joules[-1] > MOST:
                raise ToolFailed(where, f"says {joules[-1]:.3g} J in a millisecond, which it cannot feed")
            stops.append(at)
        elif text.lower().startswith(b"error"):
            raise ToolFailed(where, text.decode(errors="replace")[:80])
    if len(joules) < 2:
        raise ToolFailed(where, "sent no energies")
    return np.array(joules), np.array(stops, np.float64)
