"""Neuromorphic chips: what fits on a core, how long a time step is, what each event costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.targets import figure_tables
from edge.targets.figure_tables import figures as figures
from edge.targets.profile import Figure, Head
from edge.targets.rules import Rule, figure, table
from edge.targets.schema import HEAD, NAME

ARTICLE, INSTEAD = "a neuromorphic chip", "runs the network without spikes"
#: energy terms: a synapse that adds its weight, a neuron's update of a time step, a spike that leaves a neuron, a hop of it between two cores
TERMS = ("synop", "update", "spike", "hop")


@dataclass(frozen=True, kw_only=True)
class Chip(Head):
    """A chip.  Energy = static * time + synops + updates + spikes + hops, each by its term; every term has a band and a kind.

    neurons: of one core.  fan_in: synapses of one neuron.  axons: inputs of one core.  synapse_memory: of one core.
    tick: one time step.  static: the chip's power when nothing happens.  energy: by TERMS.
    """

    cores: Figure
    neurons: Figure
    energy: dict[str, Figure]
    fan_in: Figure | None = None
    axons: Figure | None = None
    synapse_memory: Figure | None = None
    weight_bits: Figure | None = None
    tick: Figure | None = None
    static: Figure | None = None


RULES: dict[str, Rule] = HEAD | {
    "extends": NAME,
    "cores": figure("cores"),
    "neurons": figure("neurons"),
    "fan_in": figure("inputs"),
    "axons": figure("axons"),
    "synapse_memory": figure("size"),
    "weight_bits": figure("bits"),
    "tick": figure("tick"),
    "static": figure("small power"),
    "energy": table({name: figure("event energy", "low", "high", "kind") for name in TERMS}),
}
NEEDS = ("description", "cores", "neurons", "energy.synop", "energy.update")


def mistakes(content: object) -> list[str]:
    return list(table(RULES)("", content))


def missing(merged: Mapping[str, Any]) -> list[str]:
    there = {*merged, *(f"energy.{name}" for name in merged.get("energy", {}))}
    return [f"{key}: is missing" for key in NEEDS if key not in there]


def profile(name: str, content: Mapping[str, Any], sha256: str) -> Chip:
    return figure_tables.made(Chip, name, content, sha256)


def summary(profile: Chip) -> str:
    return f"{profile.cores}, {profile.neurons} each, {profile.energy['synop'].value:g} {profile.energy['synop'].unit} a synaptic operation"


def facts(profile: Chip) -> list[str]:
    return []
