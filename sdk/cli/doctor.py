"""`edge doctor [DEVICE]`: is this machine fit to build and to measure on, or is that device?  Each line says ok, note or missing, and what cures it.

`missing` stops a build and gives exit code 1; `note` is an extra that is not installed or a fact that makes figures noisy.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib import metadata
from typing import TYPE_CHECKING

from edge import targets
from edge.cli import options
from edge.cli.output import put
from edge.cli.verb import verb
from edge.debian import needed
from edge.devices.findings import GOVERNOR, MISSING, NOTE, OK, Finding
from edge.errors import EdgeError
from edge.targets import host, toolchain

if TYPE_CHECKING:
    from edge.meters import Place

OLDEST_PYTHON = (3, 11)
DISTRIBUTION = "edge-deploy"
#: distribution, what it is for, what its absence means, what installs it
PACKAGES = (
    ("numpy", "arrays", MISSING, "pip install numpy"),
    ("onnx", "the graph", MISSING, "pip install onnx"),
    ("onnx-ir", "the graph", MISSING, "pip install onnx-ir"),
    ("ruamel.yaml", "first-boot files of cards", NOTE, "pip install ruamel.yaml"),
    ("torch", "PyTorch models and the zoo", NOTE, "pip install -e '.[torch]'"),
    ("onnxscript", "PyTorch models", NOTE, "pip install -e '.[torch]'"),
    ("onnxruntime", "a faster second opinion in verify", NOTE, "pip install -e '.[peers]'"),
    ("pillow", "edge run --image", NOTE, "pip install -e '.[image]'"),
    ("h5py", "spiking networks in NIR files", NOTE, "pip install -e '.[nir]'"),
)


@verb
@options.device("the device to look at; `local`, this machine, is the default", default="local")
def command(device: str) -> int:
    missing = False
    for finding in findings() if device == "local" else there(device):
        put(str(finding))
        missing |= finding.status == MISSING
    return int(missing)


def there(uri: str) -> Iterator[Finding]:
    """What a device has and lacks."""
    from edge.cli.progress import Progress
    from edge.devices import open_device
    from edge.devices.checkup import checkup
    from edge.meters import There

    with Progress() as say:  # over before the first line: a board may have to start
        device = open_device(uri, say)
    with closing(device):
        yield from checkup(device)
        yield from meters(There(device))


def findings() -> Iterator[Finding]:
    """Everything there is to say, in the order a newcomer needs it."""
    yield python()
    yield from map(package, PACKAGES)
    yield foreign_edge()
    yield zig()
    yield cache()
    yield instruction_set()
    yield qemu()
    yield from (tools(use) for use in needed.uses() if use != "qemu")
    yield clock()
    yield load()
    if all(version_of(name) for name, _, absence, _ in PACKAGES if absence == MISSING):  # else there is no reading of meters
        yield from weather()
        yield from meters()


def python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding(MISSING, "python", version, "install Python 3.11 or newer")
    return Finding(OK, "python", f"{version} at {sys.executable}")


def version_of(distribution: str) -> str:
    """Its version, '' when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def package(row: tuple[str, str, str, str]) -> Finding:
    name, purpose, absence, cure = row
    version = version_of(name)
    return Finding(OK, name, f"{version}, for {purpose}") if version else Finding(absence, name, f"not installed, for {purpose}", cure)


def foreign_edge() -> Finding:
    """Another distribution that also installs a package `edge` overwrites ours, or is overwritten."""
    others = sorted(set(metadata.packages_distributions().get("edge", [])) - {DISTRIBUTION})
    if others:
        return Finding(MISSING, "edge", f"also installed by {', '.join(others)}", f"pip uninstall {' '.join(others)}, then install edge again")
    return Finding(OK, "edge", version_of(DISTRIBUTION) or "run from its sources, not installed")


def zig() -> Finding:
    """The compiler must be there and start: a wheel for another machine installs and then does not."""
    version = version_of("ziglang")
    if not version:
        return Finding(MISSING, "zig", "not installed, the compiler", "pip install ziglang")
    try:
        says = subprocess.run([sys.executable, "-m", "ziglang", "version"], capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(MISSING, "zig", f"{version} is installed and does not start: {type(error).__name__}", "pip install --force-reinstall ziglang")
    return Finding(OK, "zig", f"{says}, the compiler")


def cache() -> Finding:
    folder = toolchain.cache_folder()
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return Finding(MISSING, "cache", f"{there} is not writable", "export ZIG_GLOBAL_CACHE_DIR=<a folder you may write to>")
    free = shutil.disk_usage(there).free / 1e9
    if free < 1:
        return Finding(NOTE, "cache", f"{folder}, {free:.1f} GB free", "make room: a compiler's libc takes about 100 MB")
    return Finding(OK, "cache", f"{folder}, {free:.0f} GB free")


def instruction_set() -> Finding:
    try:
        here = targets.load("cpu")
    except EdgeError as error:
        return Finding(MISSING, "cpu", error.what, error.cure)
    return Finding(OK, "cpu", f"{host.machine()}, {here.cores}, level {here.levels[0].name} of --target cpu")


def qemu() -> Finding:
    """User emulation, for programs of the other architecture and for CPUs this one is not."""
    use = needed.uses()["qemu"]
    other = next(arch for arch in ("aarch64", "x86_64") if arch != platform.machine())
    path = shutil.which(f"qemu-{other}") or shutil.which(f"qemu-{other}-static")
    if path:
        return Finding(OK, "qemu", f"{path}, {use}")
    return Finding(NOTE, "qemu", f"not installed, {use}", f"sudo apt-get install {needed.package_of(f'qemu-{other}')}")


def tools(use: str) -> Finding:
    """The programs of one use, from the list that `make test` installs from."""
    absent, purpose = needed.missing(use), needed.uses()[use]
    if absent:
        things = ", ".join(thing for package in absent for thing in package.missing())
        return Finding(NOTE, use, f"not installed: {things}, for {purpose}", needed.install_line(absent))
    return Finding(OK, use, f"{', '.join(program for p in needed.packages() if use in p.uses for program in p.programs)}, for {purpose}")


def clock() -> Finding:
    now = host.governor()
    if now in ("", "performance"):
        return Finding(OK, "governor", now or "not readable here (usual in a virtual machine)")
    return Finding(NOTE, "governor", f"{now}: the clock moves while you measure", GOVERNOR)


def load() -> Finding:
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    if busy > 0.5 * cores:
        return Finding(NOTE, "load", f"{busy:.1f} on {cores} cores", "figures will be noisy until the machine is quiet")
    return Finding(OK, "load", f"{busy:.1f} on {cores} cores")


def weather() -> Iterator[Finding]:
    """What the firmware and the sensors of this machine say: it may be the board."""
    from edge.devices import checkup, moments, open_device

    device = open_device("local")
    now = moments.look(device)[-1]
    clocks = checkup.governor(device.facts(), now)
    if clocks.status != OK and clock().status == OK:  # the first core's governor is well; another's, or a cap, is not
        yield clocks
    yield from checkup.quota(device.facts(), now)
    yield checkup.throttled(device.facts(), now)
    yield checkup.heat(now)


def meters(place: Place | None = None) -> Iterator[Finding]:
    """What measures energy there, or here, the best first; and what lets this user read others that are there."""
    from edge.meters import discover

    found, reasons = discover(place)
    yield from (Finding(OK, "meter", probe.source) for _, probe in found)
    yield from (Finding(NOTE, "meter", f"{error.where}: {error.what}", error.cure) for error in reasons)
    if not found and not reasons:
        yield Finding(NOTE, "meter", "none", "energy is modelled, not measured; an INA219 or a PPK2 measures it")
