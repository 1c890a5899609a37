"""Whole screens at 80 columns, as a person reads them; sorting, --top and --wide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny
from edge import artifact, report
from edge.artifact.plan_json import plan_to_json
from edge.cli import main
from edge.measure.figures import Energy, Hygiene, Latency, Layer, Machine, Profile
from edge.report.answers import answers_facts, answers_text
from edge.report.table import Column, Shown, amount, facts, fitted, ranked, size
from edge.report.verify_lines import verify_text
from edge.verify import Comparison, Outcome
from edge.verify.comparison import Tolerance
from edge.words.plan import Plan

Out = pytest.CaptureFixture[str]
SCOPES = ("features.3.conv.1", "", "head.a_module_with_a_very_long_name.and_another_one_in_it.linear")


def plan() -> Plan:
    """The tiny program's, with the modules that its steps belong to."""
    made = tiny.plan()
    return replace(made, steps=tuple(replace(step, scope=scope) for step, scope in zip(made.steps, SCOPES, strict=True)))


@pytest.fixture
def edge_file(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "tiny.edge", plan=plan_to_json(plan()), executable=b"\x7fELF", files={}, target="rpi4", levels=["a72"])


INSPECT = """\
name       tiny
target     rpi4, levels a72
precision  fp32
model      net.py:tiny  sha256 0000000000000000…
built by   edge 0.1.0, gcc 12 -O1
payloads   native
arena      4.10 kB of working memory, taken once
work       1.02 k multiply-adds in 3 steps
vectors    2 by splitmix64, seed 7, rtol 1e-06
checked    not by the build
input      x: float32 [4, 256]
output     z: float32 [4, 256]
output     s: float32 [4]

count    MACs  op
-----  ------  ---------
    1  1.02 k  Mul 2
    1       0  Add
    1       0  ReduceSum

step  layer                            op         output    MACs    moved     ms
----  -------------------------------  ---------  ------  ------  -------  -----
   0  features.3.conv.1                Mul 2      4x256   1.02 k  8.19 kB  0.002
   1  z                                Add        4x256        0  12.3 kB  0.002
   2  …e.and_another_one_in_it.linear  ReduceSum  4            0  4.10 kB  0.002
MACs: multiply-adds.  moved: bytes read and written.  ms: modelled, one core.
"""


def test_inspect(edge_file: Path, capsys: Out) -> None:
    assert main(["inspect", str(edge_file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index(INSPECT.splitlines()[-1])
    assert [line for line in lines[: at + 1] if not line.startswith("file ")] == INSPECT.splitlines()
    assert [line.split()[0] for line in lines[at + 2 :]][2:] == ["(program)", "weights.bin", "expected.bin", "manifest.json", "graph.onnx"]


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ([], ["0", "1", "2"]),
        (["--sort", "bytes"], ["1", "0", "2"]),
        (["--sort", "macs", "--top", "1"], ["0", "(2"]),
        (["--top", "2", "--sort", "order"], ["0", "1", "(1"]),
    ],
)
def test_steps_are_sorted(words: list[str], order: list[str], edge_file: Path, capsys: Out) -> None:
    assert main(["inspect", str(edge_file), *words]) == 0
    text = capsys.readouterr().out.split("\n\n")[2]
    assert [line.split()[0] for line in text.splitlines()[2:-1]] == order


def test_wide_cuts_nothing(edge_file: Path, capsys: Out) -> None:
    assert main(["inspect", str(edge_file), "--wide"]) == 0
    text = capsys.readouterr().out
    assert f"{SCOPES[2]}  ReduceSum" in text and artifact.open(edge_file).manifest.program.sha256 in text


def test_a_wider_terminal_shows_more(edge_file: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["inspect", str(edge_file)]) == 0
    assert "ms  source    kernel\n" in capsys.readouterr().out


def test_counted_columns_are_not_those_of_inspect(edge_file: Path, capsys: Out) -> None:
    assert main(["inspect", str(edge_file), "--sort", "instructions"]) == 2
    assert capsys.readouterr().err == "edge: --sort: 'instructions' is not shown without --count (--sort order|time|macs|bytes)\n"


def test_predict(edge_file: Path, capsys: Out) -> None:
    assert main(["predict", str(edge_file), "--per-layer"]) == 0
    facts_of, layers = capsys.readouterr().out.split("\n\n")
    assert max(map(len, f"{facts_of}\n{layers}".splitlines())) <= 80
    assert [line[:8].strip() for line in facts_of.splitlines() if line[0] != " "] == ["model", "target", "latency", "energy", "memory", "bound by"]
    assert layers.splitlines()[0].split() == ["ms", "mJ", "bound", "by", "MACs", "DRAM", "op", "layer"]
    assert [line.split()[-1] for line in layers.splitlines()[2:]][:2] == ["features.3.conv.1", "z"]


VERIFY = """\
tiny.edge  level v3
error: the largest difference, as a share of the largest value; good is an error
of at most 1e-05

       compared                    error    cosine  output
-----  -----------------------  --------  --------  -----------
good   test vectors → artifact     1e-07         -  y, vector 0
WRONG  graph → artifact         0.000123  0.999000  y

       compared          error    cosine  layer       source
-----  ----------------  -----  --------  ----------  ---------
WRONG  graph → artifact    0.5  0.100000  hardtanh_7  net.py:12
(1 more is not shown)

WRONG: 2 of 4 comparisons, largest error of an output 0.000123
"""


def test_verify() -> None:
    whole = (
        Comparison("test vectors → artifact", "y, vector 0", 1e-7, float("nan"), True, True),
        Comparison("graph → artifact", "y", 1.23456e-4, 0.999, True, False),
    )
    layers = (
        Comparison("graph → artifact", "getitem_6", 1e-7, 1.0, True, True, "net.py:12"),
        Comparison("graph → artifact", "hardtanh_7", 0.5, 0.1, True, False, "net.py:12"),
    )
    outcome = Outcome("tiny.edge", "v3", Tolerance(1e-5), whole, layers)
    scopes = {"getitem_6": "features.3.conv.1"}
    assert verify_text(outcome, scopes, Shown(1, "error")) == VERIFY
    assert "features.3.conv.1" in verify_text(outcome, scopes)


PROFILE = """\
tiny.edge  fp32, level v4, 1 thread, on local: a CPU

init              1.500 ms    opening the file, once
first             2.500 ms    the first inference, with cold caches
warm-up           2.250 ms    mean of the 10 inferences after it
steady p50        2.000 ms    p90 2.500   p99 3.000
       min        1.000 ms    mean 2.000   std 0.250   100 runs
speed             10.00 GMAC/s
memory            20.50 MB    arena 6.02 MB, weights 14.0 MB, file 14.3 MB
energy                -       no meter here; target 'cpu': its profile lacks
             power figures
stable       NO: others used 1.0 of 2 CPUs just before

    ms  share    MACs  GMAC/s    moved  op           layer
------  -----  ------  ------  -------  -----------  ---------------------------
1.5000  75.0%  20.0 M    13.3  1.00 MB  Conv + Clip  features.18.0
0.5000  25.0%       0     0.0    512 B  Softmax      …nd_another_one_in_it.layer
"""


def test_profile() -> None:
    layers = (
        Layer("softmax", "Softmax", 0.5, 0, 512, "v4", "fp32", "head.a_module_with_a_very_long_name.and_another_one_in_it.layer"),
        Layer("hardtanh_7", "Conv + Clip", 1.5, 20_000_000, 1_000_000, "v4", "fp32", "features.18.0"),
    )
    profile = Profile(
        artifact="tiny.edge", target="cpu", device="local", precision="fp32", level="v4", threads=1, warmup=10,
        latency_ms=Latency(2.0, 2.5, 3.0, 1.0, 2.0, 0.25, 100), init_ms=1.5, first_ms=2.5, warmup_ms=2.25, peak_rss_mb=20.5,
        artifact_bytes=14_330_000, arena_bytes=6_020_000, weights_bytes=14_000_000, macs=20_000_000,
        energy_mj=Energy(source="no meter here; target 'cpu': its profile lacks power figures"),
        hygiene=Hygiene(0, 0, 0, 2, None, 0, 0, False, ("others used 1.0 of 2 CPUs just before",)),
        layers=layers, machine=Machine("a CPU", 2, "6.1"), toolchain="zig", model_sha256="",
    )  # fmt: skip
    assert report.profile_text(profile, Shown(None, "time")) == PROFILE


def test_a_table_fits_whatever_is_in_it() -> None:
    columns = (Column("a", right=True), Column("name", cut=True), Column("more", extra=True), Column("last", cut=True), Column("all", wide=True))
    row = ("1", "n" * 200, "m" * 30, "l" * 200, "w" * 90)
    for width in range(40, 140, 7):
        assert max(map(len, fitted(columns, [row], width).splitlines())) <= width
    assert "m" not in fitted(columns, [row], 60).splitlines()[2] and "m" * 30 in fitted(columns, [row], 120)
    assert fitted(columns, [row], 0).splitlines()[2].split() == list(row)


def test_equal_keys_stay_in_order() -> None:
    text = ranked((Column("x"),), ["b", "a", "c"], lambda x: (x,), {"key": lambda x: 1.0}, Shown(2, "key"))
    assert text.splitlines()[2:] == ["b", "a", "(1 more is not shown)"]


def test_long_facts_go_on_below() -> None:
    text = facts([("built by", "word " * 14)], 60)
    assert text.splitlines() == ["built by  " + "word " * 9 + "word", "          " + "word " * 3 + "word"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1024, "1.02 k"),
        (300_774_272, "301 M"),
        (999_700, "1.00 M"),
        (99_960, "100 k"),
        (4.1e9, "4.10 G"),
        (2e12, "2.00 T"),
        (5e15, "5000 T"),
    ],
)
def test_amounts_for_people(count: float, text: str) -> None:
    assert amount(count) == text


def test_no_size_is_zero_point_zero() -> None:
    assert {size(count) for count in (1, 20, 5000)} == {"1 B", "20 B", "5.00 kB"}


SCORES = np.log(np.array([[0.05, 0.6, 0.05, 0.2, 0.05, 0.05]], np.float32))
LOGITS = """\
5 best of 6 classes by output 'y', probability = softmax of the scores

probability     score  class  label
-----------  --------  -----  -----
     60.00%  -0.51083      1  b
     20.00%   -1.6094      3  d
      5.00%   -2.9957      0  a
      5.00%   -2.9957      2  c
      5.00%   -2.9957      4  e
"""
PROBABILITIES = """\
all 3 classes by output 'y', the scores are probabilities

probability  score  class
-----------  -----  -----
     70.00%    0.7      2
     20.00%    0.2      1
     10.00%    0.1      0
"""
RANGES = """\
output  type     shape       min  mean  max  argmax
------  -------  ----------  ---  ----  ---  ------
map     float32  1x2x2         0   1.5    3       -
label   int64    1x3           1     4    9       1
bad     float32  2             7     7    7       1
one     float32  one number    5     5    5       -

bad: 1 of 2 values are NaN or infinite, the range is that of the others
"""


def test_classes_with_labels() -> None:
    assert answers_text({"y": SCORES}, list("abcdef"), picture=False) == LOGITS
    assert answers_text({"map": np.zeros((1, 2, 2), np.float32), "y": SCORES}, list("abcdef"), picture=True) == LOGITS


def test_probabilities_stay_as_they_are() -> None:
    assert answers_text({"y": np.array([0.1, 0.2, 0.7], np.float32)}, [], picture=True) == PROBABILITIES


def test_ranges_of_arrays() -> None:
    outputs = {
        "map": np.arange(4, dtype=np.float32).reshape(1, 2, 2),
        "label": np.array([[1, 9, 2]]),
        "bad": np.array([np.nan, 7], np.float32),
        "one": np.array(5, np.float32),
    }
    assert answers_text(outputs, [], picture=False) == RANGES
    facts_of = answers_facts(outputs, [], picture=False)
    assert facts_of["outputs"]["bad"] == {  # type: ignore[index]
        "shape": [2], "dtype": "float32", "min": 7.0, "mean": 7.0, "max": 7.0, "argmax": 1, "not_finite": 1,
    }  # fmt: skip


def test_scores_that_are_not_finite_have_no_probability() -> None:
    facts_of = answers_facts({"y": np.array([np.nan, np.inf, 1], np.float32)}, ["a", "b", "c"], picture=False)
    assert facts_of["top"] == [  # type: ignore[comparison-overlap]
        {"class": 1, "score": float("inf"), "probability": None, "label": "b"},
        {"class": 2, "score": 1.0, "probability": None, "label": "c"},
        {"class": 0, "score": pytest.approx(float("nan"), nan_ok=True), "probability": None, "label": "a"},
    ]
    assert (facts_of["top_of"], facts_of["probabilities"]) == ("y", None)
