"""What the profile file of a CPU may say: one rule a key."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from edge.targets.profile import ARITHMETICS, CLASSES
from edge.targets.rules import Rule, choice, either, figure, flag, list_of, table, table_of, text, word

#: /proc/cpuinfo's spelling.  XSAVE is implied: AVX state is only used where the kernel saves it.
X86_FEATURES = (
    *("pni", "ssse3", "cx16", "sse4_1", "sse4_2", "popcnt", "lahf_lm"),
    *("movbe", "abm", "avx", "f16c", "fma", "bmi1", "bmi2", "avx2"),
    *("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx_vnni"),
)
#: the HWCAP and HWCAP2 bits of Linux on 64-bit Arm that a compiler's code can depend on
ARM_FEATURES = (
    *("fp", "asimd", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop"),
    *("sha3", "sm3", "sm4", "asimddp", "sha512", "sve", "asimdfhm", "dit", "uscat", "ilrcpc", "flagm", "ssbs", "sve2", "i8mm", "bf16"),
)
FEATURES = {"x86_64": X86_FEATURES, "aarch64": ARM_FEATURES}
ARCHES = tuple(FEATURES)

NAME = word(r"[a-z0-9][a-z0-9._-]{0,63}", "a name of lower-case letters, digits, '-', '_' and '.'")
CPU = word(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}", "a CPU's name")
TRIPLE = word(r"[a-z0-9][a-z0-9_.-]{0,63}", "a compiler triple")

LEVEL_RULES: dict[str, Rule] = {
    "cpu": CPU,
    "features": list_of(choice(X86_FEATURES + ARM_FEATURES)),
    "lanes": figure("lanes"),
    "registers": figure("registers"),
    "rates": table({name: figure(quantity) for name, quantity in ARITHMETICS.items()}),
    "flops": figure("rate"),  # rates.f32 by the name that it had before
    "qemu_cpu": CPU,
}
BOTH = ("one", "all")
POWER_RULES = {name: figure("power") for name in ("idle", *BOTH)} | {
    "mac": figure("operation"),
    "cache": figure("movement"),
    "dram": figure("movement"),
}
#: of every kind of profile
HEAD: dict[str, Rule] = {
    "description": text,
    "kind": NAME,
    "instead": NAME,
    "boards": list_of(text),
}
RULES: dict[str, Rule] = HEAD | {
    "extends": either(NAME, table(dict.fromkeys(ARCHES, NAME))),
    "host": flag,
    "arch": choice(ARCHES),
    "runner": TRIPLE,
    "library": TRIPLE,
    "baseline": CPU,
    "block": figure("lanes"),
    "levels": table_of(table(LEVEL_RULES)),
    "caches": table({"l1d": figure("size"), "l2": figure("size"), "l3": figure("size")}),
    "clock": figure("clock"),
    "cores": figure("cores"),
    "bandwidth": table(
        {name: table({key: figure("cached stream") for key in BOTH}) for name in ("l2", "l3")}
        | {"dram": table({key: figure("stream") for key in BOTH})}
    ),
    "efficiency": table({name: figure("share") for name in CLASSES}),
    "overlap": figure("hiding"),
    "together": figure("keeping"),
    "overhead": table({"step": figure("time"), "thread": figure("time")}),
    "power": table(POWER_RULES),
}
NEEDS = ("description", "arch", "runner", "library", "baseline", "block", "levels")
LEVEL_NEEDS = ("cpu", "features", "lanes", "registers", "rates.f32")


def mistakes(content: object) -> list[str]:
    """Everything wrong with one file, taken alone."""
    return list(table(RULES)("", content))


def missing(merged: Mapping[str, object]) -> list[str]:
    """What is still missing once a file and all it extends are put together."""
    found = [f"{key}: is missing" for key in NEEDS if key not in merged]
    levels, streams = merged.get("levels", {}), merged.get("bandwidth", {})
    assert isinstance(levels, dict) and isinstance(streams, dict), "checked by `mistakes`"
    for name, level in levels.items():
        rates = level.get("rates", {})
        there = {*level, *(f"rates.{key}" for key in rates), *(["rates.f32"] if "flops" in level else [])}
        found += [f"levels.{name}.{key}: is missing" for key in LEVEL_NEEDS if key not in there]
        if "flops" in level and "f32" in rates:
            found.append(f"levels.{name}.flops: is rates.f32 by its old name, and both are there")
    found += [f"bandwidth.{name}.one: is missing" for name, both in streams.items() if "one" not in both]
    known = FEATURES.get(str(merged.get("arch")), X86_FEATURES + ARM_FEATURES)
    foreign = ((name, feature) for name, level in levels.items() for feature in level.get("features", ()) if feature not in known)
    found += [f"levels.{name}.features: {merged.get('arch')} has no '{feature}'" for name, feature in foreign]
    return found + [line for name, both in streams.items() for line in falling(f"bandwidth.{name}", both)] + falling("power", merged.get("power", {}))


def falling(where: str, held: object) -> list[str]:
    """More cores at work move no less and draw no less."""
    assert isinstance(held, dict), "checked by `mistakes`"
    there = [key for key in ("idle", *BOTH) if key in held]
    return [f"{where}.{b}: is below {where}.{a}" for a, b in pairwise(there) if held[a]["value"] > held[b]["value"]]
