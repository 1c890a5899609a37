"""What goes wrong between here and a board: each ends in one clear line, and the board runs what it ran before.

The same on a board that is really there, where root does the damage, is in test_virtual_faults.py.  Faults of ssh itself (keys, hosts) are in
test_ssh.py, of the adb server in test_adb.py; power cuts at every command in test_power.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
from edge import artifact, measure
from edge.artifact.reader import Artifact
from edge.devices import transfer
from edge.devices.device import Device, Ran, Say, silent
from edge.devices.install import flash, rollback
from edge.devices.local import Local
from edge.devices.remote import Remote
from edge.errors import EdgeError
from edge.session import run_at
from edge.verify import verify
from faults import GONE, Dying, Line, Scripted, Wired

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Fault:
    """name: as one would tell it.  sick: the device with its fault.  does: what is done meanwhile.

    line: how it ends, '' for well; ROOT is the model's folder.
    """

    name: str
    sick: Callable[[Device], Device]
    does: str
    line: str


def when(word: str, code: int, stdout: str = "", stderr: str = "") -> Callable[[Device], Device]:
    """A command with that word in it gets this answer."""

    def answer(argv: Sequence[str]) -> Ran | None:
        return Ran(code, stdout.encode(), stderr.encode()) if any(word in text for text in argv) else None

    return lambda device: Scripted(device, answer)


def failing_push(stderr: str) -> Callable[[Device], Device]:
    """The device's `cat` says this."""

    @dataclass
    class Full(Line):
        def __call__(self, argv: Sequence[str], **more: object) -> Ran:
            text = next((word for word in argv if "exit 21" in word), "")
            changed = [word.replace(text, f"echo '{stderr}' >&2; exit 21") if text else word for word in argv]
            return Line.__call__(self, changed)

    return lambda device: Wired(device, lambda argv: None, line=Full())


def other_machine(device: Device) -> Device:
    return Scripted(device, lambda argv: None, replace(device.facts(), uri="ssh://pi", machine="aarch64", features=("fp", "asimd")))


def older_cpu(device: Device) -> Device:
    return Scripted(device, lambda argv: None, replace(device.facts(), uri="ssh://pi", features=("pni", "ssse3", "cx16", "sse4_1")))


def torn(**how: int | bool) -> Callable[[Device], Device]:
    return lambda device: Wired(device, lambda argv: None, line=Line(**how))


def short_output(device: Device) -> Device:
    """What comes back is four bytes."""

    @dataclass
    class Short(Scripted):
        def pull(self, remote: str, local: Path, say: Say = silent) -> None:
            local.write_bytes(b"abcd")

    return Short(device, lambda argv: None)


def clock_steps(device: Device) -> Device:
    """Before every command the board's clock is in another year, as the times of its files tell."""

    def answer(argv: Sequence[str]) -> None:
        years.reverse()
        for path in Path(os.environ["EDGE_HOME"]).rglob("*"):
            os.utime(path, (years[0], years[0]), follow_symlinks=False)

    years = [1e6, 4e9]
    return Scripted(device, answer)


def few_tools(device: Device, *without: str) -> Device:
    """A board without python, gzip and sha256sum: its PATH has nothing else."""
    folder = Path(os.environ["EDGE_HOME"], "few")
    folder.mkdir()
    for name in set(FEW) - set(without):
        (folder / name).symlink_to(str(shutil.which(name)))

    @dataclass
    class Few(Wired):
        def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
            return super().run(["env", f"PATH={folder}", *argv], timeout=timeout, stdin=stdin)

    @dataclass
    class FewLine(Line):
        def __call__(self, argv: Sequence[str], **more: Any) -> Ran:
            return super().__call__(["env", f"PATH={folder}", *argv], **more)

    return Few(device, lambda argv: None, line=FewLine())


NOTHING = """{"name": "x", "target": "x", "level": "x", "threads": 1, "init_ms": 0, "first_ms": 0, "warmup": 0, "warmup_ms": 0, "peak_rss_kb": 0,
 "latencies_ns": [], "switches": [], "layers": []}"""
FEW = ("sh", "mkdir", "rm", "mv", "ln", "cat", "chmod", "wc", "cksum", "df", "uname", "readlink", "sync", "ls", "touch", "find", "sleep")
CURE = "edge doctor DEVICE looks for the cause"
ELSEWHERE = "is for x86_64, ssh://pi is aarch64 (build it for that device: edge targets lists what there is)"
LOCKED = "root=/x\nboot=b\nup=5\nheld=b,4,ann@desk,9\n"
NO_SUM = "local: has none of sha256sum, shasum and cksum: a file cannot be checked there (sudo apt-get install coreutils there)"
NO_ENTRY = "local: does not let this user write there (choose another --folder, or another user)"
#: name, the device with its fault, what is done meanwhile, how it ends
FAULTS = [
    Fault(*row)
    for row in (
        ("cable pulled before anything", lambda d: Dying(d, 0), "flash", f"local: {GONE}"),
        ("cable pulled mid-transfer", torn(cut=50_000), "flash", f"local: {GONE}"),
        ("cable pulled while it checks itself", lambda d: Dying(d, 3, answers_last=False), "flash", f"local: {GONE}"),
        ("cable pulled while it switches", lambda d: Dying(d, 4), "flash", f"local: {GONE}"),
        ("board reboots during a run", lambda d: Dying(d, 3, answers_last=False), "profile", f"local: {GONE}"),
        (
            "a byte damaged on the way there",
            torn(flip=40_000),
            "flash",
            "local: ROOT/versions/NEW/model.edge did not arrive as it was sent (the line or the disk damages data; send it again)",
        ),
        (
            "a byte damaged on the way back",
            torn(flip=600, backwards=True),
            "run",
            "local: JOB did not arrive as it was sent (the line damages data; fetch it again)",
        ),
        (
            "disk full before",
            when("versions", 0, "root=/x\nlock=a,b,c,d\nfree_kb=12\n"),
            "flash",
            "local: has 0.0 MB free, new.edge needs SIZE MB (free some space there: df -h)",
        ),
        ("disk full meanwhile", failing_push("cat: No space left on device"), "flash", "local: is full (free some space there: df -h)"),
        ("card that fails", failing_push("cat: Input/output error"), "flash", "local: has a disk that fails (replace the card)"),
        (
            "root mounted read-only",
            when("versions", 1, "", "mkdir: Read-only file system"),
            "flash",
            "local: is mounted read-only (sudo mount -o remount,rw / there; if it comes back, the card may be worn out)",
        ),
        ("a folder of somebody else's", when("versions", 1, "", "mkdir: Permission denied"), "flash", NO_ENTRY),
        ("wrong architecture", other_machine, "flash", f"new.edge: {ELSEWHERE}"),
        ("wrong architecture to measure", other_machine, "profile", f"new.edge: {ELSEWHERE}"),
        (
            "an older CPU",
            older_cpu,
            "flash",
            "new.edge: needs what the CPU of ssh://pi does not have: sse4_2 popcnt lahf_lm"
            " (build it for that device, or for a family with lower levels)",
        ),
        (
            "an instruction that is not there",
            when("--verify", 132),
            "flash",
            "local: running new.edge failed: it met an instruction that the CPU does not have (build it for that CPU)",
        ),
        ("out of memory", when("--bench", 137), "profile", "NEW.EDGE: was killed (out of memory? dmesg | tail tells)"),
        (
            "a wrong answer there",
            when("--verify", 1, "WRONG"),
            "flash",
            "local: new.edge computes something else there than where it was built (edge verify --on DEVICE --per-layer shows where)",
        ),
        ("a program that says nothing", when("--bench", 5), "profile", "NEW.EDGE: it ended with code 5 and said nothing"),
        ("a measurement of nothing", when("--bench", 0, NOTHING), "profile", "NEW.EDGE: it measured nothing (build it again with this edge)"),
        ("a folder that is odd", when("versions", 1, "", "sh: odd"), "flash", f"local: preparing failed: sh: odd ({CURE})"),
        ("a folder with escapes in it", when("versions", 0, "root=/x\x1b[2J\nlock=a,b,c,d\n"), "flash", f"local: preparing failed: code 0 ({CURE})"),
        ("a switch that is odd", when("current/previous previous", 1, "", "mv: odd"), "flash", f"local: switching failed: mv: odd ({CURE})"),
        ("an output that is too short", short_output, "run", "NEW.EDGE: wrote 1 values of output 'z' (build it again with this edge)"),
        ("a board that talks nonsense", when("--bench", 0, "Hm?"), "profile", "NEW.EDGE: it printed no JSON but 'Hm?' (build it again)"),
        ("a board that says nothing", when("--verify", 0), "verify", "NEW.EDGE: it printed no JSON but '' (build it again)"),
        ("a cache that cannot be made", when("edge-device", 0, "Welcome"), "profile", f"local: making a folder failed: code 0 ({CURE})"),
        (
            "a folder that runs no program",
            when("--verify", 126, "", "sh: Permission denied"),
            "flash",
            "local: running new.edge failed: programs may not run there (another --folder, or sudo mount -o remount,exec there)",
        ),
        (
            "a cache that runs no program",
            when("--bench", 126, "", "sh: Permission denied"),
            "profile",
            "local: running new.edge failed: programs may not run there (another --folder, or sudo mount -o remount,exec there)",
        ),
        (
            "somebody flashes at the same time",
            when("versions", 0, LOCKED),
            "flash",
            "local: ann@desk is flashing tiny there right now (wait, or if that has died: rm /x/.lock there)",
        ),
        ("clock steps by years", clock_steps, "flash", ""),
        ("clock steps by years while it is measured", clock_steps, "profile", ""),
        ("no python, gzip and sha256sum on the board", few_tools, "flash", ""),
        ("no python, gzip and sha256sum on the board to measure", few_tools, "profile", ""),
        ("nothing to check a file with", lambda d: few_tools(d, "cksum"), "flash", NO_SUM),
        ("nothing to check a file with, to measure", lambda d: few_tools(d, "cksum"), "profile", NO_SUM),
        ("somebody breaks our lock", when("current/previous previous", 31), "flash", "local: somebody else took over ROOT (flash again)"),
    )
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact]:
    folder = tmp_path_factory.mktemp("models")
    old, new = (artifact.open(tiny.write(folder / f"{name}.edge", options={"version": name})) for name in ("old", "new"))
    return old, new


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """This machine as a board that has the old version."""
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    monkeypatch.setattr(transfer, "WORTH", 0)  # not packed: bytes on the line are bytes of the file
    return Local()


def deed(does: str, device: Device, new: Artifact) -> None:
    if does == "flash":
        flash(device, new)
    elif does == "profile":
        measure.bench(new.path, runs=5, min_secs=0, device=device)
    elif does == "verify":
        verify(new.path, place=Remote(device))
    else:
        run_at(new, Remote(device), {"x": np.zeros((4, 256), np.float32)})


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_one_clear_line_and_nothing_lost(fault: Fault, board: Device, files: tuple[Artifact, Artifact], tmp_path: Path) -> None:
    old, new = files
    first = flash(board, old)
    sick = fault.sick(board)
    if fault.line:
        with pytest.raises(EdgeError) as error:
            deed(fault.does, sick, new)
        assert shown(str(error.value), first.folder, new) == fault.line
    else:
        deed(fault.does, sick, new)
        if fault.does == "flash":
            assert rollback(sick).version == first.version
    program = Path(first.folder, "current", "model.edge")
    assert program.read_bytes() == old.path.read_bytes()
    assert subprocess.run([program, "--verify"], capture_output=True, check=False).returncode == 0
    recovered(Path(first.folder))
    assert flash(board, new).previous == first.version
    jobs = tmp_path / ".cache" / "edge-device"
    assert [path for path in jobs.glob("job-*") if fault.line != f"local: {GONE}"] == []


def shown(line: str, root: str, new: Artifact) -> str:
    """The line without what differs from day to day."""
    import re

    line = re.sub(r"/\S*/job-[0-9a-f]+/\d+", "JOB", line.replace(str(new.path), "NEW.EDGE").replace(root, "ROOT"))
    return re.sub(r"needs [0-9.]+ MB", "needs SIZE MB", re.sub(r"versions/[0-9a-f]{12}", "versions/NEW", line))


def recovered(root: Path) -> None:
    """The lock of a flash that died is this process's, which lives: as if it had ended."""
    lock = root / ".lock"
    if lock.is_symlink():
        words = str(lock.readlink()).split(",")
        lock.unlink()
        lock.symlink_to(",".join([*words[:3], str(2**22 + 1), *words[4:]]))


def test_what_a_dead_transfer_sent_is_not_sent_again(board: Device, files: tuple[Artifact, Artifact]) -> None:
    line = Line(cut=50_000)
    with pytest.raises(EdgeError):
        flash(Wired(board, lambda argv: None, line=line), files[1])
    again = Line()
    flash(Wired(board, lambda argv: None, line=again), files[1])
    assert again.sent == files[1].size - 50_000


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """mounted(options): a small file system of its own as the board's home."""
    folder = tmp_path / "card"
    folder.mkdir()

    def mount(options: str) -> Path:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("mounting is not allowed here (run as root)")
        monkeypatch.setenv("EDGE_HOME", str(folder))
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def cards() -> list[tuple[str, str, str]]:
    noexec = "running new.edge failed: programs may not run there (another --folder, or sudo mount -o remount,exec there)"
    return [
        ("size=512k", "flash", "local: has 0.5 MB free, new.edge needs SIZE MB (free some space there: df -h)"),
        ("size=64k", "profile", "local: is full (free some space there: df -h)"),
        ("size=9m,noexec", "flash", f"local: {noexec}"),
        ("size=9m,noexec", "profile", f"local: {noexec}"),
    ]


@pytest.mark.parametrize(("options", "does", "line"), cards())
def test_a_real_card_that_is_full_or_runs_nothing(
    files: tuple[Artifact, Artifact], mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, options: str, does: str, line: str
) -> None:
    card = mounted(options)
    with pytest.raises(EdgeError) as error:
        deed(does, Scripted(Local(), lambda argv: None), files[1])
    assert shown(str(error.value), "/no", files[1]) == line
    assert [path.name for path in card.rglob("*.part")] == []


def test_a_real_card_that_turns_read_only(files: tuple[Artifact, Artifact], mounted: Callable[[str], Path]) -> None:
    card = mounted("size=9m")
    made = flash(Local(), files[0])
    subprocess.run(["mount", "-o", "remount,ro", str(card)], check=True)
    with pytest.raises(EdgeError) as error:
        flash(Local(), files[1])
    assert str(error.value) == "local: is mounted read-only (sudo mount -o remount,rw / there; if it comes back, the card may be worn out)"
    assert subprocess.run([f"{made.folder}/current/model.edge", "--verify"], capture_output=True, check=False).returncode == 0
