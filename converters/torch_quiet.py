"""Keep torch's chatter off stdout and stderr, and turn what a user's model raises into one line that names the place."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from edge.errors import EdgeError

CACHE = "TORCHINDUCTOR_CACHE_DIR"  #: torch's own variable
#: What the code of a user's model may raise: everything but our own EdgeError, interrupts and lack of memory.
USER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    SystemExit,
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No print, no warning, no log line, and no folder that stays: torch logs an error before it raises the same."""
    disabled = logging.root.manager.disable
    logging.disable(max(disabled, logging.CRITICAL))
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            passing_cache(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


@contextlib.contextmanager
def passing_cache() -> Iterator[None]:
    """An export looks for TorchInductor's cache, which makes that folder in TMPDIR and leaves it there: let it make one that goes."""
    if CACHE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="edge-torch-") as folder:
        os.environ[CACHE] = folder
        try:
            yield
        finally:
            os.environ.pop(CACHE, None)


@contextlib.contextmanager
def user_error(where: str, root: Path | None, what: str) -> Iterator[None]:
    """`where: what: Kind: message (file:line)` for an exception from the user's code; the line is the innermost one below `root`."""
    try:
        yield
    except EdgeError:
        raise
    except USER_ERRORS as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")
        raise EdgeError(where, f"{what}: {reason[:300]}", _place(error, root)) from error


def _place(error: BaseException, root: Path | None) -> str:
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        if root is not None and file.is_absolute() and file.resolve().is_relative_to(root.resolve()) and "site-packages" not in file.parts:
            place = f"{file.resolve().relative_to(root.resolve()).as_posix()}:{frame.lineno}"
    return place
