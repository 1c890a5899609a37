"""`python -m edge.cli.reference` prints docs/cli.md from the commands themselves; `make docs` writes it, a test keeps it current."""

from __future__ import annotations

from edge.cli import help_page
from edge.cli.commands import GROUPS, VERBS
from edge.cli.group import command_of
from edge.cli.verb import EVERYWHERE, sentence

HEAD = """# The command line

Made by `make docs` from the commands themselves: change `sdk/cli/`, not this page.

Exit codes: 0 good; 1 the check asked for failed (verify, doctor, `--strict`); 2 wrong usage or input, one line on stderr; 3 the device or a
tool failed, or stdout is closed or full; 130 interrupted; 141 the reader of stdout has gone (`| head`).

`--json` prints JSON on stdout and nothing else goes there. An error is a line on stdout too:
`{"error": {"where": …, "what": …, "cure": …, "exit_code": 2}}`; where the command has printed its result (verify, `--strict`), that is all.

Every command takes `-q` (no progress, no advice), `-v` (a line for every stage, kept) and `-h`; `-q` and `-v` may stand before the command.
Underscores in an option's name are read as hyphens; options are not abbreviated; after `--` nothing is an option. `edge` prints no
colours, with or without `NO_COLOR`.

## Completion

Tab completes commands, options, targets, networks of the zoo, devices and files. One line, in the shell's start file:

    eval "$(_EDGE_COMPLETE=bash_source edge)"         # ~/.bashrc, bash 4.4 or newer
    eval "$(_EDGE_COMPLETE=zsh_source edge)"          # ~/.zshrc, after compinit
    _EDGE_COMPLETE=fish_source edge | source          # ~/.config/fish/completions/edge.fish"""


def page() -> str:
    """docs/cli.md: the groups as `edge --help` has them, a section for each command."""
    sections = [HEAD]
    for group, title in GROUPS.items():
        sections += [f"## {title}", *(section(verb) for verb, entry in VERBS.items() if entry.group == group)]
    return "\n\n".join(sections) + "\n"


def section(verb: str) -> str:
    command = command_of(verb)
    options = [(spelled, meaning) for spelled, meaning in help_page.options(command) if not spelled.startswith(EVERYWHERE)]
    rows = [f"| `{cell(spelled)}` | {cell(meaning)} |" for spelled, meaning in [*help_page.arguments(command), *options]]
    lines = [f"### edge {verb}", "", sentence(VERBS[verb].text), "", f"    edge {verb} {help_page.usage(command)}"]
    return "\n".join([*lines, "", "| argument | meaning |", "| --- | --- |", *rows])


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(page(), end="")
