"""A profile of the user's own may hold anything: it is refused in one line that lists every mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge import targets
from edge.errors import EdgeError

FIGURE = '{ value = 1, unit = "KiB", source = "data sheet" }'
WATT = '{ value = 1, unit = "W", source = "data sheet" }'
CACHES = "(known: l1d, l2, l3)"
KEYS = "description, kind, instead, boards, extends, host, arch, runner, library, baseline, block, levels, caches, clock, cores"
KEYS += ", bandwidth, efficiency, overlap, together, overhead, power"


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The message for a profile `b.toml` of that text."""
    monkeypatch.chdir(tmp_path)

    def load(text: str) -> str:
        (tmp_path / "b.toml").write_text(text)
        with pytest.raises(EdgeError) as caught:
            targets.load("./b.toml")
        return str(caught.value)

    return load


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "cpu"\ntransprt = 1', f"b.toml: unknown key 'transprt' (known: {KEYS})"),
        ('extends = "cpu"\ncache = 1', "b.toml: unknown key 'cache' (did you mean 'caches'?)"),
        ('extends = "cpu"\n[caches]\nl1 = 3', "b.toml: unknown key 'caches.l1' (did you mean 'l1d'?)"),
        ('extends = "cpu"\ndescription = 3', "b.toml: description: must be text, not a number"),
        ('extends = "cpu"\ndescription = " "', "b.toml: description: is empty"),
        ('extends = "cpu"\ndescription = "a\\u001b[2J"', "b.toml: description: must be one line of characters that print"),
        ('extends = "cpu"\nhost = "yes"', "b.toml: host: must be true or false, not text"),
        ('extends = "../cpu"', "b.toml: extends: must be a name of lower-case letters, digits, '-', '_' and '.', not '../cpu'"),
        ('extends = "cpu"\nrunner = "-x"', "b.toml: runner: must be a compiler triple, not '-x'"),
        ('extends = "cpu"\narch = "x86-64"', "b.toml: arch: unknown 'x86-64' (did you mean 'x86_64'?)"),
        ('extends = "cpu"\narch = 64', "b.toml: arch: must be text, not a number"),
        ('extends = "cpu"\nblock = 16', "b.toml: block: must be { value = …, unit = 'lanes', source = '…' }, not a number"),
        ('extends = "cpu"\nblock = {}', "b.toml: block.value: is missing; block.unit: is missing; block.source: is missing"),
        ('extends = "cpu"\ncaches = 5', "b.toml: caches: must be a table, not a number"),
        ('extends = "cpu"\nlevels = 5', "b.toml: levels: must be a table, not a number"),
        ('extends = "cpu"\nlevels = {}', "b.toml: levels: is empty"),
        ('extends = "cpu"\n[levels.V4]', "b.toml: levels: the name 'V4' must be lower-case letters, digits and underscores"),
        ('extends = "cpu"\n[levels.v3]\nfeatures = ["avx3"]', "b.toml: levels.v3.features: unknown 'avx3' (did you mean 'avx'?)"),
        ('extends = "cpu"\n[levels.v3]\nfeatures = []', "b.toml: levels.v3.features: is empty"),
        ('extends = "cpu"\n[levels.v3]\nfeatures = "avx"', "b.toml: levels.v3.features: must be a list, not text"),
        ('extends = "cpu"\n[levels.v3]\ncpu = "a b"', "b.toml: levels.v3.cpu: must be a CPU's name, not 'a b'"),
        ('extends = "cpu"\n[levels.v3]\ncpu = 3', "b.toml: levels.v3.cpu: must be a CPU's name, not a number"),
        (
            f'extends = "cpu"\n[caches]\nl2 = {FIGURE.replace("KiB", "kiB")}',
            "b.toml: caches.l2.unit: must be B or KiB or MiB or GiB, not 'kiB' (did you mean 'KiB'?)",
        ),
        (f'extends = "cpu"\n[caches]\nl2 = {FIGURE.replace("KiB", "GHz")}', "b.toml: caches.l2.unit: must be B or KiB or MiB or GiB, not 'GHz'"),
        (f'extends = "cpu"\n[caches]\nl2 = {FIGURE.replace("1", "true")}', "b.toml: caches.l2.value: must be a number, not true or false"),
        (f'extends = "cpu"\n[caches]\nl2 = {FIGURE.replace("1", "-1")}', "b.toml: caches.l2.value: must be above 0 and below 2^53, not -1"),
        (f'extends = "cpu"\n[caches]\nl2 = {FIGURE.replace("1", "nan")}', "b.toml: caches.l2.value: must be above 0 and below 2^53, not nan"),
        (f'extends = "cpu"\n[caches]\nl2 = {FIGURE.replace("1", "1, low = 1")}', "b.toml: caches.l2: low and high come together"),
        (f'extends = "cpu"\n[caches]\nl2 = {FIGURE.replace("1", "1, low = 2, high = 3")}', "b.toml: caches.l2: value must lie between low and high"),
        (
            f'extends = "cpu"\nblok = 1\nhst = true\n[caches]\nl9 = {FIGURE}',
            "b.toml: unknown key 'blok' (did you mean 'block'?); unknown key 'hst' (did you mean 'host'?); unknown key 'caches.l9' " + CACHES,
        ),
        (
            'description = "empty"',
            "b.toml: " + "; ".join(f"{key}: is missing" for key in ("arch", "runner", "library", "baseline", "block", "levels")),
        ),
        (
            'extends = "cpu"\n[levels.v5]\ncpu = "x"',
            "b.toml: " + "; ".join(f"levels.v5.{key}: is missing" for key in ("features", "lanes", "registers", "rates.f32")),
        ),
        (
            f'extends = "rpi4"\n[power]\none = {FIGURE}',
            "b.toml: power.one.unit: must be W, not 'KiB'",
        ),
        (f'extends = "rpi4"\n[power]\none = {WATT}', "b.toml: power.one: is below power.idle"),
        (f'extends = "rpi4"\n[power]\nidle = {WATT.replace("1", "7")}', "b.toml: power.one: is below power.idle"),
        (f'extends = "rpi4"\n[power]\nbusy = {WATT}', "b.toml: unknown key 'power.busy' (known: idle, one, all, mac, cache, dram)"),
        (f'extends = "rpi4"\n[bandwidth.dram]\nall = {WATT.replace("W", "GB/s")}', "b.toml: bandwidth.dram.all: is below bandwidth.dram.one"),
        (f'extends = "rpi4"\n[bandwidth.l2]\none = {WATT.replace("W", "GB/s")}', "b.toml: bandwidth.l2.one.unit: must be B/cycle, not 'GB/s'"),
        (f'extends = "rpi4"\n[bandwidth.l3]\nall = {WATT.replace("W", "B/cycle")}', "b.toml: bandwidth.l3.one: is missing"),
        (f'extends = "rpi4"\n[bandwidth.l4]\nall = {WATT}', "b.toml: unknown key 'bandwidth.l4' (known: l2, l3, dram)"),
        (f'extends = "rpi4"\noverlap = {WATT.replace("1", "1.5").replace("W", "hidden")}', "b.toml: overlap: is a share, 1 at most"),
        (
            f'extends = "rpi4"\n[efficiency]\nfc = {WATT.replace("1", "0.5, low = 0.1, high = 1.2").replace("W", "of peak")}',
            "b.toml: efficiency.fc: is a share, 1 at most",
        ),
        (f'extends = "rpi4"\n[efficiency]\nfcc = {WATT}', "b.toml: unknown key 'efficiency.fcc' (did you mean 'fc'?)"),
        ('extends = "rpi9"', "targets/profiles/rpi9.toml: no such profile (edge targets lists those that come with edge)"),
        ('extends = "b"', "b.toml: extends itself: b -> b (take one 'extends' out)"),
        ("a = [", "b.toml: is not TOML: Invalid value (at end of document)"),
        ("a = " + "[" * 20_000, "b.toml: is nested too deeply (a profile has four levels at most)"),
        ("#" * 65_537, "b.toml: a profile is at most 64 KiB (is it the right file?)"),
        ("\n".join(f"k{i} = 1" for i in range(50)), None),
    ],
)  # fmt: skip
def test_a_profile_is_refused_in_one_line(text: str, message: str | None, refusal: Callable[[str], str]) -> None:
    said = refusal(text)
    if message is None:
        assert said.endswith("; and 30 more") and said.count("unknown key") == 20
    else:
        assert said == message


def test_a_huge_number_is_refused(refusal: Callable[[str], str]) -> None:
    assert refusal("a = " + "9" * 5000).startswith("b.toml: is not TOML: Exceeds the limit (4300 digits)")


def test_a_name_that_would_mislead_a_terminal_or_a_folder_is_refused(tmp_path: Path) -> None:
    """The name goes into the artifact's."""
    path = tmp_path / "my board.toml"
    path.write_text('extends = "x86-64"')
    with pytest.raises(EdgeError) as caught:
        targets.load(str(path))
    assert str(caught.value) == f"{path}: its own name: must be a name of lower-case letters, digits, '-', '_' and '.', not 'my board'"


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(EdgeError) as caught:
        targets.load(str(path))
    assert str(caught.value) == f"{path}: is not UTF-8 text (is it the right file?)"


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(EdgeError) as caught:
        targets.load("no/such.toml")
    assert str(caught.value) == "no/such.toml: no such profile (edge targets lists those that come with edge)"


def test_a_cycle_names_its_way(refusal: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('extends = "b"')
    assert refusal('extends = "c"') == "c.toml: extends itself: b -> c -> b (take one 'extends' out)"


def test_a_link_out_of_the_folder_is_refused(refusal: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.toml").write_text('description = "secret"')
    (tmp_path / "c.toml").symlink_to(tmp_path / "elsewhere" / "c.toml")
    assert refusal('extends = "c"') == "b.toml: extends 'c', a link to outside its folder (copy that profile here)"
