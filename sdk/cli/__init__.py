"""The command `edge`: one file a verb, imported only when that verb is used (`edge.cli.commands` is their table).

Exit codes: 0 good; 1 the check asked for failed; 2 wrong usage or input; 3 the device or a tool failed.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

from edge.cli.commands import VERBS as VERBS
from edge.cli.output import SHOWN, as_json, complain, open_streams, wants_json, write
from edge.cli.signals import Interrupted, ending_on_signals
from edge.errors import FULL, EdgeError, ToolFailed

GC_THRESHOLD = 200_000  #: new objects before the collector looks; Python's default is 700
COMPLETE = "_EDGE_COMPLETE"  #: a shell sets it; [click, Shell Completion]
BROKEN_PIPE = 141  #: as shells report SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; what the user can fix is one line on stderr, and JSON where that is asked for."""
    if argv is None:
        spare_collector()
        silence_libraries()
    words = sys.argv[1:] if argv is None else list(argv)
    SHOWN.set(False)
    try:
        open_streams()
        with ending_on_signals():
            return dispatch(words)
    except EdgeError as error:
        return answer(words, error)
    except KeyboardInterrupt as interrupt:
        ended = interrupt if isinstance(interrupt, Interrupted) else Interrupted()
        return answer(words, Stopped(ended))
    except BrokenPipeError:
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in FULL:
            raise
        cure = f"make room in {os.environ.get('TMPDIR', '/tmp')}, or set TMPDIR to a folder that has some"
        return answer(words, ToolFailed("temporary files", f"cannot be written: {error.strerror}", cure))


class Stopped(EdgeError):
    """Ctrl-C, or another signal that ends the command."""

    def __init__(self, ended: Interrupted) -> None:
        super().__init__("edge", str(ended))
        self.exit_code = ended.code

    def __str__(self) -> str:
        return self.what


def answer(words: Sequence[str], error: EdgeError) -> int:
    """One line on stderr; where stdout is JSON, the same there, unless the command has answered already, as verify does."""
    complain(f"edge: {error}")
    if wants_json(words) and not SHOWN.get():
        with suppress(BrokenPipeError, ToolFailed):  # what stdout cannot take is on stderr
            write(as_json(error))
    return error.exit_code


def spare_collector() -> None:
    """A command lives for seconds: looking for cycles among torch's millions of objects took 2 of the 9.5 s of a build, half of it at exit."""
    gc.set_threshold(GC_THRESHOLD, 50, 50)
    atexit.register(gc.freeze)


def silence_libraries() -> None:
    """What libraries log and warn of quotes names from files as they are, escapes included: a command says what matters in its own words."""
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def dispatch(words: list[str]) -> int:
    """Find the command, import its file and run it; or answer a shell that completes."""
    if COMPLETE in os.environ:
        from edge.cli.shells import complete

        return complete(os.environ[COMPLETE])
    from edge.cli.group import run

    return run(words)
