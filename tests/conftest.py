"""A missing program is a skip, never an error.

Skips are counted: `--skips-allowed FILE` prints every skip and fails the run on one that FILE does not expect.

FILE has one `TEST: REASON` a line, both with shell wildcards; `#` begins a comment.

Tests run several at a time (`-n`); one that is marked `alone` measures time, and no other runs beside it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.debian import needed
from edge.debian.tools import Missing

if TYPE_CHECKING:
    from instrument_players import Plug

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # some tests import onnxruntime before edge, which sets it too
os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{needed.SYSTEM_FOLDERS}"
SKIPS = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture
def tool() -> Callable[[str, str], str]:
    """tool("qemu-x86_64", "apt-get install qemu-user") is its path; without it the test is skipped with that cure."""

    def find(name: str, cure: str) -> str:
        path = needed.there(name)
        if path is None:
            pytest.skip(f"{name} is not installed ({cure})")
        return path

    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    return (yield from skipping())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    return (yield from skipping())


def skipping() -> Generator[None, object, object]:
    """A program of the list that cannot be started because it is not installed is a reason to skip; everything else stays what it is."""
    try:
        return (yield)
    except Missing as error:
        pytest.skip(str(error))
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        package = needed.package_of(name)
        if not package or needed.there(name):
            raise
        pytest.skip(f"{name} is not installed (apt-get install {package})")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that run alone come last, where nobody waits for them."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test, with what it sets up, holds the machine together with others or alone; who waits at the gate goes before those who come later."""
    alone = item.get_closest_marker("alone") is not None
    with holding(Path(__file__).parent, fcntl.LOCK_EX) as gate, holding(Path(__file__), fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)


@contextmanager
def holding(path: Path, how: int) -> Iterator[int]:
    """Lock a file or folder, and give its descriptor, whose closing unlocks it."""
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(opened, how)
        yield opened
    finally:
        os.close(opened)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine adds no lines of progress to what a test compares; tests/test_progress.py sets its own."""
    monkeypatch.setattr("edge.cli.progress.PATIENCE", float("inf"))


@pytest.fixture
def plug() -> Iterator[Plug]:
    """plug(answer) is a serial line at whose end answer(heard) speaks; closed after the test."""
    from instrument_players import Cable  # here: this file also serves tests that lie elsewhere

    cables: list[Cable] = []

    def make(answer: Callable[[bytes], bytes]) -> Cable:
        cables.append(Cable(answer))
        return cables[-1]

    yield make
    for cable in cables:
        cable.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden C of tests/golden anew")
    parser.addoption("--skips-allowed", metavar="FILE", type=Path, help="print every skip; fail on one this file does not expect")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPS] = []
    config.pluginmanager.register(SkipCount(config.stash[SKIPS]))


class SkipCount:
    """Collects (test, reason) of every skip, of single tests and of whole files."""

    def __init__(self, skips: list[tuple[str, str]]) -> None:
        self.skips = skips

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.note(report)

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
            self.skips.append((report.nodeid, report.longrepr[2].removeprefix("Skipped: ")))


def unexpected(skips: list[tuple[str, str]], expected: Path) -> list[tuple[str, str]]:
    """The skips that no line of the file expects."""
    lines = [line.strip() for line in expected.read_text().splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    return [skip for skip in skips if not any(fnmatchcase(": ".join(skip), pattern) for pattern in patterns)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    allowed = session.config.getoption("--skips-allowed")
    if allowed and session.exitstatus == pytest.ExitCode.OK and unexpected(session.config.stash[SKIPS], allowed):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    allowed = config.getoption("--skips-allowed")
    if allowed:
        skips = config.stash[SKIPS]
        strange = unexpected(skips, allowed)
        terminalreporter.section(f"skips: {len(skips)}, unexpected: {len(strange)}")
        for skip in skips:
            terminalreporter.line(f"{'UNEXPECTED' if skip in strange else 'expected':<11}{': '.join(skip)}")
