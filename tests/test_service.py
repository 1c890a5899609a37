"""edge flash --service: the unit, for root and for others, and where there is no systemd."""

from __future__ import annotations

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
ConditionPathExists=/home/pi/100%%/tiny/current/model.edge

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart="/home/pi/100%%/tiny/current/model.edge" --verify

[Install]
WantedBy=default.target
"""


def test_a_unit_is_what_systemd_reads() -> None:
    assert service.unit_text("tiny", "/home/pi/100%/tiny", "default.target") == UNIT
    with pytest.raises(EdgeError) as error:
        service.unit_text("tiny", "/home/my pi", "default.target")
    assert str(error.value) == "path '/home/my pi': cannot stand in a systemd unit (choose a --folder without blanks, quotes, '$' and backslashes)"


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
