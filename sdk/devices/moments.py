"""What a machine is doing at one moment: load, clock, heat, throttling; read by one script, alone or around a program that runs.

Only shell builtins read the files, so that watching a measurement costs it one `sleep` a second.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from edge.devices.device import Device
from edge.devices.policies import Policy, policies_of
from edge.devices.scripts import failed, script
from edge.devices.zones import Zone, heat_of, zones_of

MARK = "@edge-moment "
#: bit -> what the Raspberry Pi firmware means by it  [Raspberry Pi documentation, vcgencmd get_throttled]
THROTTLED = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}
SINCE_BOOT = 16  #: the same bits, this much higher: has it happened since the board started?
MOST_MOMENTS = 4000

MOMENT = """
quota_() {  # CPUs that a control group allows, in both versions: a limit of any group above holds too
  while IFS=: read -r group list path; do
    base=/sys/fs/cgroup
    case ",$list," in
      ,,) [ ! -d $base/unified ] || base=$base/unified;;
      *,cpu,*) if [ -d "$base/$list" ]; then base=$base/$list; else base=$base/cpu; fi;;
      *) continue;;
    esac
    while :; do
      most= unit= rest=; [ "$path" != / ] || path=
      if [ -r "$base$path/cpu.max" ]; then read -r most unit rest <"$base$path/cpu.max"
      elif [ -r "$base$path/cpu.cfs_quota_us" ]; then
        read -r most rest <"$base$path/cpu.cfs_quota_us"; read -r unit rest <"$base$path/cpu.cfs_period_us"
      fi
      [ "${most:-0}" -gt 0 ] && [ "${unit:-0}" -gt 0 ] && quota="$quota${quota:+|}$most/$unit"
      [ -n "$path" ] || break
      path=${path%/*}
    done
  done </proc/self/cgroup
}
moment() {
  user=0 nice=0 system=0 idle=0 wait=0 irq=0 soft=0 stolen=0 load=
  policies= allowed= zones= throttled= quota= modern= now= kind= governor= cap= limit= cpus=
  { read -r name user nice system idle wait irq soft stolen rest </proc/stat; read -r load rest </proc/loadavg; } 2>/dev/null
  while read -r name rest; do [ "$name" = Cpus_allowed_list: ] && allowed=$rest; done 2>/dev/null </proc/self/status
  for c in /sys/devices/system/cpu/cpufreq/policy* /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do
    [ -d "$c" ] || continue
    case "$c" in */cpufreq) [ -z "$modern" ] || break; name=${c%/cpufreq}; name=${name##*/};; *) modern=yes name=${c##*/};; esac
    governor= now= cap= limit= cpus=
    { read -r governor <"$c/scaling_governor"; read -r now <"$c/scaling_cur_freq"; read -r cap <"$c/scaling_max_freq"
      read -r limit <"$c/cpuinfo_max_freq"; read -r cpus <"$c/affected_cpus"; } 2>/dev/null
    line=; for cpu in $cpus; do line="$line${line:+,}$cpu"; done
    policies="$policies$name;$governor;$now;$cap;$limit;$line|"
  done
  for zone in /sys/class/thermal/thermal_zone*; do
    kind= now=
    { read -r kind rest <"$zone/type"; read -r now <"$zone/temp"; } 2>/dev/null
    [ -z "$now" ] || zones="$zones$kind;$now|"
  done
  [ "$1" = during ] || quota_ 2>/dev/null
  command -v vcgencmd >/dev/null 2>&1 && throttled=$(vcgencmd get_throttled 2>/dev/null)
  echo "@edge-moment $1 used=$((user + nice + system + irq + soft + stolen)) idle=$((idle + wait)) load=$load allowed=$allowed quota=$quota" \\
    "throttled=${throttled#*=} zones=$zones policies=$policies" >&2
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
    """when: rest, before, during, after.  used, idle: CPU ticks since the start.  governor: the slowest of those in use.  clock, limit: MHz of the
    fastest core that may be used, now and at most.  heat: degrees Celsius of the CPU.

    throttled: the firmware's bits.  None where the machine does not say.  policies: those of which a thread may use a core.
    zones: all thermal ones.  quota: CPUs that the control group allows, None without a limit.
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
    policies: tuple[Policy, ...] = ()
    zones: tuple[Zone, ...] = ()
    quota: float | None = None


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

    def number(key: str) -> float | None:
        text = said.get(key, "")
        return float(text) if re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", text) and math.isfinite(float(text)) else None

    bits = said.get("throttled", "")
    policies, zones = policies_of(said.get("policies", ""), said.get("allowed", "")), zones_of(said.get("zones", ""))
    governors = [policy.governor for policy in policies if policy.slow] or [policy.governor for policy in policies]
    quotas = re.findall(r"(\d{1,15})/([1-9]\d{0,14})", said.get("quota", ""))
    return Moment(
        when if when in ("rest", "before", "during", "after") else "during",
        int(number("used") or 0),
        int(number("idle") or 0),
        number("load"),
        governors[0] if governors else None,
        max((policy.clock for policy in policies if policy.clock), default=None),
        max((policy.limit for policy in policies if policy.limit), default=None),
        heat_of(zones),
        int(bits, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", bits) else None,
        policies,
        zones,
        min((int(most) / int(unit) for most, unit in quotas), default=None),
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
