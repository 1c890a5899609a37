"""What a machine is doing at one moment: load, clock, heat, throttling; read by one script, alone or around a program that runs.

Only shell builtins read the files, so that watching a measurement costs it one `sleep` a second.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from edge.devices.device import Device
from edge.devices.scripts import failed, script
from edge.errors import one_line

SYSTEM = "/sys/devices/system/cpu/cpu0/cpufreq"
MARK = "@edge-moment "
#: bit -> what the Raspberry Pi firmware means by it  [Raspberry Pi documentation, vcgencmd get_throttled]
THROTTLED = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}
SINCE_BOOT = 16  #: the same bits, this much higher: has it happened since the board started?
MOST_MOMENTS = 4000

MOMENT = """
moment() {
  user=0 nice=0 system=0 idle=0 wait=0 irq=0 soft=0 stolen=0 load= governor= clock= limit= heat= throttled= unit= now=
  { read -r name user nice system idle wait irq soft stolen rest </proc/stat; read -r load rest </proc/loadavg; } 2>/dev/null
  c=/sys/devices/system/cpu/cpu0/cpufreq
  [ -r $c/scaling_governor ] && read -r governor <$c/scaling_governor
  for c in /sys/devices/system/cpu/cpufreq/policy*; do  # the fastest: which cores the model runs on is not known, and one that idles is slow
    [ -r "$c/scaling_cur_freq" ] && read -r now <"$c/scaling_cur_freq" && [ "${now:-0}" -gt "${clock:-0}" ] 2>/dev/null && clock=$now
    [ -r "$c/cpuinfo_max_freq" ] && read -r now <"$c/cpuinfo_max_freq" && [ "${now:-0}" -gt "${limit:-0}" ] 2>/dev/null && limit=$now
  done
  for zone in /sys/class/thermal/thermal_zone*/temp; do
    [ -r "$zone" ] && read -r now <"$zone" 2>/dev/null && [ "${now:-0}" -gt "${heat:--999999}" ] 2>/dev/null && heat=$now
  done
  command -v vcgencmd >/dev/null 2>&1 && throttled=$(vcgencmd get_throttled 2>/dev/null)
  echo "@edge-moment $1 used=$((user + nice + system + irq + soft + stolen)) idle=$((idle + wait)) load=$load" \\
    "governor=$governor clock=$clock limit=$limit heat=$heat throttled=${throttled#*=}" >&2
}
"""
#: two moments, so that the second can say how busy the machine is
LOOK = MOMENT + "moment rest; sleep 0.2 2>/dev/null || sleep 1; moment before; exit 0"
#: runs its arguments, watched; its exit code is theirs
WATCH = (
    MOMENT
    + """
moment rest; sleep 0.2 2>/dev/null || sleep 1; moment before
( while kill -0 $$ 2>/dev/null; do sleep 1 >/dev/null 2>&1; moment during; done ) </dev/null >/dev/null &
watcher=$!
"$@"; code=$?
kill $watcher 2>/dev/null; wait $watcher 2>/dev/null
moment after
exit $code
"""
)


@dataclass(frozen=True)
class Moment:
    """when: rest, before, during, after.  used, idle: CPU ticks since the start.  clock, limit: MHz of the fastest core, now and at most.  heat:
    degrees Celsius.

    throttled: the firmware's bits.  None where the machine does not say.
    """

    when: str
    used: int
    idle: int
    load: float | None
    governor: str | None
    clock: float | None
    limit: float | None
    heat: float | None
    throttled: int | None


def watch_words() -> list[str]:
    """What stands in front of a program's argv so that it is watched."""
    return script(WATCH)


def moments_of(stderr: str) -> tuple[list[Moment], str]:
    """The moments in a program's stderr, and what else it says."""
    lines = stderr.splitlines(keepends=True)
    found = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    return [moment_of(line) for line in found[:MOST_MOMENTS]], "".join(line for line in lines if not line.startswith(MARK))


def moment_of(line: str) -> Moment:
    """One line of the script; what is no number is not known."""
    when, _, rest = line.strip().partition(" ")
    said = dict(re.findall(r"([a-z]+)=(\S*)", rest))

    def number(key: str, scale: float = 1.0) -> float | None:
        text = said.get(key, "")
        return float(text) * scale if re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", text) and math.isfinite(float(text)) else None

    bits = said.get("throttled", "")
    return Moment(
        when if when in ("rest", "before", "during", "after") else "during",
        int(number("used") or 0),
        int(number("idle") or 0),
        number("load"),
        one_line(said.get("governor", ""))[:40] or None,
        number("clock", 1e-3),
        number("limit", 1e-3),
        number("heat", 1e-3),
        int(bits, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", bits) else None,
    )


def look(device: Device) -> list[Moment]:
    """Two moments 0.2 s apart."""
    ran = device.run(script(LOOK))
    found, _ = moments_of(ran.stderr.decode("utf-8", "replace"))
    if ran.code or len(found) != 2:
        raise failed(device.uri, ran, "looking at its clock and load")
    return found


def busy_between(first: Moment, second: Moment, cpus: int) -> float:
    """How many CPUs were in use between the two."""
    used, idle = second.used - first.used, second.idle - first.idle
    return round(used / (used + idle) * cpus, 2) if used + idle > 0 and used >= 0 else 0.0


def throttling(bits: int, since_boot: bool = False) -> tuple[str, ...]:
    """The words for the firmware's bits of now, or of any time since the start."""
    return tuple(word for bit, word in THROTTLED.items() if bits >> (bit + SINCE_BOOT * since_boot) & 1)
