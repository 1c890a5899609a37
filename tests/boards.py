"""Virtual boards for tests: a folder of their own for their disks; the packages they are made of stay in the user's cache.

    from boards import boards as boards    # `boards` and `booted` are fixtures

Without QEMU, or without Debian's archive and its packages in the cache, the tests are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.debian import packages
from edge.devices import virtual
from edge.devices.boards.parts import parts
from edge.errors import ToolFailed

UNREACHABLE = "Debian's archive cannot be reached"


def skip_without_archive(error: ToolFailed) -> None:
    """Only for want of a network; anything else is a failure."""
    if error.cure != packages.NETWORK:
        raise error
    pytest.skip(f"{UNREACHABLE}: {error.what}")


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the boards of a file of tests lie; they are switched off at its end."""
    if shutil.which("qemu-system-aarch64") is None:
        pytest.skip("qemu-system-aarch64 is not installed (apt-get install qemu-system-arm)")
    try:
        parts()
    except ToolFailed as error:
        skip_without_archive(error)
    folder = tmp_path_factory.mktemp("boards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder
        virtual.stop()


@pytest.fixture
def boards(booted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, for each test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(booted))
    return booted
