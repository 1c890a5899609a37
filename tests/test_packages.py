"""Debian packages come by apt into a folder of ours, are held against their hashes ever after, and make an archive that the kernel can read."""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.debian import initramfs, needed, packages, tools
from edge.errors import EdgeError, ToolFailed
from edge.images import debian_image

HASH = hashlib.sha256(b"deb").hexdigest()


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """apt-get that finds one package, `busybox-static`; gives the list of what it was asked."""
    asked: list[list[str]] = []

    def run(argv: list[str], folder: Path, **more: object) -> bytes:
        asked.append(argv)
        if "--print-uris" in argv:
            return f"'http://x/busybox.deb' busybox-static_1_arm64.deb 3 SHA256:{HASH}\n".encode()
        if argv[:2] == ["apt-get", "download"]:
            (folder / "busybox-static_1_arm64.deb").write_bytes(b"deb")
        return b""

    monkeypatch.setattr(tools, "run", run)
    monkeypatch.setattr(needed, "there", lambda program: program)
    monkeypatch.setattr(packages, "KEYRING", tmp_path)
    monkeypatch.setattr(Path, "is_file", lambda path: path.exists())
    return asked


def test_a_package_is_fetched_once(archive: list[list[str]], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    assert packages.fetch(["busybox-static"], folder) == [folder / "busybox-static_1_arm64.deb"]
    assert [argv[1] for argv in archive] == ["update", "download", "download"]
    packages.fetch(["busybox-static"], folder)
    assert len(archive) == 3


@pytest.mark.parametrize("record", ["", "[]", '{"busybox-static": 3}', '{"busybox-static": ["../x", "y"]}', '{"busybox-static": [1, 2]}'])
def test_a_broken_record_counts_as_none(record: str, archive: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "packages.json").write_text(record)
    packages.fetch(["busybox-static"], tmp_path)
    assert json.loads((tmp_path / "packages.json").read_text()) == {"busybox-static": ["busybox-static_1_arm64.deb", HASH]}


def test_a_package_that_was_changed_is_fetched_again(archive: list[list[str]], tmp_path: Path) -> None:
    packages.fetch(["busybox-static"], tmp_path)
    (tmp_path / "busybox-static_1_arm64.deb").write_bytes(b"evil")
    assert packages.fetch(["busybox-static"], tmp_path)[0].read_bytes() == b"deb"


def test_only_the_other_architecture_and_debians_key_are_known(archive: list[list[str]], tmp_path: Path) -> None:
    packages.fetch(["busybox-static"], tmp_path)
    conf = (tmp_path / "apt/apt.conf").read_text()
    assert 'APT::Architecture "arm64";\n' in conf and f'Dir "{tmp_path}/apt";\n' in conf
    line = f"deb [arch=arm64 signed-by={tmp_path}] http://deb.debian.org/debian bookworm main non-free-firmware\n"
    assert (tmp_path / "apt/etc/apt/sources.list").read_text() == line


NETWORK = "(is there a network? fetched packages are kept, so it is needed once)"


def test_what_cannot_be_fetched(archive: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EdgeError) as caught:
        packages.fetch(["-o=x"], tmp_path)
    assert str(caught.value) == "-o=x: is not the name of a Debian package"
    with pytest.raises(ToolFailed) as failed:
        packages.fetch(["other"], tmp_path)
    assert str(failed.value) == f"http://deb.debian.org/debian: package 'other' did not come as the archive's index describes it {NETWORK}"

    def offline(argv: list[str], folder: Path, **more: object) -> bytes:
        raise ToolFailed("apt-get", "Could not resolve 'deb.debian.org'")

    monkeypatch.setattr(tools, "run", offline)
    with pytest.raises(ToolFailed) as failed:
        packages.fetch(["other"], tmp_path)
    assert str(failed.value) == f"http://deb.debian.org/debian: packages could not be fetched: Could not resolve 'deb.debian.org' {NETWORK}"
    monkeypatch.setattr(packages, "KEYRING", Path("/none.gpg"))
    with pytest.raises(ToolFailed) as failed:
        packages.fetch(["other"], tmp_path)
    assert str(failed.value) == "/none.gpg: is missing: packages could not be checked (sudo apt-get install debian-archive-keyring)"
    monkeypatch.setattr(needed, "there", lambda program: None)
    with pytest.raises(ToolFailed) as failed:
        packages.fetch(["other"], tmp_path)
    elsewhere = f"(use Debian or Ubuntu, or copy {tmp_path} from there)"
    assert str(failed.value) == f"apt-get: is not installed: it fetches Debian's packages {elsewhere}"
    with pytest.raises(ToolFailed) as failed:
        packages.fetch(["other"], Path("/proc/none"))
    assert str(failed.value) == "/proc/none: cannot be written: No such file or directory (set XDG_CACHE_HOME to a folder you may write to)"
    assert not (tmp_path / "packages.json").exists()  # what failed is not remembered


def test_one_at_a_time_fetches(archive: list[list[str]], tmp_path: Path) -> None:
    with packages.ours(tmp_path):
        other = threading.Thread(target=packages.fetch, args=(["busybox-static"], tmp_path))
        other.start()
        other.join(0.2)
        assert archive == []
    other.join()
    assert len(archive) == 3


CACHE = "(remove the cache of packages and try again)"


def test_packages_that_hold_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "fetch", lambda names, folder: [tmp_path / f"{name}.deb" for name in names])
    monkeypatch.setattr(packages, "depends", lambda deb: ["kmod"])
    with pytest.raises(ToolFailed) as caught:
        packages.gathered("linux-image-arm64", [], debian_image.needed, tmp_path, lambda text: None)
    assert str(caught.value) == "linux-image-arm64.deb: names no kernel package (remove the cache of packages and try again)"
    for files, count in (({}, 0), ({"bin/busybox": b"", "usr/bin/busybox": b""}, 2)):
        with pytest.raises(ToolFailed) as caught:
            packages.only(files, "bin/busybox")
        assert str(caught.value) == f"Debian's packages: hold {count} files like bin/busybox {CACHE}"


def test_files_of_a_package(tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    tree, deb = tmp_path / "tree", tmp_path / "x_1_all.deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\nDepends: linux-image-6 (= 1), kmod | y, z:any\n"
    )
    (tree / "bin").mkdir()
    (tree / "bin/busybox").write_bytes(b"program")
    (tree / "bin/other").write_bytes(b"other")
    (tree / "bin/sh").symlink_to("busybox")
    subprocess.run([tool("dpkg-deb", "apt-get install dpkg"), "--root-owner-group", "-b", str(tree), str(deb)], check=True, capture_output=True)
    assert packages.files_of(deb, lambda path: path != "bin/other") == {"bin/busybox": b"program"}
    assert packages.depends(deb) == ["linux-image-6", "kmod", "z"]
    deb.write_bytes(deb.read_bytes()[:100])
    with pytest.raises(ToolFailed) as caught:
        packages.files_of(deb, lambda path: True)
    assert str(caught.value) == "x_1_all.deb: cannot be unpacked: empty file (remove it from the cache of packages and try again)"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("lib/modules/6.1.0/kernel/fs/ext4/ext4.ko", True),
        ("usr/lib/modules/6.12/kernel/fs/ext4/ext4.ko.xz", True),
        ("lib/modules/6.1.0/kernel/drivers/gpu/x.ko", False),
        ("bin/busybox", True),
        ("usr/share/doc/busybox", False),
        ("boot/vmlinuz-6.1.0", True),
        ("boot/System.map-6.1.0", False),
        ("usr/lib/linux-image-6.1.0/broadcom/bcm2837-rpi-3-b.dtb", True),
    ],
)
def test_what_is_needed_of_the_packages(path: str, wanted: bool) -> None:
    assert debian_image.needed(path) == wanted


def test_the_first_file_system_is_as_cpio_reads_it(tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    nodes = {
        "bin/busybox": initramfs.program(b"program"),
        "bin/sh": initramfs.link("busybox"),
        "etc/x/y": initramfs.file(b"odd"),
        "proc": initramfs.folder(),
    }
    archive = initramfs.cpio(nodes | {"dev/console": initramfs.CONSOLE})
    listed = subprocess.run([tool("cpio", "apt-get install cpio"), "-itv", "--quiet"], input=archive, capture_output=True, check=True)
    lines = [line.split() for line in listed.stdout.decode().splitlines()]
    assert [(words[0], words[-1]) for words in lines] == [
        ("drwxr-xr-x", "bin"),
        ("-rwxr-xr-x", "bin/busybox"),
        ("lrwxrwxrwx", "busybox"),
        ("drwxr-xr-x", "etc"),
        ("drwxr-xr-x", "etc/x"),
        ("-rw-r--r--", "etc/x/y"),
        ("drwxr-xr-x", "proc"),
        ("drwxr-xr-x", "dev"),
        ("crw-------", "dev/console"),
    ]
    assert lines[-1][4:6] == ["5,", "1"]


def test_modules_come_after_what_they_need() -> None:
    files = {"boot/vmlinuz": b""}
    for path, needs in {"a/ext4.ko": "jbd2,crc-x", "b/jbd2.ko": "", "b/crc_x.ko.xz": "jbd2", "c/other.ko": ""}.items():
        code = b"\x7fELF.modinfo\0license=GPL\0depends=" + needs.encode() + b"\0name=x\0"
        files[path] = lzma.compress(code) if path.endswith("xz") else code
    found = initramfs.modules_in_order(files, ["built_in", "ext4"])
    assert list(found) == ["jbd2", "crc_x", "ext4"]
    assert found["crc_x"].startswith(b"\x7fELF")
    del files["b/jbd2.ko"]
    with pytest.raises(ToolFailed) as caught:
        initramfs.modules_in_order(files, ["ext4"])
    assert str(caught.value) == "Debian's packages: the kernel's module ext4 needs jbd2, which is not among what was unpacked"
