"""A mistake on the command line is one line: where, what, and the cure; exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge import cli
from edge.cli import not_yet
from edge.cli.commands import VERBS
from edge.cli.group import command_of
from edge.cli.words import check
from house import ROOT

Out = pytest.CaptureFixture[str]
TARGETS = "arm64, cpu, rpi-zero2w, rpi3, rpi4, rpi5, x86-64"

MISTAKES = [
    ("target", "edge: target: unknown command (did you mean 'targets'?)"),
    ("zzz", "edge: zzz: unknown command (edge --help lists the commands)"),
    ("help zzz", "edge: zzz: unknown command (edge --help lists the commands)"),
    ("--versoin", "edge: --versoin: unknown option (did you mean '--version'?)"),
    ("-x targets", "edge: -x: unknown option (edge --help lists the commands)"),
    ("targets --jsn", "edge: targets: unknown option '--jsn' (did you mean '--json'?)"),
    ("targets --js", "edge: targets: unknown option '--js' (did you mean '--json'?)"),
    ("targets --wholly-else=3", "edge: targets: unknown option '--wholly-else' (see edge targets --help)"),
    ("targets cpu x86-64", "edge: targets: does not take 'x86-64' (see edge targets --help)"),
    ("targets -x", "edge: targets: unknown option '-x' (see edge targets --help)"),
    ("targets -qx", "edge: targets: unknown option '-qx' (did you mean '-q'?)"),
    ("targets --json=3", "edge: targets: --json takes no value (leave '=3' out)"),
    ("targets -q -v", "edge: targets: takes -q or -v, not both (leave one out)"),
    ("targets x86_64", f"edge: target 'x86_64': unknown (did you mean 'x86-64'? targets: {TARGETS})"),
    (
        "targets riscv64",
        "edge: target 'riscv64': not supported yet (build for arm64 or x86-64; other machines compile the C of --emit c)",
    ),
    (
        "targets arm32",
        "edge: target 'arm32': 32-bit Arm is not built for: half the vector registers would need kernels of their own"
        " (install the 64-bit Raspberry Pi OS on a Pi 3 or later, or a Zero 2 W, and build for arm64)",
    ),
    ("flash a.edge --too x", "edge: flash: unknown option '--too' (did you mean '--to'?)"),
    ("flash a.edge", "edge: flash: needs --to or --image (edge flash A.edge --to ssh://pi@board, or --image card.img)"),
    (
        "flash a.edge --to x --image y",
        "edge: flash: takes --to or --image, not both (edge flash A.edge --to ssh://pi@board, or --image card.img)",
    ),
    ("flash a.edge --to x --from y", "edge: flash: --from: belongs to --image (a device that runs has been configured already)"),
    ("flash a.edge --to x --yes", "edge: flash: --yes: belongs to --image (a device that runs has been configured already)"),
    (
        "flash a.edge --to x --max-size=256GB",
        "edge: flash: --max-size: belongs to --image (a device that runs has been configured already)",
    ),
    ("flash a.edge --image y --folder z", "edge: flash: --folder: belongs to --to (in an image it is /opt/edge)"),
    # what is unknown before what is missing; all that is missing at once
    ("build --taget cpu", "edge: build: unknown option '--taget' (did you mean '--target'?)"),
    ("build", "edge: build: needs MODEL and --target T (see edge build --help)"),
    ("build m.onnx", "edge: build: needs --target T (see edge build --help)"),
    ("rollback", "edge: rollback: needs DEVICE (see edge rollback --help)"),
    # values
    ("build m.onnx --target", "edge: build: --target needs a value (see edge build --help)"),
    ("build m.onnx --target --dump", "edge: build: --target needs a value (for a value that begins with '-' write --target=--dump)"),
    ("run m.edge --output -x", "edge: run: --output needs a value (for a value that begins with '-' write --output=-x)"),
    ("build m.onnx --target cpu --emit cc", "edge: build: --emit cc is not one of c (did you mean 'c'?)"),
    ("profile m.edge --protocol mlpref", "edge: profile: --protocol mlpref is not one of bench, mlperf (did you mean 'mlperf'?)"),
    ("run m.edge --threads x", "edge: run: --threads x is not a whole number"),
    ("run m.edge --threads 1.5", "edge: run: --threads 1.5 is not a whole number"),
    ("run m.edge --threads -1", "edge: run: --threads -1 is not between 0 and 256"),
    ("profile m.edge --min-secs x", "edge: profile: --min-secs x is not a number"),
    ("profile m.edge --min_secs inf", "edge: profile: --min-secs inf is not between 0 and 86400"),
    ("verify m.edge --rtol x", "edge: verify: --rtol x is not a number"),
    # files whose names look like options
    ("inspect -x.edge", "edge: inspect: '-x.edge' is read as an option (for a file of that name write ./-x.edge)"),
    ("inspect -- -x.edge", "edge: -x.edge: No such file or directory (give the path of an .edge file)"),
    ("inspect zoo:mobilenet_v2", "edge: zoo:mobilenet_v2: No such file or directory (build it first: edge build zoo:mobilenet_v2 --target cpu)"),
    # what the contract names and this version lacks
    ("compare a b", "edge: compare: not supported yet (write both profiles with edge profile --json FILE and compare latency_ms)"),
    (
        "build m.onnx --target cpu --cutoff 0.1",
        "edge: build --cutoff: not supported yet (choose the number of steps by --to-spiking T=auto)",
    ),
    (
        "build m.onnx --target cpu --format=native,nir",
        "edge: --format nir: not supported yet (leave --format out, and run the .edge file)",
    ),
    ("build m.onnx --target cpu --format onxx", "edge: --format onxx: unknown format (did you mean 'onnx'?)"),
]


@pytest.mark.parametrize(("line", "message"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(line: str, message: str, capsys: Out) -> None:
    assert cli.main(line.split()) == 2
    assert capsys.readouterr() == ("", message + "\n")


def test_a_model_is_built_before_it_is_inspected(tmp_path: Path, capsys: Out) -> None:
    for name in ("net.onnx", "net.pt2"):
        path = tmp_path / name
        path.write_bytes(b"PK\3\4 or whatever")
        assert cli.main(["inspect", str(path)]) == 2
        want = f"edge: {path}: is a model, not an .edge file (build it first: edge build {path} --target cpu)\n"
        assert capsys.readouterr() == ("", want)


@pytest.mark.parametrize(("verb", "option"), [(verb, option) for verb, rows in not_yet.OPTIONS.items() for option in rows])
def test_what_is_not_supported_yet_is_not_offered_and_says_what_to_do(verb: str, option: str, capsys: Out) -> None:
    assert option not in {name for param in command_of(verb).params for name in param.opts}
    assert cli.main([verb, "x", option, "y"]) == 2
    assert capsys.readouterr() == ("", f"edge: {verb} {option}: not supported yet ({not_yet.OPTIONS[verb][option]})\n")


def test_no_command_is_both_here_and_not_yet() -> None:
    assert set(VERBS) & set(not_yet.COMMANDS) == set()


def test_nothing_promises_a_later_issue() -> None:
    promise = "later" + " issue"
    places = [path for name in ("sdk", "targets", "converters", "examples", "docs", "README.md") for path in (ROOT / name, *(ROOT / name).rglob("*"))]
    texts = [path for path in places if path.suffix in (".py", ".c", ".h", ".md", ".toml") and path.is_file()]
    assert [str(path) for path in texts if promise in path.read_text()] == []


def read(verb: str, *words: str) -> dict[str, object]:
    check(verb, command_of(verb), words)
    return command_of(verb).make_context(verb, [*words]).params


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["m", "--target", "x", "--input_shape=a_b:1x3", "--input-shape", "c:2"], "input_shape", ("a_b:1x3", "c:2")),
        (["--target=x", "--", "--a_b"], "model", "--a_b"),
        (["m", "--target=-x"], "target", "-x"),
        (["m", "--target", "x", "-ofile"], "output", Path("file")),
        (["m", "--target", "x", "-qo", "file"], "output", Path("file")),
        (["-", "--target", "x"], "model", "-"),
    ],
)
def test_words_as_they_are_read(words: list[str], name: str, value: object) -> None:
    assert read("build", *words)[name] == value


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["m", "--json"], "json", Path("-")),
        (["m", "--json", "--strict"], "json", Path("-")),
        (["m", "--json", "a.json"], "json", Path("a.json")),
        (["m", "--json=a.json"], "json", Path("a.json")),
        (["m", "--json", "-"], "json", Path("-")),
        (["m"], "json", None),
    ],
)
def test_json_may_name_a_file(words: list[str], name: str, value: object) -> None:
    assert read("profile", *words)[name] == value


def test_a_negative_number_is_a_value() -> None:
    assert read("verify", "m.edge", "--rtol", "-1")["rtol"] == -1.0
