"""The command `edge`: one file a verb, imported only when that verb is used.

A verb module has `arguments(parser)`, which adds its options, and `run(args) -> int`, which gives the exit code:
0 good; 1 the check asked for failed; 2 wrong usage or input; 3 the device or a tool failed.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from edge.cli.parser import Parser, parse
from edge.cli.signals import Interrupted, ending_on_signals
from edge.errors import EdgeError, did_you_mean

VERBS = {
    "targets": "list the devices to build for, or one device's figures and their sources",
    "build": "compile a model into one .edge file",
    "inspect": "say what an .edge file holds, without running it (--count runs it, under an emulator)",
    "verify": "compare an .edge file with its model, whole and per layer",
    "run": "feed arrays or a picture to an .edge file",
    "profile": "measure latency and memory, whole and per layer",
    "flash": "put an .edge file on a device, checked there, the old one kept; or on an SD card or into its image",
    "rollback": "go back to the model a device had before",
    "devices": "list the devices that are attached",
    "predict": "say what a model would cost on a device that is not here",
    "doctor": "check this machine, or a device, for what building and measuring need",
}
LATER = {
    "compare": "compare two profiles and fail on a regression",
}
GC_THRESHOLD = 200_000  #: new objects before the collector looks; Python's default is 700
BROKEN_PIPE = 141  #: as shells report SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; what the user can fix is one line on stderr."""
    if argv is None:
        spare_collector()
    try:
        with ending_on_signals():
            code = dispatch(sys.argv[1:] if argv is None else list(argv))
            sys.stdout.flush()
        return code
    except EdgeError as error:
        print(f"edge: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        ended = interrupt if isinstance(interrupt, Interrupted) else Interrupted()
        with suppress(OSError):  # after SIGHUP there may be no terminal to write to
            print(f"edge: {ended}", file=sys.stderr, flush=True)
        return ended.code
    except BrokenPipeError:
        # The reader (`| head`) has gone: keep the interpreter from complaining when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def spare_collector() -> None:
    """A command lives for seconds: looking for cycles among torch's millions of objects took 2 of the 9.5 s of a build, half of it at exit."""
    gc.set_threshold(GC_THRESHOLD, 50, 50)
    atexit.register(gc.freeze)


def dispatch(words: list[str]) -> int:
    """Find the verb, import its module and run it."""
    from edge import __version__

    if not words:
        print(overview(), file=sys.stderr)
        return EdgeError.exit_code
    verb, rest = words[0], words[1:]
    if verb in ("-h", "--help", "help"):
        print(overview())
        return 0
    if verb in ("--version", "-V"):
        print(f"edge {__version__}")
        return 0
    if verb not in VERBS | LATER:
        kind = "option" if verb.startswith("-") else "command"
        raise EdgeError(verb, f"unknown {kind}", did_you_mean(verb, [*VERBS, *LATER, "--help", "--version"]) or "edge --help lists the commands")
    parser = parser_of(verb)
    if {"-h", "--help"} & set(rest):
        print(parser.format_help(), end="")
        return 0
    args = parse(parser, rest)
    run = import_module(module_of(verb)).run
    code: int = run(args)
    return code


def module_of(verb: str) -> str:
    return "edge.cli.later" if verb in LATER else f"edge.cli.{verb}"


def parser_of(verb: str) -> Parser:
    """The verb's parser with its options."""
    parser = Parser(prog=f"edge {verb}", description=(VERBS | LATER)[verb])
    parser.set_defaults(verb=verb)
    import_module(module_of(verb)).arguments(parser)
    return parser


def overview() -> str:
    """What `edge --help` prints."""
    lines = ["usage: edge COMMAND …        (edge COMMAND --help for its options)", ""]
    lines += [f"  {verb:<10}{text}" for verb, text in VERBS.items()]
    lines += ["", "Coming with later issues:"]
    lines += [f"  {verb:<10}{text}" for verb, text in LATER.items()]
    return "\n".join([*lines, "", "  edge --version"])
