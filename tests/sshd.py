"""A real sshd on loopback, for the current user, with keys of its own: what `ssh://` is tested against."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CURE = "apt-get install openssh-server openssh-client"
DAEMON = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv EDGE_HOME={folder}/home {environment}
"""
CLIENT = """
Host *
  IdentityFile {folder}/user
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
Host board
  HostName 127.0.0.1
  Port {port}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def daemon_path() -> str | None:
    """sshd lies in a folder that a user's PATH leaves out, and wants to be called by its full path."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running(folder: Path, more: str = "", environment: str = "") -> Iterator[str]:
    """The daemon's URI while it runs; EDGE_SSH_CONFIG must be folder/"config".  more: lines of its configuration."""
    sshd, port = daemon_path(), free_port()
    assert sshd, CURE
    (folder / "home").mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(DAEMON.format(port=port, folder=folder, environment=environment) + more)
    (folder / "config").write_text(CLIENT.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's root process insists on its empty folder
    with subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL) as daemon:
        try:
            wait_for(port)
            yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}"
        finally:
            daemon.terminate()


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
