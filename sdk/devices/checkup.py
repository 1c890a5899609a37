"""Is a device fit to run and to measure on?  Each finding says ok, note or missing, and the command that cures it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

from edge import targets
from edge.devices.device import Device, Facts
from edge.devices.findings import GOVERNOR, MISSING, NOTE, OK, Finding
from edge.devices.fit import arch_named
from edge.devices.moments import Moment, busy_between, look, throttling
from edge.devices.policies import Policy
from edge.devices.scripts import BASE, FLEETING, failed, key_values, script

LEAST_BYTES, FEW_BYTES = 4 << 20, 100 << 20  #: free for one small artifact; for several
WARM, HOT = 65.0, 80.0  #: degrees Celsius: nearing, and where Raspberry Pis slow down
CLOCK_SECONDS = 120  #: that the device's time of day may be off
UNCAP = "for c in /sys/devices/system/cpu/cpufreq/policy*; do sudo sh -c 'cat $0/cpuinfo_max_freq >$0/scaling_max_freq' $c; done"
ELSEWHERE = "edge flash --folder PATH"
ROOM = "sudo apt-get clean there; df -h shows the rest"
#: what shells say who cannot write -> what it means, what helps.  dash says of a full disk no more than I/O error.
UNWRITABLE = (
    (r"no space|i/o error|quota", "{base}, {free:.1f} MB free", ROOM),
    (r"read-only", "{base} is mounted read-only", "sudo mount -o remount,rw / there; if it comes back, the card may be worn out"),
    (r"denied|not permitted", "{base} does not belong to this user", f"sudo chown $USER {{base}} there, or {ELSEWHERE}"),
    (r"no such|nonexistent", "{base} is not there", f"sudo install -d -o $USER {{base}} there, or {ELSEWHERE}"),
    (r"", "{base} cannot be written to", ELSEWHERE),
)
QUOTA = "no more threads than that (--threads 0 counts it), or lift the container's limit: docker run --cpus, CPUQuota="
SUPPLY = "a supply of 5 V and 3 A (Pi 5: 5 A) and a short cable"
COOLING = "a heat sink or a fan, and let it cool down"

#: -> where artifacts would lie, whether programs run there, the time of day
EXTRAS = (
    BASE
    + FLEETING
    + """
edge_fleeting "$base"; echo "base=$base"; echo "time=$(date +%s)"
file=$base/.edge-checkup-$$
if why=$({ echo '#!/bin/sh' >"$file" && chmod 755 "$file"; } 2>&1); then
  echo writable=yes; "$file" 2>/dev/null && echo runs=yes
else
  echo "why=$why"
fi
rm -f "$file" 2>/dev/null
exit 0
"""
)


def checkup(device: Device) -> Iterator[Finding]:
    """Three round trips: facts, two moments, and what is left."""
    facts = device.facts()
    yield Finding(OK, "device", f"{facts.machine} {facts.model}, {facts.cores} cores, {facts.memory_bytes / 1e9:.1f} GB, Linux {facts.kernel}")
    yield processor(facts)
    ran = device.run(script(EXTRAS))
    told = key_values(ran.stdout)
    if ran.code or "base" not in told:
        raise failed(device.uri, ran, "looking around")
    yield folder(facts, told)
    yield tools(facts)
    moments = look(device)
    yield governor(facts, moments[-1])
    yield throttled(facts, moments[-1])
    yield heat(moments[-1])
    yield load(facts, moments)
    yield from quota(facts, moments[-1])
    yield time_of_day(told, time.time())


def processor(facts: Facts) -> Finding:
    """Which of our targets run there, the nearest first."""
    fitting = list(fits(facts))
    if fitting:
        return Finding(OK, "cpu", f"runs --target {', '.join(fitting)}")
    if arch_named(facts.machine) == "arm":
        return Finding(MISSING, "cpu", "no target for 32-bit Arm", "install the 64-bit system; a Pi 3, 4, 5 and Zero 2 W can")
    return Finding(MISSING, "cpu", f"no target for {facts.machine} with these features", "edge targets lists what there is")


def fits(facts: Facts) -> Iterator[str]:
    """`rpi4 (level base)` for every shipped target with a level that this CPU has."""
    for name in targets.names("cpu"):
        profile = targets.shipped(name)
        if not profile.host and arch_named(profile.arch) == arch_named(facts.machine):
            best = next((level.name for level in profile.levels if set(level.features) <= set(facts.features)), None)
            if best:
                yield f"{name} (level {best})"


def folder(facts: Facts, told: dict[str, str]) -> Finding:
    base, free = told["base"], facts.free_bytes
    if "writable" not in told:
        what, cure = next((what, cure) for said, what, cure in UNWRITABLE if re.search(said, told.get("why", ""), re.IGNORECASE))
        return Finding(MISSING, "folder", what.format(base=base, free=free / 1e6), cure.format(base=base))
    if "runs" not in told:
        return Finding(MISSING, "folder", f"{base} lets no program run", f"sudo mount -o remount,exec {base} there, or {ELSEWHERE}")
    if free < FEW_BYTES:
        return Finding(MISSING if free < LEAST_BYTES else NOTE, "folder", f"{base}, {free / 1e6:.1f} MB free", ROOM)
    if "fleeting" in told:
        what = f"{base}, {free / 1e9:.1f} GB free, but a restart loses what is flashed there: {told['fleeting']}"
        return Finding(NOTE, "folder", what, ELSEWHERE)
    return Finding(OK, "folder", f"{base}, {free / 1e9:.1f} GB free")


def tools(facts: Facts) -> Finding:
    if not {"sha256sum", "cksum"} & set(facts.tools):
        return Finding(MISSING, "tools", "neither sha256sum nor cksum: transfers cannot be checked", "sudo apt-get install coreutils there")
    if "gzip" not in facts.tools:
        return Finding(NOTE, "tools", "no gzip: transfers are not packed", "sudo apt-get install gzip there")
    return Finding(OK, "tools", " ".join(facts.tools))


def governor(facts: Facts, now: Moment) -> Finding:
    """The worst of the policies whose cores may be used; a machine with one clock for all names no policy."""
    whole = Policy("", now.governor, now.clock, None, now.limit, frozenset())
    found = [of_policy(policy, facts.machine, len(now.policies) > 1) for policy in now.policies or (whole,)]
    return next((finding for finding in found if finding.status != OK), found[0])


def of_policy(policy: Policy, machine: str, several: bool) -> Finding:
    which = f" of {policy}" if several else ""
    said = f"{policy.governor}{which}" + (f" at {policy.clock:.0f} of {policy.limit:.0f} MHz" if policy.clock and policy.limit else "")
    if policy.capped:
        return Finding(NOTE, "governor", f"{policy.governor}{which}: capped at {policy.cap:.0f} of {policy.limit:.0f} MHz", UNCAP)
    if policy.held_down(machine):
        return Finding(NOTE, "governor", f"{said}: something holds the clock down", UNCAP)
    if policy.governor in (None, "performance"):
        return Finding(OK, "governor", said if policy.governor else "not readable there (usual in a virtual machine)")
    return Finding(NOTE, "governor", f"{said}: the clock moves while you measure", GOVERNOR)


def throttled(facts: Facts, now: Moment) -> Finding:
    if now.throttled is None and "vcgencmd" in facts.tools:
        return Finding(NOTE, "throttling", "vcgencmd does not answer this user", "sudo usermod -aG video $USER there, and log in again")
    if now.throttled is None:
        return Finding(OK, "throttling", "the board does not report any")
    words, before = throttling(now.throttled), throttling(now.throttled, since_boot=True)
    if words:
        return Finding(NOTE, "throttling", f"now: {', '.join(words)}", SUPPLY if "under-voltage" in words else COOLING)
    if before:
        return Finding(NOTE, "throttling", f"since it started: {', '.join(before)}", SUPPLY if "under-voltage" in before else COOLING)
    return Finding(OK, "throttling", "none since it started")


def heat(now: Moment) -> Finding:
    bogus = ", ".join(str(zone) for zone in now.zones if zone.bogus)
    aside = f"; not believed: {bogus[:100]}" if bogus else ""
    if now.heat is None:
        return Finding(OK, "temperature", f"not readable there{aside}")
    if now.heat >= WARM:
        return Finding(NOTE, "temperature", f"{now.heat:.0f} degrees; it slows down at {HOT:.0f}{aside}", COOLING)
    return Finding(OK, "temperature", f"{now.heat:.0f} degrees{aside}")


def load(facts: Facts, moments: Sequence[Moment]) -> Finding:
    busy = busy_between(moments[0], moments[1], facts.cores)
    if busy > 0.25:
        return Finding(NOTE, "load", f"{busy:.1f} of {facts.cores} cores busy", "top there shows with what; figures will be noisy")
    return Finding(OK, "load", f"{busy:.1f} of {facts.cores} cores busy")


def quota(facts: Facts, now: Moment) -> Iterator[Finding]:
    """Nothing where no control group gives less than all cores."""
    if now.quota is not None and now.quota < facts.cores:
        yield Finding(NOTE, "quota", f"the control group allows {now.quota:g} of {facts.cores} CPUs", QUOTA)


def time_of_day(told: dict[str, str], here: float) -> Finding:
    there = told.get("time", "")
    if not there.isdecimal():
        return Finding(NOTE, "time", "not readable there")
    off = int(there[:12]) - here
    if abs(off) > CLOCK_SECONDS:
        return Finding(
            NOTE, "time", f"{abs(off) / 3600:.1f} h {'ahead of' if off > 0 else 'behind'} this machine", "sudo timedatectl set-ntp true there"
        )
    return Finding(OK, "time", "as here")
