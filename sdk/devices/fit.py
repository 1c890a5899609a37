"""Can this device run this artifact?  Asked before anything is sent: a wrong architecture is no crash on the board but a line here."""

from __future__ import annotations

from edge import targets
from edge.artifact.reader import Artifact
from edge.devices.device import Facts
from edge.errors import EdgeError

#: `uname -m` -> e_machine of the programs it runs  [System V ABI, ELF header; Linux, elf-em.h]
MACHINES = {"x86_64": 62, "aarch64": 183, "arm64": 183, "armv6l": 40, "armv7l": 40, "armv8l": 40, "riscv64": 243}
NAMES = {62: "x86_64", 183: "aarch64", 40: "32-bit Arm", 243: "riscv64"}


def require_fit(artifact: Artifact, facts: Facts) -> None:
    """EdgeError when the program is for another architecture, or every level in it wants a CPU feature that the device lacks."""
    made, there = machine_of(artifact), MACHINES.get(facts.machine)
    if made != there:
        cure = "build it for that device: edge targets lists what there is"
        raise EdgeError(artifact.path.name, f"is for {NAMES.get(made, f'machine {made}')}, {facts.uri} is {facts.machine}", cure)
    missing = missing_features(artifact, facts)
    if missing:
        cure = "build it for that device, or for a family with lower levels"
        raise EdgeError(artifact.path.name, f"needs what the CPU of {facts.uri} does not have: {' '.join(missing)}", cure)


def machine_of(artifact: Artifact) -> int:
    """e_machine of the program in front; 0 when that is no little-endian ELF."""
    head = bytes(artifact.mapped[:20])
    return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" and head[5] == 1 else 0


def missing_features(artifact: Artifact, facts: Facts) -> list[str]:
    """What the nearest level lacks there; nothing when one level fits or nothing is known: then the program itself looks and says."""
    wanted = targets.level_features(artifact.manifest.target)
    lacks = [[word for word in wanted[level] if word not in facts.features] for level in artifact.manifest.levels if level in wanted]
    if not lacks or not facts.features or len(lacks) < len(artifact.manifest.levels):
        return []
    return min(lacks, key=len)
