"""C -> static program and shared library for a target, by the C compiler in the `ziglang` wheel.

The steps of each ISA level are compiled once, with that level's -mcpu, and linked twice: with musl into a static program, with glibc 2.17 into a
library. Both link at the baseline CPU. No path gets into the bytes: generated files are named relative to the work folder, nothing has debug
information. The runtime's sources are compiled where they are installed, for zig keeps an object only under the path of its source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edge.errors import ToolFailed
from edge.stage import Say, Stage, silent
from edge.targets import object_cache
from edge.targets.host import user_folder
from edge.targets.profile import Profile

HERE = Path(__file__).parent
COMMON = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-g0", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables")
STEPS = ("-O2", "-Xclang", "-O1", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden")
#: The pre-RA scheduler hoists loads until accumulators spill, so it is off for Arm, whose kernels are written in
#: the order in which they should run; the post-RA scheduler, which cannot spill, is on.
ARCH_STEPS = {"aarch64": ("-mllvm", "-enable-misched=false", "-mllvm", "-enable-post-misched=true")}
RUNTIME = ("-Os", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections")
LINK = ("-s", "-Wl,--gc-sections")
ZIG_CACHE = "ZIG_GLOBAL_CACHE_DIR"  #: zig's own variable
OBJECTS = "edge-objects"  #: a folder of ours in zig's cache
LINK_SECONDS, FIRST_SECONDS = 5.0, 90.0  #: of linking, by experience; and where zig builds the C libraries first
LAST_LINES = 6  #: of a compiler's complaint that are shown


@dataclass(frozen=True)
class Binaries:
    """program: a static ELF, the runner.  library: a shared object with the same steps, for programs that embed the model."""

    program: bytes
    library: bytes


def zig(arguments: Sequence[str], folder: Path) -> None:
    """Run `zig cc`; ToolFailed with its last lines when it fails."""
    argv = [sys.executable, "-m", "ziglang", "cc", *arguments]
    environment = {**os.environ, ZIG_CACHE: str(cache_folder())}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = " | ".join((done.stderr.strip().splitlines() or ["no message"])[-LAST_LINES:])
        raise ToolFailed("zig cc", f"exit code {done.returncode}: {last}", "edge doctor checks the compiler")


def version() -> str:
    """The compiler's version, without starting it."""

    try:
        return metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        raise ToolFailed("zig cc", "the ziglang package is not installed", "pip install ziglang==0.17.0") from None


def cache_folder() -> Path:
    """Where zig keeps what it has built; it is told so, for it would take a relative XDG_CACHE_HOME, too."""
    named = os.environ.get(ZIG_CACHE)
    return Path(named).absolute() if named else user_folder("XDG_CACHE_HOME", ".cache") / "zig"


def first_use(profile: Profile) -> str:
    """What to tell a user who waits: zig builds a target's C libraries once, half a minute to a minute each; '' when it has them."""
    return "" if known(profile) else f"; for the first time also C libraries for {profile.arch}, about a minute, once"


def known(profile: Profile) -> bool:
    """Has zig the target's C libraries?"""
    return _mark(profile).exists()


def doing(profile: Profile) -> str:
    """What a user is told while the levels are compiled."""
    names = [level.name for level in profile.levels]
    return f"compiling level{'s' * (len(names) > 1)} {' '.join(names)}"


def _mark(profile: Profile) -> Path:
    """A file of ours in zig's cache, so that it goes when the libraries do."""
    return cache_folder() / f"edge-has-{profile.runner}-{profile.library}-{version()}"


def header() -> bytes:
    """edge.h, the C interface of a built model."""
    return (HERE / "runtime" / "edge.h").read_bytes()


def lay_out(files: Mapping[str, str], folder: Path) -> None:
    """The generated files, with the kernels and the runtime they include, in one folder that any C compiler can build."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    for source in [*(HERE / "kernels").glob("*.[ch]"), *(HERE / "runtime").glob("*.[ch]")]:
        shutil.copyfile(source, folder / source.name)


def compile_program(profile: Profile, files: Mapping[str, str], folder: Path, say: Say = silent) -> Binaries:
    """Compile and link in `folder`, which afterwards also holds the C sources.  say: told how far it is.

    The runtime is compiled as it is linked: zig takes its objects from its cache, and two calls cost less than forty.
    """
    lay_out(files, folder)
    steps = compile_steps(profile, files, folder, say)
    base = f"-mcpu={profile.baseline}"  # not the lowest level's: the runtime must live to say that the level is missing
    runtime = runtime_sources()
    library = [path for path in runtime if not Path(path).name.startswith("runner_")]
    shared = [*COMMON, *RUNTIME, *LINK, "program.c", *(path.name for path in steps)]
    links = [
        ("-target", profile.runner, base, *shared, *runtime, "-static", "-o", "runner"),
        ("-target", profile.library, base, *shared, *library, "-shared", "-Wl,-soname,libmodel.so", "-o", "libmodel.so"),
    ]
    say(Stage(f"linking the program and the library{first_use(profile)}", seconds=LINK_SECONDS if known(profile) else FIRST_SECONDS))
    run(links, folder)
    with suppress(OSError):  # a cache that is gone or full costs the next user a sentence
        _mark(profile).touch()
    return Binaries((folder / "runner").read_bytes(), (folder / "libmodel.so").read_bytes())


def compile_steps(profile: Profile, files: Mapping[str, str], folder: Path, say: Say = silent) -> list[Path]:
    """The objects of every level's steps, from the cache where they were compiled before.  folder: as `lay_out` left it."""
    units = [
        (level, Path(name).stem)
        for level in profile.levels
        for name in files
        if name == f"steps_{level.name}.c" or name.startswith(f"steps_{level.name}_")
    ]
    flags = (*COMMON, *STEPS, *ARCH_STEPS.get(profile.arch, ()))
    jobs = {
        folder / f"{unit}.o": ("-target", profile.runner, f"-mcpu={level.cpu}", *flags, "-c", f"{unit}.c", "-o", f"{unit}.o") for level, unit in units
    }
    cache = cache_folder() / OBJECTS
    included = [path for path in folder.glob("*.[ch]") if path.suffix == ".h" or path.name not in files]
    keys = {made: object_cache.key_of((version(), *job), [*included, made.with_suffix(".c")]) for made, job in jobs.items()}
    missing = {made: job for made, job in jobs.items() if not object_cache.restore(cache, keys[made], made)}
    run(list(missing.values()), folder, say, doing(profile))
    for made in missing:
        object_cache.keep(cache, keys[made], made)
    return list(jobs)


def runtime_sources() -> list[str]:
    """Paths of the runtime's C files; runner_*.c are the program's alone, cpu_*.c of another architecture compile to nothing."""
    return sorted(str(path) for path in (HERE / "runtime").glob("*.c"))


def run(jobs: Sequence[Sequence[str]], folder: Path, say: Say = silent, doing: str = "") -> None:
    """Several compilers side by side, as many as there are CPUs."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(lambda job: zig(job, folder), jobs), 1):
            say(Stage(f"{doing}: {done} of {len(jobs)} files", share=done / len(jobs)))
