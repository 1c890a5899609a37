"""Fetches a board's parts from Debian once: apt checks them against Debian's signature, nothing is installed into this system."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge.devices.boards import recipe
from edge.devices.device import Say, silent
from edge.errors import ToolFailed

FETCH_SECONDS = 900.0
WHERE = "virtual board"
FOLDERS = "/usr/sbin:/sbin"  #: mke2fs is there, where not every user's PATH looks
CONFIGURATION = """Dir "{root}";
Dir::State::status "{root}/var/lib/dpkg/status";
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
"""


def cache() -> Path:
    """Where fetched parts are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge" / "boards"


def parts(say: Say = silent) -> Path:
    """The folder with `Image`, the programs, libraries and modules of the recipe; fetched if it is not there (27 MB)."""
    folder = cache() / recipe.key()
    if not folder.is_dir():
        say("fetching a board's parts from Debian: 40 MB, once")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-", ignore_cleanup_errors=True) as name:
                fetch(Path(name), folder)
        except OSError as error:
            raise ToolFailed(str(folder.parent), f"cannot be written: {error.strerror}", "set XDG_CACHE_HOME to a folder you may write to") from None
    return folder


def fetch(work: Path, folder: Path) -> None:
    """Everything in `work`; what is complete is renamed to `folder`."""
    tool("apt-get", "virtual boards are made of Debian's packages: use Debian or Ubuntu, or copy ~/.cache/edge/boards from there")
    tool("dpkg-deb", "sudo apt-get install dpkg")
    if not Path(recipe.KEYRING).is_file():
        raise ToolFailed(WHERE, "Debian's keys are not here", "sudo apt-get install debian-archive-keyring")
    environment = apt_root(work / "apt")
    call(["apt-get", "update", "-qq"], environment, work)
    depends = call(["apt-cache", "depends", recipe.KERNEL], environment, work)
    kernel = re.search(r"Depends: (linux-image-[a-z0-9.+-]+)", depends)
    if not kernel:
        raise ToolFailed(WHERE, f"Debian's {recipe.KERNEL} names no kernel", "a newer edge may know its name")
    debs = work / "debs"
    debs.mkdir()
    call(["apt-get", "download", "-qq", kernel[1], *recipe.PACKAGES], environment, debs)
    for deb in sorted(debs.iterdir()):
        call(["dpkg-deb", "-x", str(deb), str(work / "root")], environment, work)
    made = keep(work / "root", work / "made")
    (made / "packages.txt").write_text("".join(f"{deb.name}\n" for deb in sorted(debs.iterdir())))
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # else somebody else has fetched the same meanwhile
            raise


def apt_root(root: Path) -> dict[str, str]:
    """A configuration of apt's own that knows one source and one architecture."""
    for name in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/apt/sources.list").write_text(f"deb [signed-by={recipe.KEYRING}] {recipe.MIRROR} {recipe.SUITE} main\n")
    (root / "apt.conf").write_text(CONFIGURATION.format(root=root))
    return os.environ | {"APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}


def keep(root: Path, made: Path) -> Path:
    """What the board needs of the unpacked packages; each file must be there."""
    image = sorted((root / "boot").glob("vmlinuz-*"))
    version = image[-1].name.removeprefix("vmlinuz-") if image else ""
    wanted = {"Image": [f"boot/vmlinuz-{version}"]}
    wanted |= {path: [path] for path in recipe.PROGRAMS}
    wanted |= {f"lib/{name}": [f"{folder}/{name}" for folder in recipe.LIBRARY_FOLDERS] for name in recipe.LIBRARIES}
    wanted |= {f"modules/{Path(path).name}.ko": [f"lib/modules/{version}/kernel/{path}.ko"] for path in recipe.MODULES}
    for name, places in wanted.items():
        found = next((root / place for place in places if (root / place).is_file()), None)
        if found is None:
            raise ToolFailed(WHERE, f"Debian's packages have no {places[0]}", "a newer edge may know its place")
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, made / name)
    return made


def tool(name: str, cure: str) -> str:
    """The path of a program that must be there."""
    path = shutil.which(name) or shutil.which(name, path=FOLDERS)
    if path is None:
        raise ToolFailed(WHERE, f"{name} is not installed", cure)
    return path


def call(argv: Sequence[str], environment: dict[str, str], folder: Path) -> str:
    """Its output; ToolFailed with its last words when it does not do its part."""
    try:
        done = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, errors="replace", timeout=FETCH_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        raise ToolFailed(WHERE, f"{argv[0]} took more than {FETCH_SECONDS:.0f} s", "is the network slow?") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"code {error.returncode}"])[-1]
        raise ToolFailed(WHERE, f"{' '.join(argv[:2])} failed: {last[:200]}", f"is {recipe.MIRROR} reachable from here?") from None
    return done.stdout
