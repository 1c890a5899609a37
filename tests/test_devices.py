"""Devices: URIs, quoting, transfers and facts, on this machine as a device."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edge import cli
from edge.devices import find_devices, kinds, open_device, process, transfer
from edge.devices.checksum import SUM, sums_of
from edge.devices.device import Device, Found, Ran
from edge.devices.facts import facts_over
from edge.devices.moments import Moment, busy_between, look, moments_of, throttling, watch_words
from edge.devices.quoting import sh_line
from edge.devices.scripts import BASE, failed, script
from edge.devices.transfer import pull_over, push_over
from edge.devices.uri import GRAMMARS, Uri, parse_uri
from edge.errors import DeviceFailed, EdgeError
from faults import Line
from house import ROOT, members


def good_uris() -> list[tuple[str, Uri]]:
    return [
        ("local", Uri("local", "local")),
        ("ssh://board", Uri("ssh://board", "ssh", host="board")),
        ("ssh://pi@10.0.0.7:2222", Uri("ssh://pi@10.0.0.7:2222", "ssh", "pi", "10.0.0.7", 2222)),
        ("ssh://pi@[fe80::1%eth0]:22", Uri("ssh://pi@[fe80::1%eth0]:22", "ssh", "pi", "fe80::1%eth0", 22)),
        ("serial:/dev/ttyUSB0", Uri("serial:/dev/ttyUSB0", "serial", path="/dev/ttyUSB0")),
        (
            "serial:///dev/serial/by-id/usb-A_B-if00?baud=115200&user=pi",
            Uri(
                "serial:///dev/serial/by-id/usb-A_B-if00?baud=115200&user=pi",
                "serial",
                path="/dev/serial/by-id/usb-A_B-if00",
                options=(("baud", "115200"), ("user", "pi")),
            ),
        ),
        ("serial+socket://127.0.0.1:5555", Uri("serial+socket://127.0.0.1:5555", "serial+socket", host="127.0.0.1", port=5555)),
        ("adb://emulator-5554", Uri("adb://emulator-5554", "adb", host="emulator-5554")),
        ("adb://192.168.1.5:5555", Uri("adb://192.168.1.5:5555", "adb", host="192.168.1.5:5555")),
        ("virtual://rpi4?via=serial", Uri("virtual://rpi4?via=serial", "virtual", host="rpi4", options=(("via", "serial"),))),
    ]


@pytest.mark.parametrize(("text", "uri"), good_uris(), ids=[u[0] for u in good_uris()])
def test_a_uri(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri


def bad_uris() -> list[tuple[str, str]]:
    ssh, serial = "like ssh://pi@raspberrypi.local:22", "like serial:///dev/ttyUSB0?baud=115200"
    return [
        ("sssh://pi@x", "device 'sssh://pi@x': is no device (did you mean 'ssh'?)"),
        ("", "device '': is no device (devices: local, ssh, serial, serial+socket, adb, virtual)"),
        ("/dev/ttyUSB0", "device '/dev/ttyUSB0': is no device (devices: local, ssh, serial, serial+socket, adb, virtual)"),
        ("local://x", "device 'local://x': is no good local device (like local)"),
        ("local:", "device 'local:': is no good local device (like local)"),
        ("ssh://-oProxyCommand=x", f"device 'ssh://-oProxyCommand=x': is no good ssh device ({ssh})"),
        ("ssh://-l@host", f"device 'ssh://-l@host': is no good ssh device ({ssh})"),
        ("ssh://pi@-host", f"device 'ssh://pi@-host': is no good ssh device ({ssh})"),
        ("ssh://a b", f"device 'ssh://a b': is no good ssh device ({ssh})"),
        ("ssh://host\n", f"device 'ssh://host ': is no good ssh device ({ssh})"),
        ("ssh://host;rm", f"device 'ssh://host;rm': is no good ssh device ({ssh})"),
        ("ssh://$(x)", f"device 'ssh://$(x)': is no good ssh device ({ssh})"),
        ("ssh://hóst", f"device 'ssh://hóst': is no good ssh device ({ssh})"),
        ("ssh://host:0", f"device 'ssh://host:0': port 0 is not between 1 and 65535 ({ssh})"),
        ("ssh://host:99999", f"device 'ssh://host:99999': port 99999 is not between 1 and 65535 ({ssh})"),
        ("ssh://pi:secret@host", "ssh device: has a password in its URI, for all to see (leave it out: keys, or EDGE_PASSWORD for serial)"),
        ("serial:///dev/../etc/passwd", f"device 'serial:///dev/../etc/passwd': is no good serial device ({serial})"),
        ("serial:///etc/passwd", f"device 'serial:///etc/passwd': is no good serial device ({serial})"),
        ("serial:///dev/-x", f"device 'serial:///dev/-x': is no good serial device ({serial})"),
        ("serial:///dev/ttyUSB0?bau=1", "device 'serial:///dev/ttyUSB0?bau=1': unknown option 'bau' (did you mean 'baud'?)"),
        ("serial:///dev/ttyUSB0?baud", f"device 'serial:///dev/ttyUSB0?baud': option 'baud' needs a value ({serial})"),
        ("serial:///dev/ttyUSB0?user=-x", f"device 'serial:///dev/ttyUSB0?user=-x': option 'user' needs a value ({serial})"),
        ("serial:///dev/ttyUSB0?baud=1&baud=2", f"device 'serial:///dev/ttyUSB0?baud=1&baud=2': says an option twice ({serial})"),
        ("serial+socket://127.0.0.1", "device 'serial+socket://127.0.0.1': is no good serial+socket device (like serial+socket://127.0.0.1:5555)"),
        ("adb://-s", "device 'adb://-s': is no good adb device (like adb://SERIAL, as `adb devices` shows it)"),
        ("virtual://", "device 'virtual://': is no good virtual device (like virtual://rpi4)"),
        ("virtual://../x", "device 'virtual://../x': is no good virtual device (like virtual://rpi4)"),
        ("x" * 500, f"device '{'x' * 80}': is no device (devices: local, ssh, serial, serial+socket, adb, virtual)"),
    ]


@pytest.mark.parametrize(("text", "message"), bad_uris(), ids=[u[0][:40] for u in bad_uris()])
def test_a_hostile_uri_is_one_line(text: str, message: str) -> None:
    with pytest.raises(EdgeError) as error:
        parse_uri(text)
    assert (str(error.value), error.value.exit_code) == (message, 2)


@given(some.text(max_size=40))
def test_no_uri_smuggles_an_option(text: str) -> None:
    for scheme in ("ssh://", "adb://", "virtual://", "serial+socket://", "serial://"):
        try:
            uri = parse_uri(scheme + text)
        except EdgeError:
            continue
        words = [word for word in (uri.user, uri.host, uri.path, *(value for _, value in uri.options)) if word]
        assert not any(word.startswith("-") or any(c.isspace() or c in "'\"\\$`;&|<>" for c in word) for word in words)


def test_every_scheme_of_a_module_is_in_the_grammar() -> None:
    from importlib import import_module

    schemes = {scheme for kind in kinds() for scheme in import_module(f"edge.devices.{kind}").SCHEMES}
    assert schemes == {scheme for scheme in GRAMMARS if scheme.split("+")[0] in kinds()}
    assert set(kinds()) <= members("edge.devices")


def test_a_kind_that_is_not_here_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.devices.kinds", lambda: ["local", "ssh"])
    with pytest.raises(EdgeError) as error:
        open_device("virtual://rpi4")
    assert str(error.value) == "device 'virtual://rpi4': comes with a later issue (devices now: local, ssh)"


@given(some.lists(some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5))
def test_a_shell_sees_the_words_as_they_are(words: list[str]) -> None:
    line = sh_line(["printf", "%s\\0", *words])
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert done.stdout == b"".join(word.encode() + b"\0" for word in words)


def test_a_nul_is_refused() -> None:
    with pytest.raises(EdgeError) as error:
        sh_line(["a\0b"])
    assert str(error.value) == "a b: holds a NUL character, which no program can be given (choose another name)"


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return open_device("local")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1_000_000) + b"\0" * 1_000_000)
    return path


def test_push_and_pull(device: Device, file: Path, tmp_path: Path) -> None:
    there, said = tmp_path / "a" / "b c" / "it's", list[str]()
    device.push(file, str(there), said.append)
    assert (there.read_bytes() == file.read_bytes(), there.stat().st_mode & 0o777) == (True, 0o755)
    assert said[-1].startswith("sending file: 100%, ")
    device.push(file, str(there), lambda text: pytest.fail("sent what is there"))
    device.pull(str(there), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert [path.name for path in there.parent.iterdir()] == ["it's"]


@given(some.binary(max_size=3000))
def test_checksums_are_those_of_the_tools(data: bytes) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"edge-sums-{os.getpid()}"
    path.write_bytes(data)
    digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    crc, size, _ = subprocess.run(["cksum", path], capture_output=True, text=True, check=True).stdout.split()
    assert sums_of(path).lines == (f"sha256 {digest}", f"cksum {crc} {size}")
    path.unlink()


def only(folder: Path, *names: str) -> str:
    """A PATH with these tools and no other."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


BARE = ("sh", "mkdir", "rm", "mv", "cat", "chmod", "wc")


@pytest.mark.parametrize("tools", [("cksum",), ("cksum", "gzip"), ("sha256sum",), ("shasum",)], ids="-".join)
def test_a_device_with_few_tools(device: Device, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: tuple[str, ...]) -> None:
    if not shutil.which(tools[0]):
        pytest.skip(f"{tools[0]} is not installed (apt-get install perl)")
    more = ("perl",) if tools == ("shasum",) else ()
    monkeypatch.setenv("PATH", only(tmp_path / "bin", *BARE, *tools, *more))
    device.push(file, str(tmp_path / "there"))
    device.pull(str(tmp_path / "there"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_a_device_that_cannot_check(device: Device, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", only(tmp_path / "bin", *BARE))
    with pytest.raises(DeviceFailed) as error:
        device.push(file, str(tmp_path / "there"))
    assert str(error.value) == f"local: {tmp_path}/there did not arrive as it was sent (the line or the disk damages data; send it again)"
    assert not (tmp_path / "there").exists()


def test_a_byte_that_arrives_wrong(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "WORTH", 0)  # not packed: gzip would notice by itself
    with pytest.raises(DeviceFailed) as error:
        push_over(Line(flip=700_000), "ssh://b", file, str(tmp_path / "there"), print)
    assert str(error.value) == f"ssh://b: {tmp_path}/there did not arrive as it was sent (the line or the disk damages data; send it again)"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_transfer_goes_on_where_it_broke_off(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "WORTH", 0)
    part = tmp_path / f".there.{sums_of(file).sha256[:12]}.part"
    part.write_bytes(file.read_bytes()[:1_500_000])
    line = Line()
    push_over(line, "ssh://b", file, str(tmp_path / "there"), print)
    assert ((tmp_path / "there").read_bytes() == file.read_bytes(), line.sent, part.exists()) == (True, 500_000, False)


@pytest.mark.parametrize("part", [b"wrong", b"x" * 3_000_000], ids=["wrong", "too long"])
def test_a_part_that_does_not_belong_is_sent_anew(file: Path, tmp_path: Path, part: bytes) -> None:
    (tmp_path / f".there.{sums_of(file).sha256[:12]}.part").write_bytes(part)
    push_over(Line(), "ssh://b", file, str(tmp_path / "there"), print)
    assert (tmp_path / "there").read_bytes() == file.read_bytes()


def test_a_line_that_ends_early_keeps_what_came(file: Path, tmp_path: Path) -> None:
    """A server that loses its client closes the receiver's stdin, as if the file ended there."""
    data, sums = file.read_bytes(), sums_of(file)
    part = tmp_path / f".there.{sums.sha256[:12]}.part"
    ran = Line()(script(transfer.RECEIVE, str(tmp_path / "there"), str(part), *sums.lines, str(sums.size), ""), feed=[data[:700_000]])
    with pytest.raises(DeviceFailed) as error:
        transfer.arrived(ran, "ssh://b", file, "/there")
    assert str(error.value) == "ssh://b: /there broke off (send it again: it goes on from there)"
    line = Line()
    push_over(line, "ssh://b", file, str(tmp_path / "there"), print)
    assert ((tmp_path / "there").read_bytes() == data, line.sent < 1_310_000) == (True, True)


def test_a_file_that_comes_back_damaged(file: Path, tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("as it was")
    with pytest.raises(DeviceFailed) as error:
        pull_over(Line(flip=200, backwards=True), "ssh://b", str(file), tmp_path / "keep", print)
    assert str(error.value) == f"ssh://b: {file} did not arrive as it was sent (the line damages data; fetch it again)"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "keep"]
    assert (tmp_path / "keep").read_text() == "as it was"


def test_a_file_that_never_ends(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MAX_PULL_BYTES", 1 << 20)
    with pytest.raises(DeviceFailed) as error:
        pull_over(Line(), "ssh://b", str(file), tmp_path / "back", print)
    assert str(error.value) == f"ssh://b: {file} is larger than 0 GiB (fetch it by other means)"


def test_a_file_that_is_not_there(device: Device, tmp_path: Path) -> None:
    with pytest.raises(DeviceFailed) as error:
        device.pull(str(tmp_path / "none"), tmp_path / "back")
    assert str(error.value) == f"local: fetching {tmp_path}/none failed: {tmp_path}/none: No such file (edge doctor DEVICE looks for the cause)"
    with pytest.raises(EdgeError) as unread:
        device.push(tmp_path / "none", str(tmp_path / "there"))
    assert str(unread.value) == f"{tmp_path}/none: cannot be read: No such file or directory"
    with pytest.raises(EdgeError) as unwritten:
        device.pull(str(tmp_path), tmp_path / "no" / "folder")
    assert str(unwritten.value) == f"{tmp_path}/no/folder: cannot be written: No such file or directory (choose another place)"


def test_a_folder_in_the_way(device: Device, file: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(DeviceFailed) as error:
        device.push(file, str(tmp_path / "there"))
    what = f"looking at {tmp_path}/there failed: {tmp_path}/there: Is a directory"
    assert str(error.value) == f"local: {what} (edge doctor DEVICE looks for the cause)"


@pytest.mark.parametrize(
    ("variables", "base"),
    [
        ({"EDGE_HOME": "/e", "HOME": "/h"}, "/e"),
        ({"EDGE_HOME": "", "HOME": "/no/such"}, "/no/such"),
        ({"HOME": "/"}, "/tmp"),
        ({}, "/tmp"),
    ],
)
def test_where_artifacts_lie(variables: dict[str, str], base: str) -> None:
    if Path("/data/local/tmp").is_dir():
        pytest.skip("this is a phone")
    done = subprocess.run(["/bin/sh", "-c", BASE + 'echo "$base"'], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == f"{base}\n"


def complaints() -> list[tuple[str, str]]:
    return [
        ("cat: write error: No space left on device", "is full (free some space there: df -h)"),
        (
            "mkdir: cannot create directory: Read-only file system",
            "is mounted read-only (sudo mount -o remount,rw / there; if it comes back, the card may be worn out)",
        ),
        ("cat: /x: Input/output error", "has a disk that fails (replace the card)"),
        ("sh: 1: cannot create /x: Permission denied", "does not let this user write there (choose another --folder, or another user)"),
        ("something new\nlast line", "sending file failed: last line (edge doctor DEVICE looks for the cause)"),
        ("gzip: killed\nKilled", "sending file failed: Killed (edge doctor DEVICE looks for the cause)"),
        ("", "sending file failed: code 21 (edge doctor DEVICE looks for the cause)"),
    ]


@pytest.mark.parametrize(("said", "message"), complaints())
def test_what_a_sick_device_says(file: Path, said: str, message: str) -> None:
    def stream(argv: Sequence[str], **more: object) -> Ran:
        return Ran(0, b"have=0\n", b"") if argv[2] == transfer.LOOK else Ran(21, b"", said.encode())

    with pytest.raises(DeviceFailed) as error:
        push_over(stream, "ssh://b", file, "/x", print)
    assert (str(error.value), error.value.exit_code) == (f"ssh://b: {message}", 3)


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


def test_a_program_is_watched(device: Device) -> None:
    ran = device.run([*watch_words(), "sh", "-c", "echo out; echo err >&2; sleep 1.3; exit 7"])
    moments, rest = moments_of(ran.stderr.decode())
    assert (ran.code, ran.stdout, rest) == (7, b"out\n", "err\n")
    assert [moment.when for moment in moments] == ["rest", "before", "during", "after"]
    assert moments[0].used + moments[0].idle > 0


def test_watching_ends_with_the_program(device: Device) -> None:
    began = time.monotonic()
    device.run([*watch_words(), "true"])
    assert time.monotonic() - began < 0.9 or os.getloadavg()[0] > 2


def test_a_moment_that_is_hostile() -> None:
    line = "@edge-moment during used=x idle=5 load=nan governor=\x1b clock=1e9 limit=-1 heat=51234 throttled=0x50005 extra=1\n"
    moments, rest = moments_of(line + "other\n")
    assert moments == [Moment("during", 0, 5, None, "\x1b", None, -0.001, 51.234, 0x50005)]
    assert rest == "other\n"
    assert throttling(0x50005) == ("under-voltage", "throttled")
    assert throttling(0x50005, since_boot=True) == ("under-voltage", "throttled")
    assert busy_between(moments[0], moments[0], 4) == 0


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


@pytest.mark.parametrize("text", [SUM, transfer.LOOK, transfer.RECEIVE, transfer.SEND])
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
    assert cli.main(["flash", "a.edge"]) == 2
    assert capsys.readouterr().err == "edge: flash: needs a device (edge flash A.edge --to ssh://pi@board)\n"
