"""A board at the end of a line, without a board: a real shell on a pty behind a login, and a TCP line to it that is slow and can fail.

    with Line(Board(["dash", "-i"], home), rate=11520) as line:
        open_device(line.uri)

The line's faults are functions of the bytes: fault(direction, count, data) gives what gets through, None pulls the plug.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

USER, PASSWORD = "pi", "raspberry"
#: direction ("in": to the board), bytes that went that way before, data
Fault = Callable[[str, int, bytes], bytes | None]
SHELLS = {"dash": ["dash", "-i"], "bash": ["bash", "-i"], "busybox": ["busybox", "sh", "-i"]}
LOGIN = """
export PATH="$2"
trap : INT
while :; do
  printf '\\r\\nDebian GNU/Linux 12 board ttyS0\\r\\n\\r\\nboard login: '; read -r user || { sleep 0.1; continue; }
  stty -echo; printf 'Password: '; read -r password; stty echo; echo
  if [ "$user" = pi ] && [ "$password" = raspberry ]; then
    echo 'Last login: Mon Nov 23 10:00:00 on ttyS0'; (cd "$1" && shift 2 && HOME=$PWD PS1='\\033[1;32mpi@board\\033[0m:~ $ ' exec "$@")
  else sleep 0.1; echo; echo 'Login incorrect'; fi
done
"""


class Board:
    """A login and then `shell` on a pty; its home is `home`.  path: where its programs are.  script: what greets instead of the login."""

    def __init__(self, shell: Sequence[str], home: Path, path: str = os.environ["PATH"], script: str = LOGIN) -> None:
        self.master, slave = pty.openpty()
        words = ["setsid", "-c", "sh", "-c", script, "login", str(home), path, *shell]
        # a shell cannot be told to heed an interrupt that was ignored when it started, as it is where the tests run in the background
        heeding = ["env", "--default-signal=INT", *words]
        self.process = subprocess.Popen(heeding, stdin=slave, stdout=slave, stderr=slave, cwd=home)
        os.close(slave)

    def close(self) -> None:
        os.close(self.master)  # hangs up: SIGHUP ends the session, as a cable does that carries the power too
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def board_with(shell: str, folder: Path, without: Sequence[str] = ()) -> Board:
    """A board with that one of SHELLS; its home is folder/"home".  busybox's has nothing else.  without: commands that it lacks."""
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"{shell} is not installed (apt-get install {shell})")
    home, bin_ = folder / "home", folder / "bin"
    home.mkdir()
    if shell != "busybox":
        return Board(SHELLS[shell], home)
    bin_.mkdir()
    subprocess.run(["busybox", "--install", "-s", str(bin_)], check=True)
    for name in without:
        (bin_ / name).unlink()
    return Board(["sh", "-i"], home, str(bin_))


def clean(direction: str, count: int, data: bytes) -> bytes | None:
    return data


class Line:
    """A TCP server whose clients, one after the other, talk to the board.  rate: bytes a second, 0 for no limit."""

    def __init__(self, board: Board, rate: int = 0, fault: Fault = clean) -> None:
        self.board, self.rate, self.fault = board, rate, fault
        self.counts = {"in": 0, "out": 0}
        self.server = socket.create_server(("127.0.0.1", 0))
        self.uri = f"serial+socket://{USER}@127.0.0.1:{self.server.getsockname()[1]}"
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self) -> Line:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.server.close()
        self.thread.join(5)
        self.board.close()

    def serve(self) -> None:
        while not self.over.is_set():
            if select.select([self.server], [], [], 0.1)[0]:
                with contextlib.suppress(OSError), self.server.accept()[0] as client:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.talk(client)

    def talk(self, client: socket.socket) -> None:
        """Both directions at once, until somebody hangs up."""
        cut = threading.Event()
        ways = [
            threading.Thread(target=self.carry, args=("in", client.fileno(), self.board.master, cut)),
            threading.Thread(target=self.carry, args=("out", self.board.master, client.fileno(), cut)),
        ]
        for way in ways:
            way.start()
        for way in ways:
            way.join()

    def carry(self, direction: str, source: int, sink: int, cut: threading.Event) -> None:
        """A wire holds nothing back: bytes leave as slowly as they come in."""
        with contextlib.suppress(OSError):
            while not cut.is_set() and not self.over.is_set():
                if not select.select([source], [], [], 0.05)[0]:
                    continue
                begun = time.monotonic()
                data = os.read(source, 256 if self.rate else 4096)
                through = self.fault(direction, self.counts[direction], data) if data else None
                self.counts[direction] += len(data)
                if through is None:
                    break
                while through:
                    through = through[os.write(sink, through) :]
                if self.rate:
                    time.sleep(max(0.0, len(data) / self.rate - (time.monotonic() - begun)))
        cut.set()
