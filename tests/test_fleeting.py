"""A folder that a restart of the device empties is told: in memory, under an overlay in memory, /tmp for want of a home."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import tiny
from edge import cli
from edge.devices import install_scripts
from edge.devices.scripts import FLEETING

DISK = "/dev/root / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n"
OVERLAY = "/dev/mmcblk0p2 /media/root-ro ext4 ro 0 0\ntmpfs-root /media/root-rw tmpfs rw 0 0\n"
OVERLAY += "overlayroot / overlay rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay,workdir=/media/root-rw/work 0 0\n"
HIDDEN = "overlay / overlay rw,lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work 0 0\n"
OPENWRT = "/dev/mtdblock6 /overlay jffs2 rw 0 0\noverlayfs:/overlay / overlay rw,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work 0 0\n"
UNDER = "its root is an overlay in memory"


@pytest.mark.parametrize(
    ("mounts", "cmdline", "folder", "why"),
    [
        (DISK, "quiet", "/home/pi/edge", ""),
        (DISK, "quiet", "/tmp/edge/net", "/tmp is emptied by it"),
        (DISK, "quiet", "/tmp", "/tmp is emptied by it"),
        (DISK, "quiet", "/tmpfiles", ""),
        (DISK, "quiet", "/tmp/mine", ""),  # somebody's choice
        (DISK, "quiet", "/run/user/1000", "/run is tmpfs, in memory"),
        (DISK, "quiet", "/running", ""),
        (DISK + "tmpfs /tmp tmpfs rw 0 0\n", "quiet", "/tmp/edge", "/tmp is tmpfs, in memory"),
        ("rootfs / rootfs rw 0 0\n", "quiet", "/root", "/ is rootfs, in memory"),
        ("rootfs / rootfs rw 0 0\n" + DISK, "quiet", "/root", ""),
        (DISK + "/dev/sda1 /home ext4 rw 0 0\n", "quiet", "/home/a b", ""),
        (OVERLAY, "quiet", "/home/pi", UNDER),
        (OVERLAY + "/dev/sda1 /home ext4 rw 0 0\n", "quiet", "/home/pi", ""),
        (HIDDEN, "quiet boot=overlay", "/home/pi", UNDER),
        (HIDDEN, "overlayroot=tmpfs:recurse=0 quiet", "/home/pi", UNDER),
        (HIDDEN, "quiet", "/home/pi", ""),  # a container's: nobody knows
        (OPENWRT, "quiet", "/root", ""),
        (OPENWRT.replace("/dev/mtdblock6 /overlay jffs2", "tmpfs /overlay tmpfs"), "quiet", "/root", UNDER),
    ],
)
@pytest.mark.parametrize("shell", ["sh", "busybox"])
def test_what_a_restart_empties(
    mounts: str, cmdline: str, folder: str, why: str, shell: str, tmp_path: Path, tool: Callable[[str, str], str]
) -> None:
    (tmp_path / "mounts").write_text(mounts)
    (tmp_path / "cmdline").write_text(cmdline + "\n")
    text = FLEETING.replace("/proc/", f"{tmp_path}/") + 'edge_fleeting "$1"'
    argv = [tool("busybox", "apt-get install busybox"), "sh"] if shell == "busybox" else [shell]
    ran = subprocess.run([*argv, "-c", text, "sh", folder], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert (ran.stdout, ran.stderr) == (f"fleeting={why}\n" if why else "", "")


def test_who_chose_the_place_is_not_told(tmp_path: Path) -> None:
    argv = ["sh", "-c", FLEETING + "edge_fleeting /tmp/x", "sh"]
    assert subprocess.run(argv, capture_output=True, check=True, env={"EDGE_HOME": "/tmp", "PATH": "/usr/bin:/bin"}).stdout == b""


@pytest.mark.slow
def test_flash_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a table of mounts in which this home lies in memory."""
    (tmp_path / "mounts").write_text(f"{DISK}tmpfs {tmp_path} tmpfs rw 0 0\n")
    monkeypatch.delenv("EDGE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(install_scripts, "BEGIN", install_scripts.BEGIN.replace("/proc/mounts", f"{tmp_path}/mounts"))
    assert cli.main(["flash", str(tiny.write(tmp_path / "tiny.edge", files={})), "--to", "local"]) == 0
    why = f"{tmp_path} is tmpfs, in memory"
    wanted = f"local: note: a restart of the device undoes this: {why} (--folder PATH on a disk keeps it)"
    assert capsys.readouterr().err.splitlines() == [wanted]
