"""`edge build`: the file it makes, what lies beside it, and what every refusal leaves behind, which is nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edge
from edge import cli
from edge.artifact.reader import open_artifact
from edge.backends import cpu
from edge.errors import EdgeError, ToolFailed
from edge.pipeline import building
from edge.targets import toolchain
from graphs import Weights, proto

NET = """(float[1,3,8,8] x) => (float[1,5] y)
    { c = Conv <pads=[1,1,1,1]> (x, w) a = Relu (c) g = GlobalAveragePool (a) f = Flatten (g) y = Gemm <transB=1> (f, v) }"""
WEIGHTS: Weights = {"w": (20, 3, 3, 3), "v": (5, 20)}
slow = pytest.mark.slow


def model(path: Path, text: str = NET, weights: Weights | None = None) -> Path:
    onnx.save(proto(text, WEIGHTS if weights is None else weights), path)
    return path


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.onnx and all that a build with every option leaves."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    words = ["--emit", "c", "--dump", f"{folder}/stages", "--labels", f"{folder}/labels.txt", "-o", f"{folder}/net.edge"]
    words += ["--preprocess", "imagenet,resize=8,crop=8"]
    assert cli.main(["build", str(model(folder / "net.onnx")), "--target", "cpu", *words]) == 0
    return folder


@slow
def test_the_file_runs(built: Path) -> None:
    done = subprocess.run([str(built / "net.edge"), "--verify", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["good"] is True
    assert [name for name in listing(built) if "/" not in name] == ["labels.txt", "net-c", "net.edge", "net.onnx", "stages"]


@slow
def test_recipe_and_labels_are_stored(built: Path) -> None:
    made = open_artifact(built / "net.edge")
    assert made.read("labels.txt") == b"a\nb\nc\nd\ne\n"
    assert made.manifest.preprocess is not None
    assert made.manifest.inputs[0].shape == (1, 3, 8, 8)


@slow
def test_every_stage_runs_on_onnx_runtime(built: Path) -> None:
    x = {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    stages = sorted((built / "stages").glob("*.onnx"))
    results = [onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, x)[0] for path in stages]
    assert len(stages) > 10
    for result in results:
        np.testing.assert_allclose(result, results[0], rtol=1e-4, atol=1e-5)
    assert json.loads((built / "stages" / "plan.json").read_text())["outputs"] == ["y"]
    assert (built / "stages" / "c" / "program.c").exists()


@slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize(
    "flags",
    [["-O1"], ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], ["-O1", "-fsanitize=thread"]],
    ids=["plain", "asan", "tsan"],
)
def test_the_c_builds_by_its_readme(built: Path, tmp_path: Path, flags: list[str]) -> None:
    folder = built / "net-c"
    lines = [line.split() for line in (folder / "README.md").read_text().splitlines() if line.startswith("    ")]
    assert [lines[0][0], *lines[0][4:6], lines[1]] == ["gcc", "-I.", "*.c", ["./runner", "--file", "net.edge", "--verify"]]
    sources = sorted(path.name for path in folder.glob("*.c"))
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", *flags]
    subprocess.run(["gcc", *strict, "-I.", *sources, "-lm", "-lpthread", "-o", str(tmp_path / "runner")], cwd=folder, check=True)
    done = subprocess.run([str(tmp_path / "runner"), "--file", str(built / "net.edge"), "--verify", "--threads", "3"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "weights.bin").read_bytes() == open_artifact(built / "net.edge").read("weights.bin")


@slow
def test_the_bytes_do_not_depend_on_the_place(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name in ("here", "there and farther"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        model(Path("net.onnx"))
        assert cli.main(["build", "net.onnx", "--target", "cpu", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["artifact"], said["target"]) == ("net-cpu.edge", "cpu")
        assert listing(Path()) == ["net-cpu.edge", "net.onnx"]
        files.append(Path("net-cpu.edge").read_bytes())
    assert files[0] == files[1]
    assert str(tmp_path).encode() not in files[0]


REFUSALS: list[tuple[str, str]] = [
    ("--target cqu", "target 'cqu': unknown (did you mean 'cpu'? targets: arm64, cpu, rpi-zero2w, rpi3, rpi4, rpi5, x86-64)"),
    ("--target cpu --precision int8", "--precision int8: not supported yet (leave it out: fp32 is built)"),
    ("--target cpu --precision fp23", "--precision fp23: unknown precision (did you mean 'fp32'?)"),
    ("--target cpu --format onxx", "--format onxx: unknown format (did you mean 'onnx'?)"),
    (
        "--target cpu --format tflite",
        "--format tflite: not supported yet (leave --format out, and run the .edge file; or convert the model by its own framework's tools)",
    ),
    ("--target cpu --tune", "build --tune: not supported yet (leave it out: kernels are chosen for the target)"),
    ("--target cpu --calib x.npz", "--calib: is for --to-spiking (leave it out)"),
    ("--target cpu --threads 0", "build --threads: not supported yet (any file runs with any number: give --threads to edge run or edge profile)"),
    ("--target cpu -o DIR", "DIR: is a folder (-o DIR/model.edge)"),
    ("--target cpu -o .", ".: is a folder (-o model.edge)"),
    ("--target cpu -o DIR/none/x.edge", "DIR/none: does not exist (choose another -o)"),
    ("--target cpu -o DIR/net.onnx/x.edge", "DIR/net.onnx: is no folder (choose another -o)"),
    ("--target cpu -o . --emit c", ".: is a folder (-o model.edge)"),
    ("--target cpu --dump DIR/net.onnx", "DIR/net.onnx: cannot be made a folder: File exists (name a folder that is there or can be made)"),
    ("--target cpu -o DIR/net.edge --emit c", "DIR/net-c: is not a folder (move it away: --emit c writes a folder of that name)"),
    ("--target cpu --labels DIR/none", "DIR/none: is not a text file that can be read (one class name a line, UTF-8)"),
    ("--target cpu --labels DIR/latin", "DIR/latin: is not a text file that can be read (one class name a line, UTF-8)"),
    ("--target cpu --labels DIR/empty", "DIR/empty: is empty or larger than 1 MiB (one class name a line)"),
]


@pytest.mark.parametrize(("line", "message"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_a_refusal_is_one_line_and_leaves_nothing(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model(tmp_path / "net.onnx")
    (tmp_path / "latin").write_bytes(b"Fu\xdf\n")
    (tmp_path / "net-c").write_text("")
    (tmp_path / "empty").write_text("\n")
    before = listing(tmp_path)
    assert cli.main(["build", "net.onnx", *line.replace("DIR", str(tmp_path)).split()]) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[-1]) == ("", f"edge: {message.replace('DIR', str(tmp_path))}")
    assert listing(tmp_path) == before


MODELS: list[tuple[str, Mapping[str, object], str]] = [
    (
        NET,
        {"w": np.full((20, 3, 3, 3), np.nan, np.float32), "v": (5, 20)},
        "net: weight 'w' has 540 values that are NaN or infinite (the training diverged or the file is damaged)",
    ),
    ("(float[0,3] x) => (float[0,3] y) { y = Relu (x) }", {}, "net: tensor 'x' has no elements: shape (0, 3) (a dimension is zero)"),
    (
        "(float[1,3,a,b] x) => (float[1,3,a,b] y) { y = Relu (x) }",
        {},
        "net.onnx: the shape of this input is open: 'x' [1,3,a,b] (--input-shape x:1x3x224x224)",
    ),
]


@pytest.mark.parametrize(("text", "weights", "message"), MODELS)
def test_a_model_that_cannot_be_built(text: str, weights: Weights, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(tmp_path / "net.onnx", text, weights)
    assert cli.main(["build", str(path), "--target", "cpu", "-o", str(tmp_path / "net.edge")]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert err == f"edge: {message}"
    assert listing(tmp_path) == ["net.onnx"]


def test_ops_without_a_kernel_are_listed_at_once(tmp_path: Path) -> None:
    path = model(
        tmp_path / "net.onnx", "(float[1,3,8,8] x) => (float[1,3,8,8] y) { a = Bernoulli (x) b = RandomNormalLike (a) y = Bernoulli (b) }", {}
    )
    with pytest.raises(EdgeError) as error:
        edge.build(path, out=tmp_path / "net.edge")
    assert str(error.value) == (
        "net: cannot be built for cpu: 1. Bernoulli (node 'a'; node 'y'): has no kernel "
        "(draw the numbers before the network and give them as an input); "
        "2. RandomNormalLike (node 'b'): has no kernel (draw the numbers before the network and give them as an input)"
    )
    assert listing(tmp_path) == ["net.onnx"]


def test_a_compiler_that_fails_is_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(arguments: list[str], folder: Path) -> None:
        (folder / "broken.c").write_text("#error this cannot be compiled\n")
        real(["-c", "broken.c"], folder)

    real = toolchain.zig
    monkeypatch.setattr(toolchain, "zig", fails)
    path = model(tmp_path / "net.onnx")
    words = ["build", str(path), "--target", "cpu", "-o", str(tmp_path / "net.edge"), "--emit", "c"]
    assert cli.main(words) == 3
    err = capsys.readouterr().err.splitlines()[-1]
    assert err.startswith("edge: zig cc: exit code 1: broken.c:1:2: error: ") and err.endswith(" (edge doctor checks the compiler)"), err
    assert listing(tmp_path) == ["net.onnx"]


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(toolchain, "zig", interrupted)
    path = model(tmp_path / "net.onnx")
    assert cli.main(["build", str(path), "--target", "cpu", "-o", str(tmp_path / "net.edge"), "--emit", "c"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "edge: interrupted"
    assert listing(tmp_path) == ["net.onnx"]


@slow
def test_a_file_that_fails_its_check_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = cpu.expected_outputs

    def moved(*arguments: object) -> object:
        answers = real(*arguments)  # type: ignore[arg-type]
        return replace(answers, arrays=tuple(array + 1 for array in answers.arrays))

    monkeypatch.setattr(cpu, "expected_outputs", moved)
    path = model(tmp_path / "net.onnx")
    (tmp_path / "net.edge").write_text("an older good file")
    assert cli.main(["build", str(path), "--target", "cpu", "-o", str(tmp_path / "net.edge"), "--emit", "c"]) == 1
    err = capsys.readouterr().err.splitlines()[-1]
    assert err.startswith("edge: net.edge: output 'y' of test vector 0 differs from the model by ")
    assert err.endswith(f" (a mistake of ours: please report it with the folder {tmp_path}/net-failed-check)")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net-failed-check", "net.edge", "net.onnx"]
    assert (tmp_path / "net.edge").read_text() == "an older good file"


def test_a_missing_compiler_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(ToolFailed) as error:
        toolchain.version()
    assert str(error.value) == "zig cc: the ziglang package is not installed (pip install ziglang==0.17.0)"


def test_labels_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\n" * (1 << 20))
    with pytest.raises(EdgeError) as error:
        edge.build(model(tmp_path / "net.onnx"), labels=tmp_path / "labels.txt", out=tmp_path / "net.edge")
    assert str(error.value) == f"{tmp_path}/labels.txt: is empty or larger than 1 MiB (one class name a line)"


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building.os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(EdgeError) as error:
        edge.build(model(tmp_path / "net.onnx"), out=tmp_path / "net.edge")
    assert str(error.value) == f"{tmp_path}: cannot be written to (choose another out=)"


@slow
def test_onnx_files_need_no_torch(tmp_path: Path) -> None:
    """What the core install lacks is blocked: torch, onnxscript, ONNX Runtime, Pillow."""
    file, made = str(model(tmp_path / "net.onnx")), str(tmp_path / "net.edge")
    code = (
        "import sys\nfor name in ('torch', 'onnxscript', 'onnxruntime', 'PIL'): sys.modules[name] = None\n"
        "from edge.cli import main\n"
        f"code = main(['build', {file!r}, '--target', 'cpu', '-o', {made!r}])\n"
        f"sys.exit(code or main(['verify', {made!r}, '--per-layer', '--against', {file!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "good, largest error of an output" in done.stdout
