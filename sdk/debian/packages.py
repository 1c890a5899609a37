"""Debian packages of another architecture, fetched by this machine's apt into folders of its own: nothing of the system changes.

apt checks the archive's signature and every package's hash; what lies in the cache is held against the hash written down when it came.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.debian import needed, tools
from edge.errors import EdgeError, ToolFailed
from edge.targets.host import user_folder

Say = Callable[[str], None]
ARCHITECTURE, SUITE, MIRROR = "arm64", "bookworm", "http://deb.debian.org/debian"
COMPONENTS = "main non-free-firmware"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
MAX_PACKAGE = 512 << 20
FOLDERS = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/lib/dpkg",
    "var/cache/apt/archives/partial",
)
NETWORK = "is there a network? fetched packages are kept, so it is needed once"
STALE = "remove the cache of packages and try again"


def cache_folder() -> Path:
    """Where fetched packages are kept, and what is made of them."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "edge" / "packages"


def gathered(kernel: str, names: Sequence[str], wanted: Callable[[str], bool], folder: Path, say: Say) -> dict[str, bytes]:
    """The wanted files, by path, of these packages and of the newest kernel, which is what the package `kernel` depends on."""
    say(f"fetching {kernel}")
    meta = fetch([kernel], folder)[0]
    newest = next((name for name in depends(meta) if name.startswith("linux-image-")), None)
    if newest is None:
        raise ToolFailed(meta.name, "names no kernel package", STALE)
    say(f"fetching {newest} and {len(names)} more packages")
    files: dict[str, bytes] = {}
    for deb in fetch([*names, newest], folder):
        say(f"unpacking {deb.name.split('_')[0]}")
        files |= files_of(deb, wanted)
    return files


def only(files: Mapping[str, bytes], pattern: str) -> bytes:
    """The content of the one file whose path ends like that."""
    found = [path for path in files if re.search(f"(^|/){pattern}$", path)]
    if len(found) != 1:
        raise ToolFailed("Debian's packages", f"hold {len(found)} files like {pattern}", STALE)
    return files[found[0]]


def fetch(names: Sequence[str], folder: Path) -> list[Path]:
    """The .deb file of each name, in that order, from `folder` or else from Debian's archive.  Dependencies are not followed."""
    for name in names:
        if not NAME.fullmatch(name):
            raise EdgeError(name, "is not the name of a Debian package")
    with ours(folder):
        record = folder / "packages.json"
        known = recorded(record)
        missing = [name for name in names if not intact(known.get(name), folder)]
        if missing:
            known |= download(missing, folder)
            part = record.with_suffix(".part")
            part.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
            part.replace(record)
    return [folder / known[name][0] for name in names]


@contextmanager
def ours(folder: Path) -> Iterator[None]:
    """The folder, made, for this process alone: another one that fetches is waited for.  What cannot be written is one line."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ToolFailed(str(folder), f"cannot be written: {error.strerror}", "set XDG_CACHE_HOME to a folder you may write to") from None


def recorded(record: Path) -> dict[str, list[str]]:
    """name -> [file, sha256] of what was fetched before; a record that somebody broke counts as none."""
    try:
        known = json.loads(record.read_text())
    except (OSError, ValueError):
        return {}
    pairs = known.items() if isinstance(known, dict) else ()
    return {name: pair for name, pair in pairs if isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, str) for word in pair)}


def intact(entry: list[str] | None, folder: Path) -> bool:
    if entry is None or "/" in entry[0]:
        return False
    path = folder / entry[0]
    return path.is_file() and sha256(path) == entry[1]


def download(names: Sequence[str], folder: Path) -> dict[str, list[str]]:
    """Fetches the newest of each; gives what `recorded` gives."""
    if not needed.there("apt-get"):
        raise tools.Missing("apt-get", "is not installed: it fetches Debian's packages", f"use Debian or Ubuntu, or copy {folder} from there")
    if not KEYRING.is_file():
        raise ToolFailed(str(KEYRING), "is missing: packages could not be checked", "sudo apt-get install debian-archive-keyring")
    extra = {"APT_CONFIG": str(private_apt(folder) / "apt.conf")}
    try:
        tools.run(["apt-get", "update", "-qq"], folder, extra=extra)
        listed = tools.run(["apt-get", "download", "--print-uris", "-qq", "--", *names], folder, extra=extra).decode()
        tools.run(["apt-get", "download", "-qq", "--", *names], folder, extra=extra)
    except ToolFailed as error:
        raise ToolFailed(MIRROR, f"packages could not be fetched: {error.what}", NETWORK) from None
    found: dict[str, list[str]] = {}
    for file, size, digest in re.findall(r"^'\S+' (\S+) (\d+) SHA256:([0-9a-f]{64})$", listed, re.MULTILINE):
        name, path = file.split("_")[0], folder / file
        if name in names and "/" not in file and int(size) <= MAX_PACKAGE and path.is_file() and sha256(path) == digest:
            found[name] = [file, digest]
    for name in names:
        if name not in found:
            raise ToolFailed(MIRROR, f"package '{name}' did not come as the archive's index describes it", NETWORK)
    return found


def private_apt(folder: Path) -> Path:
    """A root folder for apt, with Debian's archive and the other architecture as all it knows."""
    apt = folder.absolute() / "apt"
    for name in FOLDERS:
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "var/lib/dpkg/status").touch()
    (apt / "etc/apt/sources.list").write_text(f"deb [arch={ARCHITECTURE} signed-by={KEYRING}] {MIRROR} {SUITE} {COMPONENTS}\n")
    lines = {
        "Dir": str(apt),
        "Dir::State::status": str(apt / "var/lib/dpkg/status"),
        "APT::Architecture": ARCHITECTURE,
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        # apt's own user may not enter a home folder; the signature is what protects here.
        "APT::Sandbox::User": "root",
    }
    text = "".join(f'{key} "{value}";\n' for key, value in lines.items()) + f'APT::Architectures {{ "{ARCHITECTURE}"; }};\n'
    (apt / "apt.conf").write_text(text)
    return apt


def files_of(deb: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The regular files of a package whose path, without the leading `./`, is wanted.  A kernel has 4,500: they are read past, not unpacked."""
    found: dict[str, bytes] = {}
    with tools.started(["dpkg-deb", "--fsys-tarfile", str(deb.absolute())], deb.parent) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    if member.isreg() and member.size <= MAX_PACKAGE and wanted(name):
                        file = archive.extractfile(member)
                        found[name] = file.read() if file else b""
        except tarfile.TarError as error:
            raise ToolFailed(deb.name, f"cannot be unpacked: {error}", "remove it from the cache of packages and try again") from None
    return found


def depends(deb: Path) -> list[str]:
    """The names a package depends on, without versions; of alternatives the first."""
    said = tools.run(["dpkg-deb", "-f", str(deb.absolute()), "Depends"], deb.parent).decode()
    return [word for part in said.split(",") if (word := re.split(r"[\s(|:]", part.strip())[0])]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
