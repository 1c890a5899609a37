"""Can this device run this artifact?  Asked before anything is sent: a wrong architecture is no crash on the board but a line here."""

from __future__ import annotations

from edge import targets
from edge.artifact.elf import HEAD, arch_in
from edge.artifact.reader import Artifact
from edge.devices.device import Facts
from edge.errors import EdgeError

#: `uname -m` -> the architecture of the programs it runs, where that is spelled otherwise
ALIASES = {"arm64": "aarch64", "armv6l": "arm", "armv7l": "arm", "armv8l": "arm"}


def arch_named(machine: str) -> str:
    """The architecture of a machine that calls itself so."""
    return ALIASES.get(machine, machine)


def require_fit(artifact: Artifact, facts: Facts) -> None:
    """EdgeError when the program is for another architecture, or every level in it wants a CPU feature that the device lacks."""
    made = arch_in(bytes(artifact.mapped[:HEAD]))
    if not made or made != arch_named(facts.machine):
        cure = "build it for that device: edge targets lists what there is"
        raise EdgeError(artifact.path.name, f"is for {made or 'an unknown machine'}, {facts.uri} is {facts.machine}", cure)
    missing = missing_features(artifact, facts)
    if missing:
        cure = "build it for that device, or for a family with lower levels"
        raise EdgeError(artifact.path.name, f"needs what the CPU of {facts.uri} does not have: {' '.join(missing)}", cure)


def missing_features(artifact: Artifact, facts: Facts) -> list[str]:
    """What the nearest level lacks there; nothing when one level fits or nothing is known: then the program itself looks and says."""
    wanted = targets.level_features(artifact.manifest.target)
    lacks = [[word for word in wanted[level] if word not in facts.features] for level in artifact.manifest.levels if level in wanted]
    if not lacks or not facts.features or len(lacks) < len(artifact.manifest.levels):
        return []
    return min(lacks, key=len)
