"""edge doctor DEVICE: every line a sick board can get, and the command that helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge import cli
from edge.devices import checkup as checks
from edge.devices import open_device
from edge.devices.device import Device, Facts, Ran
from edge.devices.findings import GOVERNOR, MISSING, NOTE, OK, Finding
from edge.devices.moments import Moment
from edge.errors import DeviceFailed
from faults import Scripted

PI = Facts(
    "ssh://pi", "aarch64", "6.6", "Raspberry Pi 4 Model B", ("fp", "asimd"), 4, 4 << 30, 8 << 30, ("sh", "sha256sum", "cksum", "gzip", "vcgencmd")
)
NOW = Moment("before", 200, 1800, 0.1, "performance", 1500.0, 1500.0, 48.0, 0)
TOLD = {"base": "/home/pi", "time": "1000000000", "writable": "yes", "runs": "yes"}
SHUT = "sudo mount -o remount,exec /home/pi there, or edge flash --folder PATH"


def told(**changed: str | None) -> dict[str, str]:
    return {key: value for key, value in (TOLD | changed).items() if value is not None}


def findings() -> list[tuple[Finding, str]]:
    arm32 = replace(PI, machine="armv7l", features=("neon",))
    return [
        (checks.processor(arm32), "missing cpu           no target for 32-bit Arm  ->  install the 64-bit system; a Pi 3, 4, 5 and Zero 2 W can"),
        (
            checks.processor(replace(PI, machine="mips")),
            "missing cpu           no target for mips with these features  ->  edge targets lists what there is",
        ),
        (checks.folder(PI, told()), "ok      folder        /home/pi, 8.6 GB free"),
        (
            checks.folder(PI, told(base="/tmp", fleeting="/tmp is emptied by it")),
            "note    folder        /tmp, 8.6 GB free, but a restart loses what is flashed there: /tmp is emptied by it  ->  edge flash --folder PATH",
        ),
        (
            checks.folder(replace(PI, free_bytes=9 << 20), told()),
            "note    folder        /home/pi, 9.4 MB free  ->  sudo apt-get clean there; df -h shows the rest",
        ),
        (
            checks.folder(replace(PI, free_bytes=1 << 20), told()),
            "missing folder        /home/pi, 1.0 MB free  ->  sudo apt-get clean there; df -h shows the rest",
        ),
        (
            checks.folder(PI, told(writable=None, runs=None, why="sh: 4: cannot create /home/pi/x: Read-only file system")),
            "missing folder        /home/pi is mounted read-only  ->  sudo mount -o remount,rw / there; if it comes back, the card may be worn out",
        ),
        (
            checks.folder(PI, told(writable=None, runs=None, why="sh: can't create /home/pi/x: Permission denied")),
            "missing folder        /home/pi does not belong to this user  ->  sudo chown $USER /home/pi there, or edge flash --folder PATH",
        ),
        (
            checks.folder(PI, told(writable=None, runs=None, base="/no", why="sh: 4: cannot create /no/x: Directory nonexistent")),
            "missing folder        /no is not there  ->  sudo install -d -o $USER /no there, or edge flash --folder PATH",
        ),
        (
            checks.folder(PI, told(writable=None, runs=None, base="/no", why="sh: can't create /no/x: nonexistent directory")),
            "missing folder        /no is not there  ->  sudo install -d -o $USER /no there, or edge flash --folder PATH",
        ),
        (
            checks.folder(replace(PI, free_bytes=0), told(writable=None, runs=None, why="sh: echo: I/O error")),
            "missing folder        /home/pi, 0.0 MB free  ->  sudo apt-get clean there; df -h shows the rest",
        ),
        (
            checks.folder(replace(PI, free_bytes=0), told(writable=None, runs=None, why="sh: write error: No space left on device")),
            "missing folder        /home/pi, 0.0 MB free  ->  sudo apt-get clean there; df -h shows the rest",
        ),
        (
            checks.folder(PI, told(writable=None, runs=None)),
            "missing folder        /home/pi cannot be written to  ->  edge flash --folder PATH",
        ),
        (checks.folder(PI, told(runs=None)), f"missing folder        /home/pi lets no program run  ->  {SHUT}"),
        (checks.tools(PI), "ok      tools         sh sha256sum cksum gzip vcgencmd"),
        (
            checks.tools(replace(PI, tools=("sh", "cksum"))),
            "note    tools         no gzip: transfers are not packed  ->  sudo apt-get install gzip there",
        ),
        (
            checks.tools(replace(PI, tools=("sh",))),
            "missing tools         neither sha256sum nor cksum: transfers cannot be checked  ->  sudo apt-get install coreutils there",
        ),
        (checks.governor(PI, NOW), "ok      governor      performance at 1500 of 1500 MHz"),
        (checks.governor(PI, replace(NOW, governor=None)), "ok      governor      not readable there (usual in a virtual machine)"),
        (
            checks.governor(PI, replace(NOW, clock=600.0)),
            f"note    governor      performance at 600 of 1500 MHz: something holds the clock down  ->  {checks.UNCAP}",
        ),
        (checks.governor(replace(PI, machine="x86_64"), replace(NOW, clock=600.0)), "ok      governor      performance at 600 of 1500 MHz"),
        (
            checks.governor(PI, replace(NOW, governor="ondemand", clock=600.0)),
            f"note    governor      ondemand at 600 of 1500 MHz: the clock moves while you measure  ->  {GOVERNOR}",
        ),
        (checks.throttled(PI, NOW), "ok      throttling    none since it started"),
        (checks.throttled(replace(PI, tools=()), replace(NOW, throttled=None)), "ok      throttling    the board does not report any"),
        (
            checks.throttled(PI, replace(NOW, throttled=None)),
            "note    throttling    vcgencmd does not answer this user  ->  sudo usermod -aG video $USER there, and log in again",
        ),
        (checks.throttled(PI, replace(NOW, throttled=0x50005)), f"note    throttling    now: under-voltage, throttled  ->  {checks.SUPPLY}"),
        (checks.throttled(PI, replace(NOW, throttled=0x80008)), f"note    throttling    now: soft temperature limit  ->  {checks.COOLING}"),
        (checks.throttled(PI, replace(NOW, throttled=0x10000)), f"note    throttling    since it started: under-voltage  ->  {checks.SUPPLY}"),
        (checks.heat(NOW), "ok      temperature   48 degrees"),
        (checks.heat(replace(NOW, heat=None)), "ok      temperature   not readable there"),
        (checks.heat(replace(NOW, heat=71.6)), f"note    temperature   72 degrees; it slows down at 80  ->  {checks.COOLING}"),
        (checks.load(PI, [NOW, replace(NOW, used=205, idle=1875)]), "ok      load          0.2 of 4 cores busy"),
        (
            checks.load(PI, [NOW, replace(NOW, used=240, idle=1840)]),
            "note    load          2.0 of 4 cores busy  ->  top there shows with what; figures will be noisy",
        ),
        (checks.time_of_day(told(), 1e9 + 60), "ok      time          as here"),
        (checks.time_of_day(told(), 1e9 + 7200), "note    time          2.0 h behind this machine  ->  sudo timedatectl set-ntp true there"),
        (checks.time_of_day(told(), 1e9 - 7200), "note    time          2.0 h ahead of this machine  ->  sudo timedatectl set-ntp true there"),
        (checks.time_of_day(told(time=None), 0), "note    time          not readable there"),
    ]


@pytest.mark.parametrize(("finding", "line"), findings(), ids=[f[1][:60] for f in findings()])
def test_a_line(finding: Finding, line: str) -> None:
    assert str(finding) == line


def test_the_targets_that_fit() -> None:
    fitting = set(checks.fits(PI))
    assert {"arm64 (level base)", "rpi4 (level a72)"} <= fitting
    assert not any(name.startswith(("x86-64", "cpu", "rpi5")) for name in fitting)
    assert (checks.processor(PI).status, checks.processor(PI).detail[:14]) == (OK, "runs --target ")


def test_a_board_writes_nothing_to_the_terminal() -> None:
    assert str(checks.folder(PI, told(base="/\x1b[2J\n"))) == "ok      folder        / [2J , 8.6 GB free"


def test_every_note_has_a_cure_or_none_is_known() -> None:
    assert [line for finding, line in findings() if finding.status != OK and not finding.cure] == ["note    time          not readable there"]
    assert {finding.status for finding, _ in findings()} == {OK, NOTE, MISSING}


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return open_device("local")


def test_the_real_answer_has_every_line(device: Device, tmp_path: Path) -> None:
    found = list(checks.checkup(device))
    assert [f.what for f in found] == ["device", "cpu", "folder", "tools", "governor", "throttling", "temperature", "load", "time"]
    assert found[2].detail.startswith(f"{tmp_path}, ")
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the real shell says of it is understood."""
    monkeypatch.setenv("EDGE_HOME", str(tmp_path / "no"))
    found = list(checks.checkup(open_device("local")))[2]
    assert (found.status, found.detail) == (MISSING, f"{tmp_path}/no is not there")


def test_a_device_that_dies_meanwhile(device: Device) -> None:
    def answer(argv: Sequence[str]) -> Ran | None:
        return Ran(1, b"", b"sh: strange") if argv[2] == checks.EXTRAS else None

    with pytest.raises(DeviceFailed) as error:
        list(checks.checkup(Scripted(device, answer)))
    assert str(error.value) == "local: looking around failed: sh: strange (edge doctor DEVICE looks for the cause)"


def test_a_device_that_cannot_be_reached(tool: Callable[[str, str], str], capsys: pytest.CaptureFixture[str]) -> None:
    tool("ssh", "apt-get install openssh-client")
    assert cli.main(["doctor", "ssh://127.0.0.1:1"]) == 3
    line = "edge: ssh://127.0.0.1:1: refuses ssh (does sshd run there? sudo systemctl enable --now ssh)\n"
    assert capsys.readouterr() == ("", line)
