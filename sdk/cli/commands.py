"""The table of commands: name -> group and one line of help.  The command itself is `command` in the module of that name.

To add one: 1 a line here, 2 `sdk/cli/NAME.py` with a `command` made by `edge.cli.verb`, 3 `make docs`.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """group: the heading that `edge --help` shows it under.  text: what it does, in one line."""

    group: str
    text: str


GROUPS = {"build": "Build", "look": "Look and measure", "device": "Devices"}

VERBS = {
    "targets": Entry("build", "list the devices to build for, or one device's figures"),
    "ops": Entry("build", "list the operators of ONNX that can be built, and how"),
    "build": Entry("build", "compile a model into one .edge file"),
    "inspect": Entry("look", "show what an .edge file holds, without running it"),
    "verify": Entry("look", "compare an .edge file with its model, whole and per layer"),
    "run": Entry("look", "feed arrays or a picture to an .edge file"),
    "profile": Entry("look", "measure latency, memory and energy, whole and per layer"),
    "predict": Entry("look", "model what a network costs on a device that is not here"),
    "devices": Entry("device", "list the devices that are attached"),
    "doctor": Entry("device", "check this machine, or a device, for building and measuring"),
    "flash": Entry("device", "put an .edge file on a device or on an SD card"),
    "rollback": Entry("device", "go back to the model a device had before"),
}
