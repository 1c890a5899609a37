"""GPUs that compute by Vulkan.  The file has rates of the whole GPU, so that no core count has to be known; a multiply-add is two operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.targets import figure_tables
from edge.targets.figure_tables import figures as figures
from edge.targets.profile import ARITHMETICS, Figure, Head
from edge.targets.rules import Rule, figure, list_of, table, word
from edge.targets.schema import HEAD, NAME

ARTICLE, INSTEAD = "a GPU", "runs on its CPU"


@dataclass(frozen=True, kw_only=True)
class Gpu(Head):
    """A GPU.

    vulkan: the version that its driver offers.  features: of Vulkan, in the specification's spelling.
    rates: operations a second of the whole GPU, by arithmetic.  subgroup: lanes that run together.  caches: by name, l1 of one core, l2 of all.
    bandwidth: `dram` in bytes a second.  launch: of one dispatch, until the next may begin.  power: of the whole board, `idle` and `busy`.
    """

    vulkan: str
    rates: dict[str, Figure]
    features: tuple[str, ...] = ()
    clock: Figure | None = None
    cores: Figure | None = None
    subgroup: Figure | None = None
    caches: dict[str, Figure] = field(default_factory=dict)
    bandwidth: dict[str, Figure] = field(default_factory=dict)
    launch: Figure | None = None
    power: dict[str, Figure] = field(default_factory=dict)


RULES: dict[str, Rule] = HEAD | {
    "extends": NAME,
    "vulkan": word(r"[1-9]\.\d", "a version of Vulkan such as '1.2'"),
    "features": list_of(word(r"[A-Za-z][A-Za-z0-9_]{0,63}", "a feature's name")),
    "rates": table({name: figure("whole rate") for name in ARITHMETICS}),
    "clock": figure("clock"),
    "cores": figure("cores"),
    "subgroup": figure("lanes"),
    "caches": table({"l1": figure("size"), "l2": figure("size"), "shared": figure("size")}),
    "bandwidth": table({"dram": figure("stream")}),
    "launch": figure("time"),
    "power": table({"idle": figure("power"), "busy": figure("power")}),
}
NEEDS = ("description", "vulkan", "rates.f32")


def mistakes(content: object) -> list[str]:
    return list(table(RULES)("", content))


def missing(merged: Mapping[str, Any]) -> list[str]:
    there = {*merged, *(f"rates.{name}" for name in merged.get("rates", {}))}
    return [f"{key}: is missing" for key in NEEDS if key not in there]


def profile(name: str, content: Mapping[str, Any], sha256: str) -> Gpu:
    return figure_tables.made(Gpu, name, content, sha256)


def summary(profile: Gpu) -> str:
    return f"Vulkan {profile.vulkan}, {', '.join(f'{name} {figure}' for name, figure in profile.rates.items())}"


def facts(profile: Gpu) -> list[str]:
    return [f"features {' '.join(profile.features)}"] if profile.features else []
