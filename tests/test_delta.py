"""A rebuilt file over a console: only the blocks that the board has nowhere go over the line.  Real shells on a pty, as in test_serial.py."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import test_serial
from test_serial import quick as quick

import tiny
from edge import cli
from edge.devices import serial
from edge.devices.blocks import BLOCK_BYTES, block_sum, read_sums, recipe_for
from edge.devices.checksum import sums_of
from edge.devices.console import transfer
from edge.devices.console.dialect import CHUNK_BYTES, FUNCTIONS, Answer
from edge.errors import DeviceFailed
from line import PASSWORD, SHELLS, Line, board_with

pytestmark = pytest.mark.slow

BLOCKS = [random.Random(i).randbytes(BLOCK_BYTES) for i in range(8)]  #: they do not compress
OLD = b"".join(BLOCKS[:6]) + b"the end"
CHANGED = b"".join([BLOCKS[6], BLOCKS[7], *BLOCKS[1:6]]) + b"another end"  #: one block has become two: the rest lies elsewhere
SENT = 2 * BLOCK_BYTES + len(b"another end")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_PASSWORD", PASSWORD)


class Bench:
    """A board on a line, logged in.  Paths on it are in `home`."""

    def __init__(self, line: Line, home: Path, folder: Path) -> None:
        self.line, self.home, self.folder = line, home, folder
        self.device = serial.open(line.uri)
        self.said: list[str] = []

    def put(self, remote: str, data: bytes) -> Path:
        """It is there, from before."""
        path = self.home / remote
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return path

    def push(self, remote: str, data: bytes = CHANGED) -> tuple[int, int]:
        """Bytes of the file that were sent, and bytes on the line; the file is there then, and nothing beside it."""
        source, before = self.folder / "source", self.line.counts["in"]
        source.write_bytes(data)
        sent = self.device.push(source, remote, self.said.append)
        there = self.home / remote
        assert there.read_bytes() == data
        assert there.stat().st_mode & 0o777 == 0o755
        assert [path.name for path in there.parent.iterdir()] == [there.name]
        assert not (Path(self.device.shell.folder) / "sent").exists()
        return sent, self.line.counts["in"] - before

    def before(self, word: str, act: Callable[[], object]) -> None:
        """Something happens on the board, once, just before that function is called."""
        ask, acts = self.device.shell.ask, [act]

        def asked(command: str, seconds: float = 0.0, payload: bytes = b"", lives: bool = False) -> Answer:
            if word in command.split()[:2] and acts:
                acts.pop()()
            return ask(command, seconds, payload, lives)

        self.device.shell.ask = asked  # type: ignore[method-assign]


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with Line(board_with(request.param, tmp_path)) as line:
        made = Bench(line, tmp_path / "home", tmp_path)
        yield made
        made.device.close()


only_busybox = pytest.mark.parametrize("bench", ["busybox"], indirect=True)


PLACES = {
    "another version": ("edge/net/versions/old/model.edge", "edge/net/versions/new/model.edge"),
    "a folder with blanks": ("my  edge/net/versions/old/model.edge", "my  edge/net/versions/new/model.edge"),
    "installed, now to the cache": ("edge/net/versions/old/model.edge", ".cache/edge-device/version-1/model.edge"),
    "in the cache, now installed": (".cache/edge-device/version-1/model.edge", "edge/net/versions/new/model.edge"),
    "the same name": ("files/weights.bin", "files/weights.bin"),
}


@pytest.mark.parametrize("place", PLACES)
@only_busybox
def test_wherever_the_old_one_lies(place: str, bench: Bench) -> None:
    old, new = PLACES[place]
    bench.put(old, OLD)
    assert bench.push(new)[0] == SENT


def test_only_what_changed_goes_over_the_line(bench: Bench) -> None:
    bench.put("edge/net/versions/old/model.edge", OLD)
    sent, line = bench.push("edge/net/versions/new/model.edge")
    assert (sent, line < 1.1 * SENT) == (SENT, True)
    assert bench.said[1].startswith("sending, 0% of 131 kB, 11.5 kB/s, 0:11 left")  # of what is still to be sent
    assert bench.push("edge/net/versions/third/model.edge", OLD[: 4 * BLOCK_BYTES])[0] == 0  # all of it is there, in both
    assert bench.push("edge/net/versions/new/model.edge")[0] == 0  # the very file


@only_busybox
def test_blocks_of_several_files_are_used_and_links_are_read_once(bench: Bench) -> None:
    first = bench.put("edge/net/versions/a/model.edge", b"".join(BLOCKS[:4]))
    os.utime(bench.put("edge/net/versions/b/model.edge", b"".join(BLOCKS[4:7])), (0, 0))  # listed last
    for name in "cdef":
        (bench.home / "edge/net/versions" / name).mkdir()
        (bench.home / "edge/net/versions" / name / "model.edge").hardlink_to(first)
    (bench.home / "edge/net/versions/g/model.edge").mkdir(parents=True)
    assert bench.push("edge/net/versions/new/model.edge", b"".join(BLOCKS))[0] == BLOCK_BYTES


@only_busybox
def test_a_huge_file_is_not_read(bench: Bench) -> None:
    os.truncate(bench.put("edge/net/versions/old/model.edge", OLD), 600 << 20)
    assert bench.push("edge/net/versions/new/model.edge")[0] == len(CHANGED)


@only_busybox
def test_a_file_that_is_like_no_other_is_sent_whole(bench: Bench) -> None:
    bench.put("edge/net/versions/old/model.edge", b"".join(BLOCKS[6:]) * 3)
    assert bench.push("edge/net/versions/new/model.edge", OLD)[0] == len(OLD)
    assert not any("changed" in said for said in bench.said)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("seed", range(4))
def test_any_edits(seed: int, shell: str, tmp_path: Path) -> None:
    """The board's half by itself: its list gives a recipe, and from that it makes the new file."""
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"{shell} is not installed (apt-get install {shell})")

    def ask(line: str, data: bytes = b"") -> bytes:
        text = "\n".join([f"D='{tmp_path}'", *FUNCTIONS, "trap - 0", line])
        words = [*SHELLS[shell][:-1], "-c", text]
        return subprocess.run(words, input=data, env=os.environ | {"EDGE_HOME": str(tmp_path)}, capture_output=True, check=True).stdout

    some, olds, new = random.Random(seed), list[bytes](), OLD
    for name in "ab":
        (tmp_path / "edge/net/versions" / name).mkdir(parents=True)
        (tmp_path / "edge/net/versions" / name / "model.edge").write_bytes(new)
        olds.append(new)
        for _ in range(some.randrange(4)):
            at, taken, put = some.randrange(len(new)), some.choice([0, 1, BLOCK_BYTES]), some.choice([0, 1, BLOCK_BYTES])
            new = new[:at] + some.randbytes(put) + new[at + taken :]
    sums = read_sums(ask("list_ /none/new/model.edge 3"))
    assert sorted(sums) == sorted([block_sum(old[at : at + BLOCK_BYTES]) for at in range(0, len(old), BLOCK_BYTES)] for old in olds)
    recipe = recipe_for(new, sums)
    (tmp_path / "recipe").write_text(recipe.text)
    (tmp_path / "sources").write_text((tmp_path / "sources").read_text().replace("/none/new/model.edge.sent", f"{tmp_path}/sent"))
    assert ask("patch_ cat", recipe.sent) == new
    assert not (tmp_path / "sent").exists()


# -- what goes wrong


def test_an_old_file_that_changes_meanwhile_costs_a_full_push(bench: Bench) -> None:
    old = bench.put("edge/net/versions/old/model.edge", OLD)
    bench.before("done_", lambda: old.write_bytes(OLD[:-20_000]) and old.write_bytes(bytes(BLOCK_BYTES) + OLD))
    sent, line = bench.push("edge/net/versions/new/model.edge")
    assert (sent, line > len(CHANGED)) == (len(CHANGED), True)
    assert bench.said.count("what is there has changed: sending everything") == 1


@only_busybox
def test_an_old_file_that_vanishes_costs_a_full_push(bench: Bench) -> None:
    old = bench.put("edge/net/versions/old/model.edge", OLD)
    bench.before("done_", old.unlink)
    assert bench.push("edge/net/versions/new/model.edge")[0] == len(CHANGED)
    assert bench.said.count("what is there has changed: sending everything") == 1


@pytest.mark.parametrize(("without", "sent"), [(["ls"], len(CHANGED)), (["gzip", "sed", "awk", "cut", "stat"], SENT)], ids=["no ls", "few tools"])
def test_a_board_that_lacks_tools(without: list[str], sent: int, tmp_path: Path) -> None:
    with Line(board_with("busybox", tmp_path, without=without)) as line:
        bench = Bench(line, tmp_path / "home", tmp_path)
        bench.put("edge/net/versions/old/model.edge", OLD)
        assert bench.push("edge/net/versions/new/model.edge")[0] == sent
        bench.device.close()


@pytest.mark.parametrize("rest", [("gzip", "many"), ("gzip", "99999999999"), ("gzip",), ()])
@only_busybox
def test_a_list_that_is_none_is_not_used(rest: tuple[str, ...], bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    worked = transfer.worked
    monkeypatch.setattr(transfer, "worked", lambda shell, *words: Answer(1, "other", rest) if words[0] == "look_" else worked(shell, *words))
    (bench.home / "edge").mkdir()
    assert bench.push("edge/model.edge")[0] == len(CHANGED)


@only_busybox
def test_a_disk_that_fills_up_while_it_is_put_together(bench: Bench) -> None:
    old, ask = bench.put("edge/net/versions/old/model.edge", OLD), bench.device.shell.ask
    full = "dd() { echo 'dd: error writing: No space left on device' >&2; echo '0+0 records in' >&2; return 1; }; say_ $N done"
    bench.before("done_", lambda: ask(full))
    with pytest.raises(DeviceFailed) as failure:
        bench.push("edge/net/versions/new/model.edge")
    assert str(failure.value) == f"{bench.line.uri}: is full (free some space there: df -h)"
    there = bench.home / "edge/net/versions/new"
    assert [path.suffix for path in there.iterdir()] == [".part"]  # what arrived is not sent again
    assert old.read_bytes() == OLD


@only_busybox
def test_what_a_power_cut_left_is_removed(bench: Bench) -> None:
    """Also where nothing is there any more that could be patched."""
    for name in ("model.edge.new", "model.edge.sent", "model.edge.0123456789abcdef.part"):
        (bench.home / "edge/net/versions/new").mkdir(parents=True, exist_ok=True)
        (bench.home / "edge/net/versions/new" / name).write_bytes(b"half a file")
    assert bench.push("edge/net/versions/new/model.edge")[0] == len(CHANGED)


def test_a_pulled_cable_loses_no_chunk(tmp_path: Path) -> None:
    with Line(board_with("dash", tmp_path), fault=test_serial.unplugged(100_000)) as line:
        bench = Bench(line, tmp_path / "home", tmp_path)
        bench.put("edge/net/versions/old/model.edge", OLD)
        with pytest.raises(DeviceFailed):
            bench.push("edge/net/versions/new/model.edge")
        bench.device.close()
        bench.device = serial.open(line.uri)
        sent, went = bench.push("edge/net/versions/new/model.edge")
        assert (sent, went < SENT - CHUNK_BYTES) == (SENT, True)
        bench.device.close()


@pytest.mark.parametrize("fault", ["a byte of a command is damaged", "bytes of a chunk are damaged", "an answer is lost", "seven bits only"])
def test_a_bad_line_spoils_nothing(fault: str, tmp_path: Path, quick: None) -> None:
    with Line(board_with("dash", tmp_path), fault=test_serial.FAULTS[fault]) as line:
        bench = Bench(line, tmp_path / "home", tmp_path)
        bench.put("edge/net/versions/old/model.edge", OLD)
        assert bench.push("edge/net/versions/new/model.edge")[0] == SENT
        bench.device.close()


def test_edge_flash_says_how_much_was_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two versions of one artifact: the program is the same, its description is not."""
    program = tiny.runner().read_bytes() + OLD  # as large as one with kernels
    files = [tiny.write(tmp_path / f"v{i}.edge", executable=program, options={"version": i}) for i in range(2)]
    with Line(board_with("dash", tmp_path)) as line:
        assert [cli.main(["flash", str(file), "--to", line.uri]) for file in (*files, files[1])] == [0, 0, 0]
    root, names = tmp_path / "home/edge/tiny", [sums_of(file).sha256[:12] for file in files]
    data = files[1].read_bytes()
    there = {files[0].read_bytes()[at : at + BLOCK_BYTES] for at in range(0, files[0].stat().st_size, BLOCK_BYTES)}
    sent = sum(len(block) for at in range(0, len(data), BLOCK_BYTES) if (block := data[at : at + BLOCK_BYTES]) not in there)
    assert 0 < sent < len(data) / 2
    says = f"{line.uri}: {root}/current is tiny"
    assert capsys.readouterr().out.splitlines() == [
        f"{says} {names[0]}, checked there",
        f"{says} {names[1]}, checked there; before: {names[0]}; {sent / 1e6:.1f} of {len(data) / 1e6:.1f} MB sent, the rest was there",
        f"{says} {names[1]}, checked there; before: {names[0]}; 0.0 of {len(data) / 1e6:.1f} MB sent, the rest was there",
    ]
    assert (root / "current/model.edge").read_bytes() == data
