"""What a device is called, and the one way to quote: nothing hostile comes through."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edge.devices import kinds, open_device
from edge.devices.quoting import sh_line
from edge.devices.uri import GRAMMARS, Uri, parse_uri
from edge.errors import EdgeError
from house import members


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
    assert str(error.value) == "device 'virtual://rpi4': not supported yet (use one of: local, ssh)"


@given(some.lists(some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5))
def test_a_shell_sees_the_words_as_they_are(words: list[str]) -> None:
    line = sh_line(["printf", "%s\\0", *words])
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert done.stdout == b"".join(word.encode() + b"\0" for word in words)


def test_a_nul_is_refused() -> None:
    with pytest.raises(EdgeError) as error:
        sh_line(["a\0b"])
    assert str(error.value) == "a b: holds a NUL character, which no program can be given (choose another name)"
