"""What the contract names and this version lacks: never offered, and answered with what to do instead."""

from __future__ import annotations

from edge.errors import EdgeError

#: command -> what to do instead
COMMANDS = {
    "compare": "write both profiles with edge profile --json FILE and compare latency_ms",
}
#: command -> option -> what to do instead
OPTIONS = {
    "build": {
        "--threads": "any file runs with any number: give --threads to edge run or edge profile",
        "--tune": "leave it out: kernels are chosen for the target",
        **dict.fromkeys(("--calib-method", "--max-drop"), "leave it out: fp32 needs no calibration"),
        "--fallback": "replace the operators that edge build names",
        "--cutoff": "choose the number of steps by --to-spiking T=auto",
    },
    "inspect": {"--target": "edge predict MODEL --target T plans a model without building it"},
    "verify": {"--html": "--json prints every comparison"},
}
FORMATS = {
    "tflite": "leave --format out, and run the .edge file; or convert the model by its own framework's tools",
    "nir": "leave --format out, and run the .edge file",
}


def refusal(where: str, cure: str) -> EdgeError:
    return EdgeError(where, "not supported yet", cure)


def refuse_formats(formats: str) -> None:
    """EdgeError for the first format of a later version."""
    for name in formats.split(","):
        if name in FORMATS:
            raise refusal(f"--format {name}", FORMATS[name])
