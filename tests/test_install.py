"""edge flash and edge rollback: every way to be interrupted leaves a version that runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from edge import artifact, cli
from edge.artifact.reader import Artifact
from edge.devices import install, open_device
from edge.devices.checksum import sums_of
from edge.devices.device import Device, Facts, Ran
from edge.devices.install import flash, rollback
from edge.devices.lock import mark, safe_name
from edge.errors import CheckFailed, DeviceFailed, EdgeError
from faults import Scripted

pytestmark = pytest.mark.slow

Files = list[Artifact]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Three versions of one model."""
    folder = tmp_path_factory.mktemp("models")
    return [artifact.open(tiny.write(folder / f"v{i}.edge", options={"version": i})) for i in range(3)]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """This machine, with its own place for artifacts."""
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return open_device("local")


def version(model: Artifact) -> str:
    return sums_of(model.path).sha256[:12]


def runs(root: Path) -> bool:
    """Is there a current version, whole?"""
    return subprocess.run([root / "current" / "model.edge", "--verify"], capture_output=True, check=False).returncode == 0


def now(root: Path) -> str:
    return (root / "current").readlink().name


def test_flash_then_flash_then_rollback(models: Files, device: Device, tmp_path: Path) -> None:
    root, names = tmp_path / "edge" / "tiny", [version(m) for m in models]
    assert flash(device, models[0]) == install.Installed("local", "tiny", str(root), names[0], "")
    assert flash(device, models[1]).previous == names[0]
    assert (now(root), runs(root), (root / "previous" / "model.edge").read_bytes() == models[0].path.read_bytes()) == (names[1], True, True)
    assert rollback(device) == install.Installed("local", "tiny", str(root), names[0], names[1])
    assert (now(root), runs(root)) == (names[0], True)
    assert not (root / ".lock").is_symlink()


def test_two_good_versions_are_kept(models: Files, device: Device, tmp_path: Path) -> None:
    for model in models:
        flash(device, model)
    assert {path.name for path in (tmp_path / "edge" / "tiny" / "versions").iterdir()} == {version(m) for m in models[1:]}


def test_flashing_what_is_there_changes_nothing(models: Files, device: Device, tmp_path: Path) -> None:
    first, second = flash(device, models[0]), flash(device, models[1])
    assert flash(device, models[1]) == second
    assert rollback(device).version == first.version


def test_only_what_flash_made_is_removed(models: Files, device: Device, tmp_path: Path) -> None:
    """Somebody has moved the versions to a larger disk, where other things lie."""
    root, disk = tmp_path / "edge" / "tiny", tmp_path / "disk"
    flash(device, models[0])
    (root / "versions").rename(disk)
    (root / "versions").symlink_to(disk)
    (disk / "photos").mkdir()
    (disk / "0123456789ab").mkdir()
    (disk / "0123456789abc").mkdir()
    flash(device, models[1])
    assert {path.name for path in disk.iterdir()} == {"photos", "0123456789abc", *map(version, models[:2])}
    assert runs(root)


def test_back_and_forth(models: Files, device: Device, tmp_path: Path) -> None:
    for model in (models[0], models[1], models[0]):
        flash(device, model)
    assert [rollback(device).version for _ in range(2)] == [version(models[1]), version(models[0])]


def test_a_damaged_version_is_sent_again(models: Files, device: Device, tmp_path: Path) -> None:
    flash(device, models[0])
    file = tmp_path / "edge" / "tiny" / "current" / "model.edge"
    file.write_bytes(b"\0" * 100)
    flash(device, models[0])
    assert runs(tmp_path / "edge" / "tiny")


def refusals() -> list[tuple[str, Callable[[Facts], Facts], str]]:
    return [
        (
            "architecture",
            lambda f: replace(f, machine="aarch64"),
            "v0.edge: is for x86_64, local is aarch64 (build it for that device: edge targets lists what there is)",
        ),
        (
            "feature",
            lambda f: replace(f, features=tuple(set(f.features) - {"popcnt", "avx512f", "avx2", "sse4_2"})),
            "v0.edge: needs what the CPU of local does not have: sse4_2 popcnt (build it for that device, or for a family with lower levels)",
        ),
    ]


@pytest.mark.parametrize(("change", "message"), [r[1:] for r in refusals()], ids=[r[0] for r in refusals()])
def test_what_cannot_run_is_not_sent(models: Files, device: Device, tmp_path: Path, change: Callable[[Facts], Facts], message: str) -> None:
    with pytest.raises(EdgeError) as error:
        flash(Scripted(device, lambda argv: None, change(device.facts())), models[0])
    assert (str(error.value), error.value.exit_code, (tmp_path / "edge").exists()) == (message, 2, False)


def says(code: int, stdout: str = "", stderr: str = "") -> Callable[[list[str]], Ran]:
    return lambda argv: Ran(code, stdout.encode(), stderr.encode())


def test_a_device_that_is_full(models: Files, device: Device) -> None:
    told = "root=/x\nlock=a,1,b,2\nfree_kb=100\n"
    full = Scripted(device, lambda argv: Ran(0, told.encode(), b"") if "tiny" in argv else Ran(0, b"", b""))
    size = (models[0].size + (1 << 20)) / 1e6
    with pytest.raises(DeviceFailed) as error:
        flash(full, models[0])
    assert str(error.value) == f"local: has 0.1 MB free, v0.edge needs {size:.1f} MB (free some space there: df -h)"


def test_what_has_arrived_needs_no_room_again(models: Files, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cable was pulled on a card that has room for one more version, and that version's first half lies on it."""
    versions, half = tmp_path / "edge" / "tiny" / "versions", models[0].path.read_bytes()[: models[0].size // 2]
    (tmp_path / "bin").mkdir()
    df = tmp_path / "bin" / "df"
    free = (models[0].size + (1 << 20)) // 1024 - 8
    df.write_text(f"#!/bin/sh\necho Filesystem 1024-blocks Used Available\necho /dev/x 9999 9 {free} 1% /\n")
    df.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(DeviceFailed) as error:
        flash(device, models[0])
    assert str(error.value).endswith(" MB (free some space there: df -h)")
    (versions / version(models[0])).mkdir()
    (versions / version(models[0]) / f".model.edge.{version(models[0])}.part").write_bytes(half)
    assert flash(device, models[0]).version == now(tmp_path / "edge" / "tiny")


def test_a_wrong_answer_there_is_no_new_version(models: Files, device: Device, tmp_path: Path) -> None:
    flash(device, models[0])
    sick = Scripted(device, lambda argv: Ran(1, b"WRONG", b"") if "--verify" in argv else None)
    with pytest.raises(CheckFailed) as error:
        flash(sick, models[1])
    cure = "edge verify --on DEVICE --per-layer shows where"
    assert str(error.value) == f"local: v1.edge computes something else there than where it was built ({cure})"
    root = tmp_path / "edge" / "tiny"
    assert (now(root), [p.name for p in (root / "versions").iterdir()], (root / ".lock").is_symlink()) == (
        version(models[0]),
        [version(models[0])],
        False,
    )


def test_a_program_that_does_not_start_there(models: Files, device: Device) -> None:
    sick = Scripted(device, lambda argv: Ran(126, b"", b"sh: model.edge: Permission denied, noexec") if "--verify" in argv else None)
    with pytest.raises(DeviceFailed) as error:
        flash(sick, models[0])
    cure = "another --folder, or sudo mount -o remount,exec there"
    assert str(error.value) == f"local: running v0.edge failed: programs may not run there ({cure})"


def test_nothing_to_go_back_to(models: Files, device: Device, tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as error:
        rollback(device)
    assert str(error.value) == "local: has no model that edge flash put there (edge flash A.edge --to DEVICE)"
    flash(device, models[0])
    with pytest.raises(EdgeError) as error:
        rollback(device)
    assert str(error.value) == f"local: has no earlier version in {tmp_path}/edge/tiny (edge flash puts one there)"
    (tmp_path / "edge" / "other").mkdir()
    (tmp_path / "edge" / "other" / "current").symlink_to("versions/x")
    with pytest.raises(EdgeError) as error:
        rollback(device)
    assert str(error.value) == "local: has several models: other, tiny (say which: --name NAME)"


def test_a_model_that_is_not_there(models: Files, device: Device, tmp_path: Path) -> None:
    """A typing error makes no folder on the device, and says what there is."""
    for model in models[:2]:
        flash(device, model)
    (tmp_path / "edge" / "no name of ours").mkdir()
    (tmp_path / "edge" / "no name of ours" / "current").symlink_to("x")
    for name, cure in (("tinny", "did you mean 'tiny'?"), ("x", "there is tiny")):
        with pytest.raises(EdgeError) as error:
            rollback(device, name)
        assert str(error.value) == f"local: has no model '{name}' that edge flash put there ({cure})"
    assert sorted(path.name for path in (tmp_path / "edge").iterdir()) == ["no name of ours", "tiny"]
    assert rollback(device).version == version(models[0])


def test_a_lock_needs_no_block_of_a_full_disk(models: Files, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ext4 keeps a link of less than 60 letters in its inode."""
    monkeypatch.setenv("LOGNAME", "somebody.with.a.long.name")
    monkeypatch.setattr(socket, "gethostname", lambda: "a-laptop-of-the-department-of-long-names")
    seen: list[str] = []

    def look(argv: list[str]) -> None:
        if "--verify" in argv:
            seen.append(str((tmp_path / "edge" / "tiny" / ".lock").readlink()))

    flash(Scripted(device, look), models[0])
    assert [len(link) < 60 for link in seen] == [True]
    assert "somebody.with.a.long.nam," in seen[0]


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as a number that /etc/passwd does not know."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert mark().startswith("54321@")


def locks() -> list[tuple[str, str, bool]]:
    """who holds it -> is it stale?  BOOT and UP are the device's."""
    me, pid, here = mark().split(",")
    return [
        ("another user, just now", "BOOT,UP,ann@desk,77", False),
        ("me, and I am alive", f"BOOT,UP,{me},{pid},{here}", False),
        ("me, and that process has ended", f"BOOT,UP,{me},{2**22 + 1},{here}", True),
        ("my namesake on another machine of that name", f"BOOT,UP,{me},{2**22 + 1},other", False),
        ("a process with a number of 5000 digits", f"BOOT,UP,{me},{'9' * 3000},{here}", False),
        ("a time of 3000 digits", f"BOOT,{'9' * 3000},ann@desk,77", True),
        ("another user, before the device rebooted", "1-2-3,UP,ann@desk,77", True),
        ("another user, hours ago", "BOOT,-9999,ann@desk,77", True),
        ("nobody we can read", "garbage", True),
    ]


@pytest.mark.parametrize(("owner", "stale"), [lock[1:] for lock in locks()], ids=[lock[0] for lock in locks()])
def test_two_at_once(models: Files, device: Device, tmp_path: Path, owner: str, stale: bool) -> None:
    root, up = tmp_path / "edge" / "tiny", int(float(Path("/proc/uptime").read_text().split()[0]))
    root.mkdir(parents=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().split("-")[0]
    (root / ".lock").symlink_to(owner.replace("BOOT", boot).replace("UP", str(up)))
    if stale:
        assert flash(device, models[0]).version == now(root)
        return
    name = owner.split(",")[2]
    with pytest.raises(DeviceFailed) as error:
        flash(device, models[0])
    assert str(error.value) == f"local: {name} is flashing tiny there right now (wait, or if that has died: rm {root}/.lock there)"
    assert not (root / "current").exists()


@pytest.mark.slow
def test_two_real_users_at_once(models: Files, device: Device, tmp_path: Path) -> None:
    """Each either wins or is told; in the end one of the two is current, whole, and the lock is free."""
    root = tmp_path / "edge" / "tiny"
    words = [[sys.executable, "-m", "edge", "flash", str(model.path), "--to", "local"] for model in models[:2]]
    users = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for argv in words]
    for user in users:
        _, said = user.communicate(timeout=120)
        assert (user.returncode, said) == (0, "") or (user.returncode, " is flashing tiny there right now (wait, or " in said) == (3, True)
    assert 0 in [user.returncode for user in users]
    assert (runs(root), now(root) in [version(m) for m in models[:2]], (root / ".lock").is_symlink()) == (True, True, False)


def test_a_lock_that_was_taken_over_is_noticed(models: Files, device: Device, tmp_path: Path) -> None:
    root = tmp_path / "edge" / "tiny"

    def steal(argv: list[str]) -> None:
        if "--verify" in argv:
            (root / ".lock").unlink()
            (root / ".lock").symlink_to("a,b,c,d")

    with pytest.raises(DeviceFailed) as error:
        flash(Scripted(device, steal), models[0])
    assert str(error.value) == f"local: somebody else took over {root} (flash again)"


def test_what_another_has_made_current_meanwhile_stays(models: Files, device: Device, tmp_path: Path) -> None:
    """They took over our lock and switched to the version that is, for us, no good."""
    root = tmp_path / "edge" / "tiny"

    def steal(argv: list[str]) -> Ran | None:
        if "--verify" not in argv:
            return None
        (root / ".lock").unlink()
        (root / "current").symlink_to(f"versions/{version(models[0])}")
        return Ran(1, b"WRONG", b"")

    with pytest.raises(CheckFailed):
        flash(Scripted(device, steal), models[0])
    assert runs(root)


def test_a_folder_of_ones_own(models: Files, device: Device, tmp_path: Path) -> None:
    assert flash(device, models[0], folder=str(tmp_path / "opt")).folder == str(tmp_path / "opt" / "tiny")


@pytest.mark.parametrize("folder", ["-x", "~/x", "a\nb", "../up", "/a/../b"])
def test_a_hostile_folder(models: Files, device: Device, folder: str) -> None:
    with pytest.raises(EdgeError) as error:
        flash(device, models[0], folder=folder)
    assert str(error.value) == f"path '{' '.join(folder.split())}': is no path for a device (like /opt/edge: no '..', no '-' or '~' in front)"


@pytest.mark.parametrize(
    ("name", "safe"),
    [("net", "net"), ("-rf", "rf"), ("../../etc/x", "_.._etc_x"), ("a b;rm\n", "a_b_rm_"), ("é" * 99, "_" * 60), ("...", "model"), ("", "model")],
)
def test_a_models_name_is_a_folders_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_only_busybox(models: Files, device: Device, tmp_path: Path, tool: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A board whose every command is busybox's."""
    busybox, folder = tool("busybox", "apt-get install busybox"), tmp_path / "bin"
    folder.mkdir()
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        (folder / name).symlink_to(busybox)
    monkeypatch.setenv("PATH", str(folder))
    for model in models[:2]:
        flash(device, model)
    assert rollback(device).version == version(models[0])
    assert runs(tmp_path / "edge" / "tiny")


def test_the_commands(models: Files, device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = version(models[0]), version(models[1])
    root = tmp_path / "edge" / "tiny"
    assert [cli.main(["flash", str(model.path), "--to", "local"]) for model in models[:2]] == [0, 0]
    assert cli.main(["rollback", "local"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"local: {root}/current is tiny {first}, checked there",
        f"local: {root}/current is tiny {second}, checked there; before: {first}",
        f"local: {root}/current is tiny {first} again; it was {second}",
    ]
