"""`edge inspect --count` on the hand-made program of tiny.py built for a Raspberry Pi 4, and every way in which it is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from edge import measure, report, targets
from edge.cli import main
from edge.errors import EdgeError, ToolFailed
from edge.measure import Executed
from edge.measure.counting import cpu_of
from edge.report.count_lines import cells
from edge.report.table import Shown
from edge.targets import toolchain

Tool = Callable[[str, str], str]
Out = pytest.CaptureFixture[str]
NOTHING = "typedef int no_steps_of_this_level;\n"
LAYER = measure.CountedLayer("a\x1b[31m", "Conv", "conv_f32", 1000, 500, Executed(int_alu=100, load=100, fmla=300, mac_lanes=1200, loaded_bytes=1600))


@pytest.fixture(scope="module")
def pi_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    profile, folder = targets.load("rpi4"), tmp_path_factory.mktemp("pi")
    files = {f"steps_{level.name}.c": NOTHING for level in profile.levels} | {"program.c": tiny.PROGRAM.read_text()}
    program = toolchain.compile_program(profile, files, folder / "work").program
    return tiny.write(folder / "tiny.edge", executable=program, files={}, target="rpi4")


@pytest.fixture
def qemu(tool: Tool) -> str:
    return tool("qemu-aarch64", "apt-get install qemu-user")


@pytest.mark.slow
def test_every_layer_is_counted_and_twice_the_same(pi_file: Path, qemu: str) -> None:
    counts = measure.count(pi_file)
    assert counts == measure.count(pi_file)
    assert [(layer.name, layer.op, layer.macs) for layer in counts.layers] == [("y", "Mul 2", 1024), ("z", "Add", 0), ("s", "ReduceSum", 0)]
    assert counts.total.instructions == sum(layer.instructions for layer in counts.layers) == sum(counts.total.executed.classes().values())
    assert (counts.artifact, counts.target, counts.cpu) == ("tiny.edge", "rpi4", "cortex-a72")
    twice, added, summed = (layer.executed for layer in counts.layers)
    assert twice.stored_bytes >= 4096 and added.loaded_bytes >= 8192 and 4096 <= summed.loaded_bytes < 8192


@pytest.mark.parametrize(
    ("target", "cpu"), [("rpi3", "cortex-a53"), ("rpi5", "cortex-a76"), ("arm64", "cortex-a53"), ("a board of yours", "cortex-a72")]
)
def test_the_emulated_cpu_is_the_targets_lowest(target: str, cpu: str) -> None:
    assert cpu_of(target) == cpu


@pytest.mark.slow
def test_the_command_prints_a_table_or_json(pi_file: Path, qemu: str, capsys: Out) -> None:
    assert main(["inspect", str(pi_file), "--count", "--cpu", "cortex-a53"]) == 0
    table = capsys.readouterr().out
    assert table.startswith("file     tiny.edge, target rpi4, level ") and " -cpu cortex-a53\n" in table
    assert main(["inspect", str(pi_file), "--count", "--json"]) == 0
    assert [layer["name"] for layer in json.loads(capsys.readouterr().out)["layers"]] == ["y", "z", "s"]


def test_the_table_shows_ratios_and_no_escape_of_the_model() -> None:
    counts = measure.Counts("a.edge", "rpi4", "base", "cortex-a72", "qemu", replace(LAYER, name="total", op=""), (LAYER,))
    lines = report.counts_text(counts).splitlines()
    assert max(map(len, lines)) <= 80 and lines[6].split() == ["0", "a", "[31m", "Conv", "1.00", "k", "500", "0.500", "1.200", "0.100"]
    wide = report.counts_text(counts, Shown(width=0)).splitlines()
    assert wide[6].split() == ["0", "a", "[31m", "Conv", "1.00", "k", "500", "0.500", "1.200", "0.100", "1.600", "0.000", "a", "[31m"]
    assert lines[7].split() == ["total", "1.00", "k", "500", "0.500", "1.200", "0.100"]
    assert [line.split() for line in lines[11:]] == [["fmla", "300", "60.0%"], ["int_alu", "100", "20.0%"], ["load", "100", "20.0%"]]
    assert cells(("0", replace(LAYER, macs=0)))[5:10] == ("-",) * 5


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "tiny.edge", target="x86-64")
    with pytest.raises(EdgeError) as caught:
        measure.count(path)
    assert str(caught.value) == f"{path}: is built for x86-64; instructions are counted on 64-bit Arm only (build it with --target arm64)"


@pytest.mark.parametrize("option", ["--cpu", "--level"])
def test_an_option_of_counting_needs_it(option: str, capsys: Out) -> None:
    assert main(["inspect", "a.edge", option, "max"]) == 2
    assert capsys.readouterr().err == f"edge: {option}: belongs to --count, and the file is not run without it (add --count)\n"


@pytest.mark.slow
def test_without_the_emulator_it_says_what_to_install(pi_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Out) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["inspect", str(pi_file), "--count"]) == 3
    assert capsys.readouterr().err == "edge: qemu-aarch64: is not installed, and instructions are counted under it (apt-get install qemu-user)\n"


STEP = json.dumps(dict.fromkeys(Executed.__dataclass_fields__, 1))
RAN = """echo '{"level": "base", "steps": 3}'"""
#: what an emulator does instead of emulating; what is said then, {file} being the artifact
EMULATORS = [
    (
        "echo \"qemu: unknown option 'plugin'\" >&2; exit 1",
        "qemu-aarch64: takes no plugins: it is the static build (apt-get install qemu-user, and take qemu-user-static away)",
    ),
    ("echo 'qemu-aarch64: out of luck' >&2; exit 1", "qemu-aarch64: out of luck (qemu-aarch64 -cpu help lists its CPUs)"),
    ("echo 'edge: --count: no such option (--help lists them)' >&2; exit 2", "{file}: --count: no such option (--help lists them)"),
    ("exit 4", "qemu-aarch64: it ended with code 4 and said nothing (qemu-aarch64 -cpu help lists its CPUs)"),
    ("exit 0", "{file}: no JSON but '' came from counting it (build it again with this edge)"),
    (RAN, "{file}: no JSON but '' came from counting it (build it again with this edge)"),
    ('echo \'{"level": 3, "steps": 3}\'', "{file}: counts.level: int instead of str (build it again with this edge)"),
    (
        f"""{RAN}; echo '{{"ordered": true, "outside": {STEP}, "steps": [{STEP}]}}' > counts.json""",
        "{file}: 1 of its 3 steps were counted (build it again with this edge)",
    ),
    (
        f"""{RAN}; echo '{{"ordered": false, "outside": {STEP}, "steps": [{STEP}, {STEP}, {STEP}]}}' > counts.json""",
        "{file}: its steps were not counted one after another (build it again with this edge)",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("script", "message"), EMULATORS, ids=range(len(EMULATORS)))
def test_an_emulator_that_does_not_count_is_one_line(
    pi_file: Path, script: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "qemu-aarch64"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(EdgeError) as caught:
        measure.count(pi_file)
    assert (str(caught.value), caught.value.exit_code) == (message.format(file=pi_file), 2 if "no such option" in message else 3)


#: what is asked for, what the real emulator or the program says
ASKED = [
    ({"cpu": "cortex-a7000"}, "qemu-aarch64: unable to find CPU model 'cortex-a7000' (qemu-aarch64 -cpu help lists its CPUs)"),
    ({"level": "v3"}, "{file}: level 'v3' is not in this file (--info lists its levels)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "message"), ASKED, ids=["cpu", "level"])
def test_what_is_not_there_is_refused_in_one_line(pi_file: Path, options: dict[str, str], message: str, qemu: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        measure.count(pi_file, **options)
    assert str(caught.value) == message.format(file=pi_file)


def test_a_program_for_another_machine_has_no_markers(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "tiny.edge")
    done = subprocess.run([str(path), "--count"], capture_output=True, text=True)
    line = "edge: --count: this program is not for 64-bit Arm, the only machine that has markers (build it with --target arm64)\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
