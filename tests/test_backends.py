"""`--format onnx` from the command line to figures, and a backend of one's own that touches nothing else."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import edge
from edge import artifact, backends, cli
from edge.artifact.reader import PAYLOAD
from edge.errors import EdgeError
from house import ROOT

Out = pytest.CaptureFixture[str]
slow = pytest.mark.slow
QUICK = ["--runs", "20", "--warmup", "2", "--min-secs", "0"]
SILU_NET = """<ir_version: 10, opset_import: ["": 20]> net (float[1, 4, 6, 6] x) => (float[1, 8, 6, 6] y)
{ c = Conv <pads = [1, 1, 1, 1]> (x, w)  s = Sigmoid (c)  y = Mul (c, s) }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.onnx, a convolution with a SiLU, which the passes make one operator of ours, and m.onnx, which the command line made of it."""
    folder = tmp_path_factory.mktemp("onnx")
    model = onnx.parser.parse_model(SILU_NET)
    weights = np.random.default_rng(1).standard_normal((8, 4, 3, 3)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    onnx.save(model, folder / "net.onnx")
    assert cli.main(["build", str(folder / "net.onnx"), "--target", "cpu", "--format", "onnx", "-o", str(folder / "m.onnx")]) == 0
    return folder


@pytest.fixture
def net(folder: Path) -> Path:
    return folder / "net.onnx"


@pytest.fixture
def bare(folder: Path) -> Path:
    return folder / "m.onnx"


def test_the_bare_file_is_standard_onnx(net: Path, bare: Path) -> None:
    """No operator of ours, no function, nothing beside it; and it computes the same."""
    import onnxruntime as ort

    model = onnx.load(bare)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""} and not model.functions and [o.domain for o in model.opset_import] == [""]
    x = np.random.default_rng(2).standard_normal((1, 4, 6, 6)).astype(np.float32)
    ours, theirs = (ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0] for path in (bare, net))
    assert np.abs(ours - theirs).max() <= 1e-6 * np.abs(theirs).max()


def test_the_same_model_makes_the_same_bytes(net: Path, bare: Path, tmp_path: Path) -> None:
    assert edge.export(net, format="onnx", out=tmp_path / "again.onnx").read_bytes() == bare.read_bytes()


@slow
@pytest.mark.parametrize("opset", [14, 17, 21])
def test_the_bare_file_in_another_opset(opset: int, net: Path, tmp_path: Path) -> None:
    """It was run on the test vectors by the export itself."""
    made = edge.export(net, format="onnx", opset=opset, out=tmp_path / "m.onnx")
    assert [(entry.domain, entry.version) for entry in onnx.load(made).opset_import] == [("", opset)]


@slow
def test_run_takes_a_bare_file(bare: Path, tmp_path: Path, capsys: Out) -> None:
    x = np.random.default_rng(3).standard_normal((1, 4, 6, 6)).astype(np.float32)
    np.savez(tmp_path / "in.npz", x=x)
    assert cli.main(["run", str(bare), "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == ["y", "float32", "1x8x6x6"]
    assert np.load(tmp_path / "out.npz")["y"].shape == (1, 8, 6, 6)


@slow
def test_verify_takes_a_bare_file(net: Path, bare: Path, capsys: Out) -> None:
    assert cli.main(["verify", str(bare), "--against", str(net), "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["good"] and outcome["level"].startswith("onnxruntime ")
    assert [row["link"] for row in outcome["whole"]].count("test vectors → artifact") == 3


@slow
def test_profile_takes_a_bare_file(bare: Path, capsys: Out) -> None:
    assert cli.main(["profile", str(bare), *QUICK, "--json"]) == 0
    profile = json.loads(capsys.readouterr().out)
    assert (profile["artifact"], profile["payload"], profile["latency_ms"]["count"] > 0) == ("m.onnx", "onnx", True)
    assert profile["energy_mj"]["source"] == "its onnx payload reads no meter"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("profile {bare} --per-layer", "its onnx payload does not take --per-layer (leave --per-layer out)"),
        ("profile {bare} --level v3", "its onnx payload does not take --level (leave --level out)"),
        ("profile {bare} --energy ina2xx", "its onnx payload does not take --energy (leave --energy out)"),
        ("verify {bare} --per-layer", "its onnx payload does not take --per-layer (leave --per-layer out)"),
    ],
)
def test_what_another_engine_cannot_is_refused(line: str, message: str, bare: Path, capsys: Out) -> None:
    assert cli.main(line.format(bare=bare).split()) == 2
    assert capsys.readouterr().err == f"edge: {bare}: {message}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--format onnx,onnx -o m.edge", "--format onnx: is asked for twice (name each format once)"),
        ("--format onnx -o m.edge", "m.edge: is not a name for a bare onnx file (-o m.onnx, or --format native,onnx for an .edge file)"),
        ("--format native -o m.onnx", "m.onnx: is a name for a bare .onnx file (--format onnx writes one)"),
        (
            "--format onnx --labels x.txt --emit c",
            "--format onnx: has no place for --labels and --emit (--format native,onnx writes an .edge file that has)",
        ),
        ("--format onnx --stateful h:hn", "--format onnx: has no place for --stateful (--format native,onnx writes an .edge file that has)"),
        ("--opset 17", "--opset 17: is for a bare ONNX file (leave it out, or add --format onnx)"),
        ("--format onnx --opset 3", f"--opset 3: is not an opset that can be written (7 to {onnx.defs.onnx_opset_version()})"),
        (
            "--format onnx --opset 13",
            "--opset 13: ONNX's converter does not reach it: No Adapter From Version $14 for Mul (leave it out: the graph is written in opset 20)",
        ),
        ("--format onxx", "--format onxx: unknown format (did you mean 'onnx'?)"),
        ("--format xyz", "--format xyz: unknown format (known: native, onnx)"),
    ],
)  # fmt: skip
def test_formats_that_cannot_be_are_refused(line: str, message: str, net: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(net.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert cli.main(["build", "net.onnx", "--target", "cpu", *line.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"edge: {message}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx"]


def test_in_python_a_format_that_does_not_run_by_itself_is_refused(net: Path) -> None:
    with pytest.raises(EdgeError) as caught:
        edge.build(net, format="onnx", out=net.with_name("m.edge"))
    assert str(caught.value) == "format='onnx': makes no file that runs by itself (native,onnx, or edge.export for a bare .onnx file)"


@slow
def test_without_the_engine_the_payload_says_what_to_install(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Out) -> None:
    """The Python that runs it has numpy and no ONNX Runtime."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "onnxruntime.py").write_text("raise ImportError('blocked', name='onnxruntime')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "blocked"))
    assert cli.main(["profile", str(bare), *QUICK]) == 3
    message = f"{sys.executable} has no onnxruntime, which this payload needs (install it there: pip install onnxruntime)"
    assert capsys.readouterr().err == f"edge: {bare}: {message}\n"


@slow
def test_a_bare_file_with_an_open_shape_says_how_to_fix_it(tmp_path: Path, capsys: Out) -> None:
    path = tmp_path / "open.onnx"
    text = '<ir_version: 10, opset_import: ["": 20]> net (float[N, 8] x) => (float[N, 8] y) { y = Relu (x) }'
    onnx.save(onnx.parser.parse_model(text), path)
    fixed = f"build {path} --target cpu --format onnx --input-shape x:1x8 -o fixed.onnx"
    assert cli.main(["profile", str(path)]) == 2
    assert capsys.readouterr().err == f"edge: {path}: the shape of its input 'x' is open (fix it: edge {fixed})\n"
    assert cli.main([*fixed.replace("fixed.onnx", str(tmp_path / "fixed.onnx")).split()]) == 0
    assert cli.main(["profile", str(tmp_path / "fixed.onnx"), *QUICK]) == 0


@slow
def test_each_payload_keeps_the_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Out) -> None:
    text = '<ir_version: 10, opset_import: ["": 20]> net (float[1, 4] x, float[1, 4] h) => (float[1, 4] y, float[1, 4] hn) '
    text += "{ s = Add (x, h)  hn = Tanh (s)  y = Exp (hn) }"
    onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    made = edge.build(tmp_path / "net.onnx", format="native,onnx", stateful={"h": "hn"}, out=tmp_path / "m.edge")
    assert [row.levels[-1] for row in made.manifest.checked or ()][-1] == "onnx" and made.manifest.vectors.calls > 1
    monkeypatch.setenv(PAYLOAD, "onnx")
    assert cli.main(["verify", str(made.path)]) == 0
    assert "onnxruntime" in capsys.readouterr().out


@slow
def test_an_index_outside_its_axis_is_one_line(tmp_path: Path, capsys: Out) -> None:
    text = '<ir_version: 10, opset_import: ["": 20]> net (int64[2] i, float[9] x) => (float[2] y) { y = Gather (x, i) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    np.savez(tmp_path / "in.npz", i=np.array([1, 99]), x=np.zeros(9, np.float32))
    assert cli.main(["run", str(tmp_path / "net.onnx"), "--input", str(tmp_path / "in.npz")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "idx=99" in said[0]


def test_no_module_outside_the_backends_asks_for_a_format() -> None:
    asks = re.compile(r"""(?<!image\.)(format|payload)\w*(\.\w+)? (==|!=|in) \(?["']""")
    places = [path for path in (ROOT / "sdk").rglob("*.py") if "backends" not in path.parts]
    assert [str(path) for path in places if asks.search(path.read_text())] == []


TOY = '''
"""y = factor x, as JSON, run by Python."""
import json
from pathlib import Path

import onnx
from onnx import numpy_helper

from edge import converters
from edge.artifact.manifest import Payload
from edge.backends import python
from edge.backends.interface import Built
from edge.verify.selfcheck import check_payload

ENGINE = b"""
import json
from edge.backends.python.runner import Engine

def open_engine(archive, outputs, threads):
    factor = json.loads(archive.read("model.toy"))["factor"]
    return Engine("toy 1", lambda inputs: [array * array.dtype.type(factor) for array in inputs.values()])
"""
GRAPH = """<ir_version: 10, opset_import: ["": 20]> net (float[2, 8] x) => (float[2, 8] y)
<float two = {{{factor}}}> {{ y = Mul (x, two) }}"""


class Toy:
    kind, format, suffix, leads, passes = "cpu", "toy", ".toy", False, ("drop_unused",)

    def build(self, task):
        return self.wrapped(self.bare(task))

    def bare(self, task):
        constants = [value.const_value for value in task.graph.graph.initializers.values()]
        return json.dumps({"factor": float(constants[0].numpy())}).encode()

    def load(self, path):
        data = Path(path).read_bytes()
        return data, converters.read(onnx.parser.parse_model(GRAPH.format(factor=json.loads(data)["factor"])))

    def wrapped(self, bare):
        files = python.files("toy", ENGINE) | {"model.toy": bare}
        return Built(Payload("toy", "cpu", tuple(sorted(files)), python.FRONT, ("--payload", "toy")), files, program=python.PROGRAM)

    def check(self, file, profile):
        return check_payload(file)


BACKEND = Toy()
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A backend in a folder of its own, and a model for it."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "toy.py").write_text(TOY)
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path / "more")])
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 20]> net (float[2, 8] x) => (float[2, 8] y) { y = Mul (x, two) }')
    model.graph.initializer.append(helper.make_tensor("two", onnx.TensorProto.FLOAT, [], [2.0]))
    onnx.save(model, tmp_path / "net.onnx")
    yield tmp_path
    sys.modules.pop("edge.backends.toy", None)


def test_a_backend_of_ones_own_is_one_file(toy: Path, capsys: Out) -> None:
    """Its bare file is built, checked, run, verified and profiled."""
    out = toy / "m.toy"
    assert cli.main(["build", str(toy / "net.onnx"), "--target", "cpu", "--format", "toy", "-o", str(out)]) == 0
    assert json.loads(out.read_text()) == {"factor": 2.0}
    np.savez(toy / "in.npz", x=np.full((2, 8), 3, np.float32))
    assert cli.main(["run", str(out), "--input", str(toy / "in.npz"), "--output", str(toy / "out.npz")]) == 0
    assert (np.load(toy / "out.npz")["y"] == 6).all()
    assert cli.main(["verify", str(out)]) == 0
    capsys.readouterr()
    assert cli.main(["profile", str(out), *QUICK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["level"] == "toy 1"


@slow
def test_a_payload_that_computes_something_else_leaves_no_file(toy: Path, capsys: Out) -> None:
    (toy / "more" / "toy.py").write_text(TOY.replace("type(factor)", "type(factor + 1)"))
    assert cli.main(["build", str(toy / "net.onnx"), "--target", "cpu", "--format", "toy", "-o", str(toy / "m.toy")]) == 1
    message = "m.toy: its toy payload: output 'y' of test vector 0 differs from the model by 0.5"
    assert capsys.readouterr().err.splitlines()[-1] == f"edge: {message} (a mistake of ours: edge build --dump DIR shows every stage)"
    assert not (toy / "m.toy").exists()


TOY_GPU = (
    TOY
    + """
from edge.backends.interface import Core
from edge.graph.writing import to_bytes
from edge.pipeline.bare import interface
from edge.verify.expected import expected_outputs


class Gpu(Toy):
    kind, format, suffix, leads = "gpu", "native", "", True

    def build(self, task):
        plan = interface(task.graph)
        core = Core(python.PROGRAM, b"", to_bytes(task.graph), plan, expected_outputs(task.source, plan))
        files = python.files("toy", ENGINE) | {"model.toy": self.bare(task)}
        return Built(Payload("native", "gpu", tuple(sorted(files)), python.FRONT, ("--payload", "toy")), files, core=core)


BACKEND = Gpu()
"""
)


@slow
def test_a_backend_for_another_kind_of_hardware_is_one_file(toy: Path, capsys: Out) -> None:
    """The target's profile is of kind gpu: nothing else changes on the way to a verified artifact."""
    (toy / "more" / "toy.py").write_text(TOY_GPU)
    assert cli.main(["build", str(toy / "net.onnx"), "--target", "videocore-vii", "-o", str(toy / "m.edge"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["payloads"] == ["native"]
    assert artifact.open(toy / "m.edge").manifest.target == "videocore-vii"
    assert cli.main(["build", str(toy / "net.onnx"), "--target", "videocore-vii", "-o", str(toy / "m.edge")]) == 0
    assert "for videocore-vii" in capsys.readouterr().out
    assert cli.main(["verify", str(toy / "m.edge")]) == 0
    assert cli.main(["inspect", str(toy / "m.edge")]) == 0
    capsys.readouterr()
    assert cli.main(["profile", str(toy / "m.edge"), *QUICK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["payload"] == "native"


@slow
def test_one_file_with_three_payloads(toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    """Each is run and checked by the build; weights exist once; EDGE_PAYLOAD chooses."""
    made = edge.build(toy / "net.onnx", target="cpu", format="native,onnx,toy", out=toy / "m.edge")
    assert [payload.format for payload in made.manifest.payloads] == ["native", "onnx", "toy"]
    assert made.manifest.checked and {level for row in made.manifest.checked for level in row.levels} >= {"onnx", "toy"}
    with zipfile.ZipFile(toy / "m.edge") as archive:
        assert [name for name in archive.namelist() if name.endswith((".onnx", ".bin"))] == ["weights.bin", "expected.bin", "graph.onnx"]
    for format, level in (("native", made.manifest.levels[0]), ("onnx", "onnxruntime"), ("toy", "toy 1")):
        monkeypatch.setenv(PAYLOAD, format)
        capsys.readouterr()
        assert cli.main(["verify", str(toy / "m.edge"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["level"].startswith(level)
        assert cli.main(["profile", str(toy / "m.edge"), *QUICK, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["payload"] == format
    monkeypatch.setenv(PAYLOAD, "tflite")
    with pytest.raises(EdgeError) as caught:
        artifact.open(toy / "m.edge").payload.format  # noqa: B018
    assert str(caught.value) == f"{toy}/m.edge: holds no payload 'tflite' (EDGE_PAYLOAD may be native or onnx or toy)"
