"""A program for a CPU: plan, C, zig, one static ELF in front of the zip, and the same steps as a library."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from edge import codegen, plan
from edge.artifact import plan_json
from edge.artifact.graph_file import dump as graph_file
from edge.artifact.manifest import CAN, Compiled, Payload, Toolchain
from edge.artifact.reader import Artifact
from edge.artifact.whole_file import writing
from edge.backends.interface import Built, Core, Task
from edge.converters import Source
from edge.graph.integers import FLOATS, precision_of
from edge.plan.cores import cores_of
from edge.targets import toolchain
from edge.targets.profile import Head, Profile
from edge.verify.expected import expected_outputs
from edge.verify.expected_integers import expected_integers
from edge.verify.selfcheck import Check, check

LIBRARY, HEADER = "lib/libmodel.so", "include/edge.h"


@dataclass(frozen=True)
class Cpu:
    kind: str = "cpu"
    format: str = "native"
    suffix: str = ""
    leads: bool = True
    passes: tuple[str, ...] = ()

    def build(self, task: Task) -> Built:
        profile = task.profile
        assert isinstance(profile, Profile), "found by the profile's kind"
        task.say("planning")
        made = plan.make(task.graph, cores_of(profile), profile.name)
        if precision_of(task.graph) not in ("", FLOATS):
            answers = expected_integers(task.source, task.graph, made, task.recipe)
        else:
            answers = expected_outputs(task.source, made, task.recipe)
        files = codegen.emit(made, {level.name: level.features for level in profile.levels}, profile.name, answers.vectors)
        task.say(toolchain.doing(profile))
        with tempfile.TemporaryDirectory(prefix="edge-build-") as work:
            binaries = toolchain.compile_program(profile, files, Path(work), task.say)
        if task.stages:
            with writing(task.stages):
                toolchain.lay_out(files, task.stages / "c")
                (task.stages / "plan.json").write_bytes(plan_json.to_bytes(made))
        tools = Toolchain("zig cc", toolchain.version(), (*toolchain.COMMON, *toolchain.STEPS))
        compiled = Compiled(tuple(made.levels), tools, made.arena_bytes, made.macs)
        core = Core(binaries.program, codegen.packed_weights(made), graph_file(task.graph, made), made, answers, files)
        payload = Payload(self.format, self.kind, (LIBRARY, HEADER), can=CAN, compiled=compiled)
        return Built(payload, {LIBRARY: binaries.library, HEADER: toolchain.header()}, core=core)

    def check(self, file: Artifact, profile: Head) -> Check:
        assert isinstance(profile, Profile), "found by the profile's kind"
        return check(file, profile)

    def bare(self, task: Task) -> bytes:
        raise NotImplementedError("there is no suffix")

    def load(self, path: Path) -> tuple[bytes, Source]:
        raise NotImplementedError("there is no suffix")

    def wrapped(self, bare: bytes) -> Built:
        raise NotImplementedError("there is no suffix")


BACKEND = Cpu()
