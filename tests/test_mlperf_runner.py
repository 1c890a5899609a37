"""The device's side of the MLPerf Tiny protocol: a conversation with the runner through a pipe, and with one under sanitizers that is lied to."""

from __future__ import annotations

import os
import pty
import random
import re
import shutil
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

import tiny

MIXED = tiny.PROGRAM.parent / "mixed_program.c"
BYTES = struct.pack("<3b3f", -128, 0, 127, 0.5, -1.25, 3e9).hex()
BOOT = "m-timestamp-mode-performance\nm-lap-us-T\nm-init-done\nm-ready\n"
FIRMWARE = "ULPMark for tinyML Firmware V0.0.1"
HELP = f"""{FIRMWARE}

help, name, timestamp, profile, results
db load N    : expect N bytes of input
db HH[HH]*   : the next of them
db print     : all of them
infer N [W=10]: N inferences between two timestamps, after W"""
LOADED = f"db load 15%db {BYTES}%"
OUTSIDE = LOADED.replace(BYTES, struct.pack("<3b3f", 99, 0, 127, 0.5, -1.25, 3e9).hex())
LOADED_SAID = "m-[Expecting 15 bytes]\nm-ready\nm-load-done\nm-ready"
RESULTS = "m-results-[-128.000,0.000,127.000,0.500,-1.250,3000000000.000,-128.000,0.000,127.000]"


def inference(count: int, warmup: int) -> str:
    stamps = f"m-infer-start-{count}\nm-lap-us-T\nm-lap-us-T\nm-infer-done"
    return f"m-warmup-start-{warmup}\nm-warmup-done\n{stamps}\n{RESULTS}"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of mixed types; with sanitizers where there is a gcc."""
    flags = tiny.SANITIZE if shutil.which("gcc") else []
    executable = tiny.runner(*flags, program=MIXED).read_bytes()
    return tiny.write(tmp_path_factory.mktemp("mixed") / "mixed.edge", executable=executable)


def converse(path: Path, commands: bytes, *words: str) -> str:
    """What it says; every line must end in CR LF.  Times become T."""
    done = subprocess.run([str(path), "--mlperf", *words], input=commands, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("ascii")
    assert text.count("\n") == text.count("\r\n")
    return re.sub(r"m-lap-us-\d+", "m-lap-us-T", text.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ("name%", "m-name-dut-[edge-x86-64]"),
        ("profile%", f"m-profile-[{FIRMWARE}]\nm-model-[mixed]"),
        ("timestamp%", "m-lap-us-T"),
        ("help%", HELP),
        ("results%", "e-[No inference yet]"),
        ("name%name%", "m-name-dut-[edge-x86-64]\nm-ready\nm-name-dut-[edge-x86-64]"),
        ("\r\nna\r\nme%\r\n", "m-name-dut-[edge-x86-64]"),
        ("  name  x %", "m-name-dut-[edge-x86-64]"),
        ("%", ""),
        ("   %", ""),
        ("NAME%", "e-[Unknown command: NAME]"),
        ("na\0me\x1b[2J\x80%", "e-[Unknown command: na?me?[2J?]"),
        ("x" * 80 + "%", f"e-[Unknown command: {'x' * 80}]"),
        ("x" * 81 + "%", "e-[Command exceeds 80 characters]"),
        ("x" * 100_000 + "%name%", "e-[Command exceeds 80 characters]\nm-ready\nm-name-dut-[edge-x86-64]"),
        ("db%", "e-[Command 'db' requires a subcommand]"),
        ("db load%", "e-[Command 'db load' requires the # of bytes]"),
        ("db load 0%", "e-[Command 'db load' must be >0 bytes]"),
        ("db load -1%", "e-[Command 'db load' must be >0 bytes]"),
        ("db load 1x%", "e-[Command 'db load' must be >0 bytes]"),
        ("db load 15%", "m-[Expecting 15 bytes]"),
        ("db load 16%", "e-[Supplied buffer size 16 exceeds maximum of 15]"),
        ("db load 99999999999999999999%", f"e-[Supplied buffer size {2**63 - 1} exceeds maximum of 15]"),
        ("db 00%", "e-[Command 'db' needs 'db load' first]"),
        ("db load 2%db 0a%", "m-[Expecting 2 bytes]\nm-ready"),
        ("db load 2%db 0aFf%db 00%", "m-[Expecting 2 bytes]\nm-ready\nm-load-done\nm-ready\ne-[Command 'db' needs 'db load' first]"),
        ("db load 2%db 0a0b0c%db print%", "m-[Expecting 2 bytes]\nm-ready\nm-load-done\nm-ready\nm-buffer-0a-0b"),
        ("db load 2%db 0%", "m-[Expecting 2 bytes]\nm-ready\ne-[Insufficent number of hex digits]"),
        ("db load 2%db 0g%", "m-[Expecting 2 bytes]\nm-ready\ne-[Invalid hex digit '0g']"),
        ("db load 2%db -1%", "m-[Expecting 2 bytes]\nm-ready\ne-[Invalid hex digit '-1']"),
        ("db print%", ""),
        (f"{LOADED}db print%", f"{LOADED_SAID}\nm-buffer-80-00-7f-00-00-00-3f-00\nm-buffer-00-a0-bf-5e-d0-32-4f"),
        ("infer 1%", "e-[Input db has 0 bytes, expected 15]"),
        ("db load 1%db 00%infer 1%", "m-[Expecting 1 bytes]\nm-ready\nm-load-done\nm-ready\ne-[Input db has 1 bytes, expected 15]"),
        (f"{LOADED}infer%", f"{LOADED_SAID}\n{inference(1, 10)}"),
        (f"{LOADED}infer 7 0%", f"{LOADED_SAID}\n{inference(7, 0)}"),
        (f"{LOADED}infer 2 3%results%", f"{LOADED_SAID}\n{inference(2, 3)}\nm-ready\n{RESULTS}"),
        (f"{OUTSIDE}infer%", f"{LOADED_SAID}\nm-warmup-start-10\ne-[Copy 'y': index 9 is outside an axis of 3]"),
        (
            f"{OUTSIDE}infer 1 0%results%{LOADED}infer%",
            f"{LOADED_SAID}\nm-warmup-start-0\nm-warmup-done\nm-infer-start-1\nm-lap-us-T\n"
            "e-[Copy 'y': index 9 is outside an axis of 3]\nm-ready\ne-[No inference yet]\nm-ready\n"
            f"{LOADED_SAID}\n{inference(1, 10)}",
        ),
        ("infer 0%", "e-[Inference iterations must be >0]"),
        ("infer -1%", "e-[Inference iterations must be >0]"),
        ("infer 1x%", "e-[Inference iterations must be >0]"),
        ("infer 99999999999999999999%", "e-[Inference iterations must be >0]"),
        ("infer 1 -1%", "e-[Inference warmup must be >=0]"),
        ("infer 1 x%", "e-[Inference warmup must be >=0]"),
    ],
)
def test_a_command_and_its_answer(commands: str, said: str, mixed: Path) -> None:
    assert converse(mixed, commands.encode("latin-1")) == f"{BOOT}{said}{chr(10) if said else ''}m-ready\n"


@pytest.mark.parametrize("unfinished", ["", "name", "db load 15%db 80", "\0" * 600])
def test_what_is_not_finished_is_not_answered(unfinished: str, mixed: Path) -> None:
    answered = "m-[Expecting 15 bytes]\nm-ready\n" if "%" in unfinished else ""
    assert converse(mixed, unfinished.encode()) == BOOT + answered


def test_noise_breaks_nothing(mixed: Path) -> None:
    """Commands with bytes exchanged, lost and doubled: only known lines come back, and the name at the end."""
    noise = random.Random(5)
    said: list[str] = []
    for _ in range(20):
        commands = bytearray(f"name%{LOADED}infer 2 1%db print%profile%results%help%timestamp%".encode() * 3)
        for _ in range(noise.randrange(40)):
            at = noise.randrange(len(commands))
            commands[at : at + noise.randrange(2)] = bytes(noise.randrange(256) for _ in range(noise.randrange(3)))
        commands = bytearray(re.sub(rb"infer \d*", b"infer 2", bytes(commands)))
        said += converse(mixed, bytes(commands) + b"%name%").splitlines()
        assert said[-2:] == ["m-name-dut-[edge-x86-64]", "m-ready"]
    known = rf"(m-|e-\[)[ -~]*|({'|'.join(re.escape(line) for line in HELP.splitlines())})"
    assert [line for line in said if not re.fullmatch(known, line)] == []


@pytest.mark.parametrize(("name", "said"), [("kws01", "kws01"), ("a]b\x1b c\n", "a?b? c?"), ("-", "-"), ("x" * 200, "x" * 127)])
def test_the_model_has_the_name_it_is_given(name: str, said: str, mixed: Path) -> None:
    assert f"m-model-[{said}]\n" in converse(mixed, b"profile%", "--model-id", name)


def test_in_energy_mode_a_pin_tells_the_time_and_the_line_is_still(mixed: Path, tmp_path: Path) -> None:
    pin = tmp_path / "value"
    pin.touch()
    said = converse(mixed, f"{LOADED}infer 2 3%timestamp%".encode(), "--pin", str(pin))
    still = inference(2, 3).replace("m-lap-us-T\n", "")
    assert said == f"m-timestamp-mode-energy\nm-init-done\nm-ready\n{LOADED_SAID}\n{still}\nm-ready\nm-ready\n"
    assert pin.read_text() == "01" * 4  # at the start, twice around the inferences, when asked


def test_a_pin_that_cannot_be_written_is_told(mixed: Path) -> None:
    assert converse(mixed, b"timestamp%", "--pin", "/dev/full").count("e-[Timestamp pin: No space left on device]\n") == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--pin", "/no/such"], "/no/such: No such file or directory"),
        (["--tty", "/no/such"], "/no/such: No such file or directory"),
        (["--tty", "/dev/null"], "/dev/null: is no tty"),
        (["--tty", "/dev/null", "--baud", "300"], "--baud: no rate of 300 (9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], line: str, mixed: Path) -> None:
    done = subprocess.run([str(mixed), "--mlperf", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"edge: {line}\n")


def read_until(fd: int, end: bytes) -> bytes:
    data, limit = b"", time.monotonic() + 20
    while not data.endswith(end):
        assert time.monotonic() < limit, data
        data += os.read(fd, 4096)
    return data


@pytest.mark.parametrize(("words", "speed"), [([], termios.B115200), (["--baud", "57600"], termios.B57600), (["--pin", "/dev/null"], termios.B9600)])
def test_on_a_tty_it_speaks_raw_and_gives_it_back(words: list[str], speed: int, mixed: Path) -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    child = subprocess.Popen([str(mixed), "--mlperf", "--tty", os.ttyname(slave), *words], stdin=subprocess.DEVNULL)
    try:
        read_until(master, b"m-ready\r\n")
        assert termios.tcgetattr(slave)[4:6] == [speed, speed]
        os.write(master, b"name%")
        assert read_until(master, b"m-ready\r\n") == b"m-name-dut-[edge-x86-64]\r\nm-ready\r\n"  # no echo, no second CR
        child.terminate()
        assert child.wait(20) == 0
        assert termios.tcgetattr(slave)[:4] == before[:4]
    finally:
        child.kill()
        child.wait()
        os.close(master)
        os.close(slave)


def test_a_run_that_is_stopped_is_no_run(mixed: Path) -> None:
    child = subprocess.Popen([str(mixed), "--mlperf"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin and child.stdout
    child.stdin.write(f"{LOADED}infer 1000000000 0%".encode())
    child.stdin.flush()
    while child.stdout.readline() != b"m-infer-start-1000000000\r\n":
        assert child.poll() is None
    assert child.stdout.readline().startswith(b"m-lap-us-")
    child.terminate()
    assert (child.communicate(timeout=20)[0], child.returncode) == (b"m-ready\r\n", 0)


def test_a_host_that_goes_away_ends_it(mixed: Path) -> None:
    child = subprocess.Popen([str(mixed), "--mlperf"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin and child.stdout
    child.stdout.close()
    child.stdin.write(b"name%" * 1000)
    child.stdin.close()
    assert child.wait(20) == 0
