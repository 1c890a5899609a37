"""edge flash --service: the unit, for root and for others, and where there is no systemd."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge.artifact.reader import Artifact
from edge.devices import install, open_device, service
from edge.devices.device import Device, Ran
from edge.errors import DeviceFailed, EdgeError
from faults import Scripted

Files = list[Artifact]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """This machine, with its own place for artifacts."""
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return open_device("local")


MADE = install.Installed("local", "tiny", "/home/pi/edge/tiny", "abc", "")
UNIT = """[Unit]
Description=edge model tiny: check it against its test vectors
RequiresMountsFor=/home/pi/100%%/tiny
ConditionPathExists=/home/pi/100%%/tiny/current/model.edge

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=600
ExecStart="/home/pi/100%%/tiny/current/model.edge" --verify
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_READ_SEARCH

[Install]
WantedBy=multi-user.target
"""


def test_a_unit_is_what_systemd_reads() -> None:
    assert service.unit_text("tiny", "/home/pi/100%/tiny", system=True) == UNIT
    own = UNIT.replace("multi-user", "default").replace("CapabilityBoundingSet=CAP_DAC_READ_SEARCH\n", "")
    assert service.unit_text("tiny", "/home/pi/100%/tiny", system=False) == own
    with pytest.raises(EdgeError) as error:
        service.unit_text("tiny", "/home/my pi", system=False)
    assert str(error.value) == "path '/home/my pi': cannot stand in a systemd unit (choose a --folder without blanks, quotes, '$' and backslashes)"


@pytest.mark.parametrize("system", [True, False])
def test_systemd_finds_no_fault(system: bool, tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    """A word that systemd does not know is a warning: it must say nothing at all."""
    program = tmp_path / "100%" / "current" / "model.edge"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "edge-tiny.service"
    unit.write_text(service.unit_text("tiny", str(tmp_path / "100%"), system))
    verify = [tool("systemd-analyze", "apt-get install systemd"), "verify", "--man=no", *([] if system else ["--user"]), str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False, env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert (done.returncode, [line for line in done.stderr.splitlines() if "edge-tiny" in line]) == (0, [])


SYSTEMD = """#!/bin/sh
echo "systemctl $* in $XDG_RUNTIME_DIR" >>"$0.log"
"""
LOGIND = """#!/bin/sh
echo "loginctl $*" >>"${0%loginctl}systemctl.log"
exit CODE
"""


@pytest.mark.parametrize("code", [0, 1])
def test_a_users_own_unit_starts_without_a_login(code: int, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's systemd runs while that user is logged in, unless it is told to linger; where it may not, that is said."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("systemctl", SYSTEMD), ("loginctl", LOGIND.replace("CODE", str(code))), ("id", "#!/bin/sh\necho 1000\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if code:
        with pytest.raises(DeviceFailed) as error:
            service.install_service(device, MADE)
        what = "edge-tiny.service is installed, but starts only when this user logs in"
        assert str(error.value) == f"local: {what} (sudo loginctl enable-linger there, with the user's name)"
    else:
        assert service.install_service(device, MADE) == "edge-tiny.service"
    assert (tmp_path / ".config/systemd/user/edge-tiny.service").read_text() == service.unit_text("tiny", MADE.folder, system=False)
    where = "in /run/user/1000"
    assert (tools / "systemctl.log").read_text().splitlines() == [
        "loginctl enable-linger",
        f"systemctl --user daemon-reload {where}",
        f"systemctl --user enable edge-tiny.service {where}",
        f"systemctl --user restart edge-tiny.service {where}",
    ]


def test_a_check_that_takes_minutes_is_waited_for(device: Device) -> None:
    """systemctl restart comes back when the check is over."""
    waited: list[float] = []

    class Slow(Scripted):
        def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
            waited.append(timeout)
            return super().run(argv, timeout=timeout, stdin=stdin)

    service.install_service(Slow(device, lambda argv: Ran(0, b"uid=0\nhome=/root\n", b"")), MADE)
    assert waited[-1] > install.HEALTH_SECONDS


@pytest.mark.parametrize(
    ("uid", "words"),
    [("0", ["/etc/systemd/system", "edge-tiny.service", "--system"]), ("1000", ["/home/pi/.config/systemd/user", "edge-tiny.service", "--user"])],
)
def test_a_service_is_installed(device: Device, uid: str, words: list[str]) -> None:
    systemd = Scripted(device, lambda argv: Ran(0, f"uid={uid}\nhome=/home/pi\n".encode(), b""))
    assert service.install_service(systemd, MADE) == "edge-tiny.service"
    assert systemd.seen[1][4:] == words


@pytest.mark.parametrize(
    ("step", "ran", "message"),
    [
        ("command -v", Ran(40, b"", b""), "has no systemd, so --service cannot be had (start it by its own init; the model is installed)"),
        ("command -v", Ran(1, b"", b"sh: odd"), "asking for systemd failed: sh: odd (edge doctor DEVICE looks for the cause)"),
        (
            "mkdir",
            Ran(1, b"", b"Failed to connect to bus: x"),
            "has a systemd that does not answer this user (loginctl enable-linger there, or flash as root)",
        ),
        ("mkdir", Ran(1, b"", b"Job failed."), "starting edge-tiny.service failed: Job failed. (edge doctor DEVICE looks for the cause)"),
    ],
)
def test_a_service_that_cannot_be_had(device: Device, step: str, ran: Ran, message: str) -> None:
    sick = Scripted(device, lambda argv: ran if step in argv[2] else Ran(0, b"uid=0\nhome=/root\n", b""))
    with pytest.raises(DeviceFailed) as error:
        service.install_service(sick, MADE)
    assert str(error.value) == f"local: {message}"
