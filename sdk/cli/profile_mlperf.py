"""edge profile --protocol mlperf: any device that speaks MLPerf Tiny's protocol on a line, or an .edge file that does so here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli import options
from edge.cli.output import put
from edge.errors import CheckFailed, EdgeError

if TYPE_CHECKING:
    from edge.artifact.reader import Artifact
    from edge.devices.dut import Dut
    from edge.measure.mlperf_figures import Benchmark

STDOUT = Path("-")
#: parameters that say something to the ordinary profile only
FOREIGN = ("runs", "warmup", "min_secs", "per_layer", "csv", "html", "top", "sort", "wide")


@dataclass(frozen=True)
class Asked:
    """The command line.  json: None, STDOUT or a file."""

    artifact: Path | None
    on: str
    threads: int
    level: str | None
    strict: bool
    energy: str
    input: tuple[Path, ...]
    mlperf_secs: float
    json: Path | None


def run(args: Asked) -> int:
    from edge import report
    from edge.artifact.reader import open_artifact
    from edge.artifact.whole_file import write_whole

    for name in FOREIGN:
        if options.given(name):
            raise EdgeError("profile", f"--protocol mlperf takes no --{name.replace('_', '-')}", "the protocol fixes how is measured")
    if args.artifact is None and not args.input:
        raise EdgeError("profile", "no inputs given", "give an .edge file for its test vectors, or --input FILES")
    artifact = open_artifact(args.artifact) if args.artifact else None
    made = benchmark_of(args, artifact)
    if args.json == STDOUT:
        put(made.to_json())
    else:
        put(report.mlperf_text(made))
        if args.json:
            write_whole(args.json, [made.to_json().encode()])
    if args.strict and not made.stable:
        raise CheckFailed(made.artifact or made.model, f"unstable: {'; '.join(made.reasons)}", "run it again on a quiet device")
    return 0


def benchmark_of(args: Asked, artifact: Artifact | None) -> Benchmark:
    from edge import devices, meters
    from edge.artifact.emulator import emulator
    from edge.cli.progress import Progress
    from edge.devices.dut import Dut
    from edge.devices.wire import open_wire
    from edge.measure import mlperf
    from edge.measure.benchmark import EMULATED
    from edge.measure.mlperf_inputs import files_of, vectors_of
    from edge.measure.mlperf_verdict import LATE, RUNS
    from edge.measure.watch import Unwatched

    inputs = files_of(args.input) if args.input else vectors_of(artifact, RUNS) if artifact else []
    words = ["--mlperf", "--threads", str(args.threads), *(["--level", args.level] if args.level else [])]
    if artifact:
        words += ["--model-id", artifact.manifest.name]
    emulated = devices.emulated(args.on) or (args.on == "local" and artifact is not None and bool(emulator(artifact.path)))
    if emulated and args.energy not in ("auto", "none"):
        raise EdgeError("--energy", "an emulator's energy is not the device's", "--energy none, or a real device")
    with Progress() as say, open_wire(args.on, artifact.path if artifact else None, words, say) as (wire, device):
        place = meters.Nowhere() if device is None else meters.Here() if args.on == "local" else meters.There(device)
        watch = Unwatched(EMULATED) if emulated else meters.watch(args.energy, place, clock=meters.Clock(error=LATE), from_here=True)
        with watch:  # before the first word to the device: an instrument may be what gives it power
            dut = Dut(wire)
            require_model(dut, artifact, args.on)
            runs = mlperf.perform(dut, inputs, args.mlperf_secs, say)
        return mlperf.benchmark(
            dut,
            runs,
            watch,
            device=args.on,
            artifact=artifact.path.name if artifact else None,
            seconds=args.mlperf_secs,
            doubts=[EMULATED] if emulated else (),
            answers=mlperf.answers_of(dut, inputs, say) if args.input else (),
        )


def require_model(dut: Dut, artifact: Artifact | None, where: str) -> None:
    """EdgeError when the device says that it runs something else than the artifact."""
    if artifact and dut.model != plain(artifact.manifest.name):
        what = f"runs '{dut.model}', not '{artifact.manifest.name}'"
        raise EdgeError(where, what, "put that file there, or give --input FILES and no file")


def plain(name: str) -> str:
    """A model's name as the runner says it (runner_mlperf.c: say_bracketed)."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != ord("]") else "?" for b in name.encode()[:127])
