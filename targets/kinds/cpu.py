"""CPUs and boards by their CPU: what programs are compiled for today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.targets.profile import Bandwidth, Figure, Level, Profile, figures
from edge.targets.schema import missing, mistakes

__all__ = ["ARTICLE", "INSTEAD", "facts", "figures", "missing", "mistakes", "profile", "summary"]
ARTICLE, INSTEAD = "a CPU", "runs on its CPU"


def summary(profile: Profile) -> str:
    return f"{profile.arch}, levels {' '.join(level.name for level in profile.levels)}"


def facts(profile: Profile) -> list[str]:
    """Its compiler triples and levels."""
    lines = [f"runner {profile.runner}, library {profile.library}", ""]
    for level in profile.levels:
        proof = f"proven under qemu-{profile.arch} -cpu {level.qemu_cpu}" if level.qemu_cpu else "QEMU cannot run it"
        lines += [f"{level.name}: -mcpu={level.cpu}, {proof}", f"    needs {' '.join(level.features)}"]
    return lines


def profile(name: str, content: Mapping[str, Any], sha256: str) -> Profile:
    """Frozen data out of a checked table."""

    def optional(key: str) -> Figure | None:
        return Figure(**content[key]) if key in content else None

    def named(key: str) -> dict[str, Figure]:
        return {name: Figure(**value) for name, value in content.get(key, {}).items()}

    return Profile(
        name=name,
        description=content["description"],
        instead=content.get("instead", ""),
        boards=tuple(content.get("boards", ())),
        arch=content["arch"],
        runner=content["runner"],
        library=content["library"],
        baseline=content["baseline"],
        block=Figure(**content["block"]),
        levels=tuple(level(key, value) for key, value in content["levels"].items()),
        caches=named("caches"),
        clock=optional("clock"),
        cores=optional("cores"),
        bandwidth={key: Bandwidth(**{of: Figure(**figure) for of, figure in both.items()}) for key, both in content.get("bandwidth", {}).items()},
        efficiency=named("efficiency"),
        overlap=optional("overlap"),
        together=optional("together"),
        overhead=named("overhead"),
        power=named("power"),
        host=content.get("host", False),
        sha256=sha256,
    )


def level(name: str, content: Mapping[str, Any]) -> Level:
    rates = content.get("rates", {}) | ({"f32": content["flops"]} if "flops" in content else {})
    return Level(
        name=name,
        cpu=content["cpu"],
        features=tuple(content["features"]),
        lanes=Figure(**content["lanes"]),
        registers=Figure(**content["registers"]),
        rates={key: Figure(**figure) for key, figure in rates.items()},
        qemu_cpu=content.get("qemu_cpu", ""),
    )
