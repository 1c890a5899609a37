"""adb:// against a server that follows AOSP's protocol pages; no real phone was at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import adb_server
import tiny
from adb_server import Phone
from edge import artifact, cli
from edge.devices import adb, adb_link, open_device
from edge.devices.device import Found, Ran
from edge.devices.install import flash, rollback
from edge.errors import DeviceFailed, EdgeError

pytestmark = pytest.mark.slow


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    (tmp_path / "data").mkdir()
    with adb_server.running(tmp_path / "data") as phone:
        monkeypatch.setenv(adb_link.PORT, str(phone.port))
        yield phone


def test_programs_and_their_three_streams(phone: Phone) -> None:
    device = open_device("adb://PHONE1")
    assert device.run(["sh", "-c", "cat; echo err >&2; exit 7"], stdin=b"\0in\xff") == Ran(7, b"\0in\xff", b"err\n")
    assert device.run(["printf", "%s|", "a b", "$HOME", "it's"]).stdout == b"a b|$HOME|it's|"
    assert phone.asked[:2] == ["host:transport:PHONE1", "shell,v2,raw:sh -c 'cat; echo err >&2; exit 7'"]
    assert device.facts().machine == os.uname().machine
    device.close()


def test_files_there_and_back(phone: Phone, tmp_path: Path) -> None:
    device, file = open_device("adb://PHONE1"), tmp_path / "file"
    file.write_bytes(os.urandom(200_000))
    assert device.push(file, f"{phone.home}/x y/there") == 200_000
    device.pull(f"{phone.home}/x y/there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert [path.name for path in (phone.home / "x y").iterdir()] == ["there"]
    assert [service for service in phone.asked if service == "sync:"] == ["sync:", "sync:"]
    assert device.push(file, f"{phone.home}/x y/there") == 0
    assert phone.asked.count("sync:") == 2


def test_a_cable_that_is_pulled_while_it_sends(phone: Phone, tmp_path: Path) -> None:
    device, file = open_device("adb://PHONE1"), tmp_path / "file"
    file.write_bytes(os.urandom(500_000))
    phone.hang_up_after = 3
    with pytest.raises(DeviceFailed) as error:
        device.push(file, f"{phone.home}/there")
    assert str(error.value) == "adb://PHONE1: went away (is the cable in?)"
    phone.hang_up_after = None
    device.push(file, f"{phone.home}/there")
    assert (phone.home / "there").read_bytes() == file.read_bytes()


def wrongs() -> list[tuple[str, bytes, str]]:
    def fail(text: str) -> bytes:
        return b"FAIL" + b"%04x" % len(text) + text.encode()

    again = "adb kill-server; adb start-server"
    return [
        ("host:transport", fail("device unauthorized."), "does not trust this computer (allow USB debugging on its screen)"),
        ("host:transport", fail("device offline"), "is offline (unplug it and plug it in again)"),
        ("host:transport", fail("no devices/emulators found"), "is not attached (edge devices lists what is; is USB debugging on?)"),
        ("host:transport", fail("strange\x1b[2J"), f"strange [2J ({again})"),
        ("host:transport", fail(""), f"the adb server refuses and does not say why ({again})"),
        ("host:transport", b"HTTP/1.1 400", "what answers there is no adb server (is ANDROID_ADB_SERVER_PORT right?)"),
        ("host:transport", b"FAILzzzz", "what answers there is no adb server (is ANDROID_ADB_SERVER_PORT right?)"),
        ("host:transport", b"OK", "went away (is the cable in?)"),
        ("shell", b"OKAY\x01\x04\x00", "went away (is the cable in?)"),
        ("shell", b"OKAY\x01\xff\xff\xff\xff", "printed more than 64 MiB (is this the right program?)"),
    ]


@pytest.mark.parametrize(("service", "answer", "message"), wrongs())
def test_what_a_server_may_answer(phone: Phone, service: str, answer: bytes, message: str) -> None:
    phone.wrong[service] = answer
    with pytest.raises(DeviceFailed) as error:
        open_device("adb://PHONE1").run(["true"])
    assert (str(error.value), error.value.exit_code) == (f"adb://PHONE1: {message}", 3)


def test_a_phone_that_does_not_answer(phone: Phone) -> None:
    with pytest.raises(DeviceFailed) as error:
        open_device("adb://PHONE1").run(["sleep", "5"], timeout=0.5)
    assert str(error.value) == "adb://PHONE1: no answer for 0.5 s (is it busy, or gone?)"


def test_a_file_that_sync_refuses(phone: Phone, tmp_path: Path) -> None:
    device = open_device("adb://PHONE1")
    assert isinstance(device, adb.Adb)
    with pytest.raises(DeviceFailed) as error:
        list(device.receive_file(str(tmp_path / "none")))
    assert str(error.value) == "adb://PHONE1: No such file or directory (adb kill-server; adb start-server)"


def test_another_phone(phone: Phone) -> None:
    with pytest.raises(DeviceFailed) as error:
        open_device("adb://PHONE9").run(["true"])
    assert str(error.value) == "adb://PHONE9: is not attached (edge devices lists what is; is USB debugging on?)"


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    port = adb_server.nobody()
    monkeypatch.setenv(adb_link.PORT, str(port))
    with pytest.raises(DeviceFailed) as error:
        open_device("adb://PHONE1").run(["true"])
    assert str(error.value) == f"adb://PHONE1: no adb server answers on port {port} (adb start-server)"
    assert list(adb.find()) == []


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1"])
def test_a_port_that_is_none(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(adb_link.PORT, port)
    with pytest.raises(EdgeError) as error:
        adb_link.server_port()
    assert str(error.value) == f"ANDROID_ADB_SERVER_PORT: '{port}' is no port (unset ANDROID_ADB_SERVER_PORT)"


def test_what_is_attached(phone: Phone) -> None:
    phone.devices += "-evil device\n\n"
    assert list(adb.find()) == [Found("adb://PHONE1", "Pixel 5"), Found("adb://PHONE2", "unauthorized: allow USB debugging on its screen")]


def test_a_model_on_a_phone(phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [artifact.open(tiny.write(tmp_path / f"{i}.edge", options={"version": i})) for i in range(2)]
    device = open_device("adb://PHONE1")
    made = [flash(device, file) for file in files]
    assert (made[1].folder, rollback(device).version) == (f"{phone.home}/edge/tiny", made[0].version)
    assert cli.main(["verify", str(files[0].path), "--on", "adb://PHONE1"]) == 0
    assert cli.main(["profile", str(files[0].path), "--on", "adb://PHONE1", "--runs", "5", "--min-secs", "0"]) == 0
    assert "on adb://PHONE1: " in capsys.readouterr().out
