"""Running programs, facts, moments and scripts, on this machine as a device."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge import cli
from edge.devices import arrival, find_devices, open_device, process, transfer
from edge.devices.checksum import SUM
from edge.devices.device import Device, Found, Ran
from edge.devices.facts import facts_over
from edge.devices.moments import LOOK, Moment, busy_between, look, moments_of, throttling, watch_words
from edge.devices.scripts import BASE, failed, script
from edge.devices.zones import Zone
from edge.errors import DeviceFailed
from house import ROOT


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return open_device("local")


@pytest.mark.parametrize(
    ("variables", "base"),
    [
        ({"EDGE_HOME": "/e", "HOME": "/h"}, "/e"),
        ({"EDGE_HOME": "", "HOME": "/no/such"}, "/no/such"),
        ({"HOME": "/"}, f"/tmp/edge-{os.getuid()}"),
        ({}, f"/tmp/edge-{os.getuid()}"),
    ],
)
def test_where_artifacts_lie(variables: dict[str, str], base: str, tmp_path: Path) -> None:
    if Path("/data/local/tmp").is_dir():
        pytest.skip("this is a phone")
    text = BASE.replace("/tmp/", f"{tmp_path}/tmp/")
    (tmp_path / "tmp").mkdir()
    variables = variables | {"PATH": os.environ["PATH"]}
    done = subprocess.run(["/bin/sh", "-c", text + 'echo "$base"'], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.replace(str(tmp_path), "") == f"{base}\n"


def theirs(folder: Path) -> None:
    """Of another user: only root can make it so."""
    folder.mkdir(mode=0o755)
    try:
        os.chown(folder, 12345, 12345)
    except PermissionError:
        pytest.skip("only root can give a folder away")


def linked(folder: Path) -> None:
    folder.with_name("elsewhere").mkdir()
    folder.symlink_to("elsewhere")


def writable(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def of_a_group(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)


@pytest.mark.parametrize("shell", [["sh"], ["busybox", "sh"]], ids=" ".join)
@pytest.mark.parametrize("made", [theirs, linked, writable, of_a_group, Path.touch])
def test_a_folder_in_tmp_that_another_could_have_made_is_refused(made: Callable[[Path], None], shell: list[str], tmp_path: Path) -> None:
    """Or its programs would run as us."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed (apt-get install {shell[0]})")
    folder = tmp_path / f"edge-{os.getuid()}"
    made(folder)
    text = BASE.replace("/tmp/", f"{tmp_path}/").replace("/data/local", "/none")
    done = subprocess.run([*shell, "-c", text + "echo gone on"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    what = f"b: {folder} is not a folder of this user alone: programs in it could be another's"
    assert str(failed("b", Ran(1, b"", done.stderr), "x")) == f"{what} (remove it there, or log in as a user with a home folder)"


def test_our_own_folder_in_tmp_is_taken_again(tmp_path: Path) -> None:
    text = BASE.replace("/tmp/", f"{tmp_path}/").replace("/data/local", "/none") + "echo gone on"
    for _ in range(2):
        done = subprocess.run(["sh", "-c", text], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False)
        assert done.stdout == b"gone on\n"
    assert (tmp_path / f"edge-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_a_program_that_the_kernel_killed() -> None:
    said = failed("ssh://b", Ran(137, b"", b""), "running m.edge")
    assert str(said) == "ssh://b: running m.edge failed: it was killed (out of memory? dmesg | tail tells)"


def test_programs_run_as_a_shell_would_run_them(device: Device, tmp_path: Path) -> None:
    assert device.run(["cat"], stdin=b"in") == Ran(0, b"in", b"")
    assert device.run(["sh", "-c", "kill -9 $$"]).code == 137
    assert device.run(["no-such-program"]) == Ran(127, b"", b"no-such-program: No such file or directory")
    assert device.run([str(tmp_path)]) == Ran(126, b"", f"{tmp_path}: Permission denied".encode())
    with pytest.raises(DeviceFailed) as error:
        device.run(["a\0b"])
    assert str(error.value) == "local: cannot run 'a b': a NUL character in its words (choose another name)"


def test_a_program_that_never_ends(device: Device) -> None:
    began = time.monotonic()
    with pytest.raises(DeviceFailed) as error:
        device.run(["sh", "-c", "sleep 60 & wait"], timeout=0.3)
    assert (str(error.value), time.monotonic() - began < 20) == ("local: no answer for 0.3 s (is it busy, or gone?)", True)
    with pytest.raises(DeviceFailed) as error:
        device.run(["sh", "-c", "exec >&- 2>&-; sleep 60"], timeout=0.3)
    assert str(error.value) == "local: no answer for 0.3 s (is it busy, or gone?)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left", "ran"),
    [
        ("sleep 60 & echo $!", 0),
        ("(sleep 2.5; echo late; sleep 57) & echo $!; exit 3", 3),
        ("sleep 60 >&2 </dev/null & echo $!", 0),
    ],
    ids=["silent", "late", "on stderr"],
)
def test_what_a_program_leaves_in_the_background_is_not_waited_for(left: str, ran: int, device: Device) -> None:
    """It may be meant to go on: it is not ended."""
    began = time.monotonic()
    done = device.run(["sh", "-c", left], timeout=50)
    took, child = time.monotonic() - began, int(done.stdout)
    try:
        os.kill(child, 0)
        assert (done.code, done.stdout, done.stderr) == (ran, f"{child}\n".encode(), b"")
        assert took < 30
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.slow
def test_who_takes_a_programs_output_slowly_gets_it_all() -> None:
    """The program has ended long before, and so has its pipe's other end."""
    kept = bytearray()

    def slowly(chunk: bytes) -> None:
        time.sleep(1.5 if not kept else 0)
        kept.extend(chunk)

    ran = process.run_limited("local", ["sh", "-c", "sleep 60 & echo $! >&2; head -c 120000 /dev/zero"], keep=slowly, timeout=50)
    os.kill(int(ran.stderr), signal.SIGKILL)
    assert len(kept) == 120_000


def test_a_program_that_floods() -> None:
    with pytest.raises(DeviceFailed) as error:
        process.run_limited("local", ["cat", "/dev/zero"], limit=1 << 20)
    assert str(error.value) == "local: printed more than 1 MiB (is this the right program?)"


def test_the_facts_of_this_machine(device: Device, tmp_path: Path) -> None:
    facts = device.facts()
    assert (facts.uri, facts.machine, facts.cores) == ("local", os.uname().machine, os.cpu_count())
    assert facts.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)
    assert {"sh", "gzip", "sha256sum"} <= set(facts.tools)
    assert facts.memory_bytes > 1 << 28


def test_facts_that_are_none() -> None:
    noise = (
        b"Welcome!\nmachine=armv7l\x1b[2J\nkernel=\ncores=many\nmemory_kb=-5\nfree_kb=99999999999999999999\nboard=Pi\nname=ARM\ntools=sh evil gzip\n"
    )
    facts = facts_over("x", lambda argv: Ran(0, noise, b""))
    assert (facts.machine, facts.cores, facts.memory_bytes, facts.free_bytes, facts.model, facts.tools) == (
        "armv7l [2J",
        0,
        0,
        0,
        "Pi",
        ("sh", "gzip"),
    )
    with pytest.raises(DeviceFailed) as error:
        facts_over("x", lambda argv: Ran(127, b"", b"sh: not found"))
    assert str(error.value) == "x: asking for its facts failed: sh: not found (edge doctor DEVICE looks for the cause)"


@pytest.mark.slow
@pytest.mark.alone
def test_a_program_is_watched(device: Device) -> None:
    ran = device.run([*watch_words(), "sh", "-c", "echo out; echo err >&2; sleep 1.3; exit 7"])
    moments, rest = moments_of(ran.stderr.decode())
    assert (ran.code, ran.stdout, rest) == (7, b"out\n", "err\n")
    assert [moment.when for moment in moments] == ["rest", "before", "during", "after"]
    assert moments[0].used + moments[0].idle > 0


@pytest.mark.alone
def test_watching_ends_with_the_program(device: Device) -> None:
    began = time.monotonic()
    device.run([*watch_words(), "true"])
    assert time.monotonic() - began < 0.9


def test_the_clock_is_that_of_the_fastest_core(tmp_path: Path) -> None:
    """The model runs on the big cores, the first one idles."""
    for policy, now, most in ((0, 408_000, 1_800_000), (4, 2_400_000, 2_400_000), (6, 1_200_000, 2_256_000)):
        folder = tmp_path / "cpufreq" / f"policy{policy}"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{now}\n")
        (folder / "cpuinfo_max_freq").write_text(f"{most}\n")
    ran = subprocess.run(["sh", "-c", LOOK.replace("/sys/devices/system/cpu", str(tmp_path))], capture_output=True, text=True, check=True)
    assert [(moment.clock, moment.limit) for moment in moments_of(ran.stderr)[0]] == [(2400, 2400)] * 2


def test_a_moment_that_is_hostile() -> None:
    line = (
        "@edge-moment during used=x idle=5 load=nan policies=policy0;\x1b[2J;1;2;3;0|policy1;a;1e9;-1;;0|policy2;;9;;;x throttled=0x50005"
        " zones=\x1b;5|cpu;51234|x;99999999999 quota=1/0|x/2|max/3 allowed=\x1b extra=1\n"
    )
    moments, rest = moments_of(line + "other\n")
    assert moments == [Moment("during", 0, 5, None, None, None, None, 51.234, 0x50005, zones=(Zone("cpu", 51.234),))]
    assert rest == "other\n"
    assert throttling(0x50005) == ("under-voltage", "throttled")
    assert throttling(0x50005, since_boot=True) == ("under-voltage", "throttled")
    assert busy_between(moments[0], moments[0], 4) == 0


def test_what_a_user_exports_is_no_fact(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    told = facts_over("local", device.run)
    for variable in ("name", "features", "cores", "tools"):
        monkeypatch.setenv(variable, "mine")
    assert replace(facts_over("local", device.run), free_bytes=0) == replace(told, free_bytes=0)


def test_looking_fails_in_one_line(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [moment.when for moment in look(device)] == ["rest", "before"]
    monkeypatch.setattr(device, "run", lambda argv, **more: Ran(1, b"", b"sh: syntax"))
    with pytest.raises(DeviceFailed) as error:
        look(device)
    assert str(error.value) == "local: looking at its clock and load failed: sh: syntax (edge doctor DEVICE looks for the cause)"


def test_what_is_attached(capsys: pytest.CaptureFixture[str]) -> None:
    assert Found("local", f"this machine, {os.uname().machine}") in list(find_devices())
    assert cli.main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[0] == "local"
    assert cli.main(["devices", "--json"]) == 0
    assert capsys.readouterr().out.startswith('[\n {\n  "uri": "local",')


def test_a_uri_is_shown_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there to be copied: a phone over Wi-Fi has a long name."""
    phone = "adb://adb-R58M12ABCDE-AbCdEf._adb-tls-connect._tcp"
    monkeypatch.setattr("edge.devices.find_devices", lambda: iter([Found("local", "this\x1b[2J machine"), Found(phone, "Pixel 9 " * 9)]))
    assert cli.main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        f"device{' ' * 44}  what",
        f"{'-' * 50}  {'-' * 71}",
        f"local{' ' * 45}  this [2J machine",
        f"{phone}  {('Pixel 9 ' * 9).strip()}",
    ]


@pytest.mark.parametrize("text", [SUM, transfer.LOOK, transfer.RECEIVE, arrival.SEND])
def test_every_shell_reads_the_scripts(text: str, tool: Callable[[str, str], str]) -> None:
    for shell in (["sh"], [tool("busybox", "apt-get install busybox"), "sh"]):
        subprocess.run([*shell, "-n", "-c", text], check=True)


def test_nothing_is_pasted_into_a_script() -> None:
    assert script("echo", "a b") == ["sh", "-c", "echo", "sh", "a b"]
    sources = [path for path in (ROOT / "sdk" / "devices").glob("*.py") if "script(f" in path.read_text()]
    assert sources == []


def test_the_command_line_names_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rollback", "ssh://-x"]) == 2
    assert capsys.readouterr().err == "edge: device 'ssh://-x': is no good ssh device (like ssh://pi@raspberrypi.local:22)\n"


WHERE = "edge flash A.edge --to ssh://pi@board, or --image card.img"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", f"flash: needs --to or --image ({WHERE})"),
        ("--to local --image card.img", f"flash: takes --to or --image, not both ({WHERE})"),
        ("--to local --yes", "flash: --yes: belongs to --image (a device that runs has been configured already)"),
        ("--to local --max-size 1GB", "flash: --max-size: belongs to --image (a device that runs has been configured already)"),
        ("--to local --from x.img", "flash: --from: belongs to --image (a device that runs has been configured already)"),
        ("--to local --wifi-country DE", "flash: --wifi-country: belongs to --image (a device that runs has been configured already)"),
        ("--image card.img --folder /opt", "flash: --folder: belongs to --to (in an image it is /opt/edge)"),
    ],
)
def test_flash_goes_to_one_place(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["flash", "a.edge", *words.split()]) == 2
    assert capsys.readouterr().err == f"edge: {message}\n"
