"""Installs what the tests need and this machine lacks, as root with apt; otherwise prints the one line to type.  `make test` calls it.

Without a program the tests that need it are skipped, so this never fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from edge.debian import needed

INSTALL = ("install", "-qq", "-y", "--no-install-recommends")


def main() -> None:
    absent = needed.missing()
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"make test: installing {' '.join(package.name for package in absent)}", flush=True)
        apt("update", "-qq")
        if not apt(*INSTALL, *(package.name for package in absent)):
            for package in absent:  # one that this release does not have keeps back no other
                apt(*INSTALL, package.name)
        absent = needed.missing()
    if absent:
        print(
            f"make test: what needs {', '.join(thing for p in absent for thing in p.missing())} is skipped ({needed.install_line(absent)})",
            flush=True,
        )


def apt(*words: str) -> bool:
    """Did it do its part?  Its errors are shown, its progress is not."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(["apt-get", *words], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
