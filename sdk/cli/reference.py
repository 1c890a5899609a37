"""`python -m edge.cli.reference` prints docs/cli.md from the commands themselves; `make docs` writes it, a test keeps it current.

argparse words its help differently from one Python to the next, so the page is made from the options, not from the help text.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from edge.cli import LATER, VERBS, parser_of

HEAD = """# The command line

Made by `make docs` from the commands themselves: change `sdk/cli/`, not this page.

Exit codes: 0 good; 1 the check asked for failed (verify, doctor); 2 wrong usage or input, one line on stderr; 3 the device or a tool
failed. `--json` prints JSON on stdout and nothing else goes there. Underscores in an option's name are read as hyphens."""


def page() -> str:
    """docs/cli.md: a section for each verb, then what later issues bring."""
    sections = [HEAD, *(section(verb, text) for verb, text in VERBS.items()), later()]
    return "\n\n".join(sections) + "\n"


def section(verb: str, text: str) -> str:
    actions = [action for action in parser_of(verb)._actions if action.help != argparse.SUPPRESS and action.dest != "help"]
    usage = " ".join(["edge", verb, *(word for action in actions for word in usage_of(action))])
    rows = [f"| `{cell(spelling(action))}` | {cell(described(action))} |" for action in actions]
    return "\n".join(
        [f"## edge {verb}", "", f"{text[0].upper()}{text[1:]}.", "", f"    {usage}", "", "| argument | meaning |", "| --- | --- |", *rows]
    )


def usage_of(action: argparse.Action) -> Iterator[str]:
    """The argument as a usage line shows it; plain options are left to the table."""
    if not action.option_strings:
        yield f"[{value_of(action)}]" if action.nargs in ("?", "*") else value_of(action)
    elif action.required:
        yield spelling(action)


def value_of(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper() if action.option_strings else action.dest


def spelling(action: argparse.Action) -> str:
    if not action.option_strings:
        return value_of(action)
    value = "" if action.nargs == 0 else f" [{value_of(action)}]" if action.nargs == "?" else f" {value_of(action)}"
    return ", ".join(action.option_strings) + value


def described(action: argparse.Action) -> str:
    """The help text, its %-placeholders filled in, and the default where there is one worth saying."""
    text = (action.help or "") % {**vars(action), "prog": "edge"}
    default = f"{action.default:g}" if isinstance(action.default, float) else str(action.default)
    if default in ("None", "False", "", "[]", argparse.SUPPRESS) or "default" in text:
        return text
    return f"{text.removesuffix(f' ({default})')} (default {default})"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def later() -> str:
    return "\n".join(["## Coming with later issues", "", *(f"- `edge {verb}`: {text}" for verb, text in LATER.items())])


if __name__ == "__main__":
    print(page(), end="")
