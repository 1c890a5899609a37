"""`edge targets [NAME] [--json]`: the devices to build for; with a name, every figure and where it comes from."""

from __future__ import annotations

import json

from edge import targets
from edge.cli import completion, options
from edge.cli.output import put, screen
from edge.cli.verb import argument, verb
from edge.errors import EdgeError
from edge.targets import kinds
from edge.targets.profile import Head, to_dict


@verb
@argument(
    "name",
    metavar="NAME",
    required=False,
    shell_complete=completion.targets,
    help="a target's name, or the path of a profile of your own (.toml)",
)
@options.as_json()
def command(name: str | None, as_json: bool) -> int:
    """A page of one target, or a paragraph of each."""
    if name:
        profile = targets.read(name)
        put(json.dumps(to_dict(profile), indent=2) if as_json else "\n".join(folded(line) for line in page(profile)))
        return 0
    found = {name: load_or_reason(name) for name in targets.names()}
    if as_json:
        put(json.dumps([{"name": name, "not_here": it} if isinstance(it, str) else to_dict(it) for name, it in found.items()], indent=2))
        return 0
    wide = max(map(len, found)) + 2
    for name, it in found.items():
        first, *rest = [f"not here: {it}"] if isinstance(it, str) else [it.description, summary(it)]
        put("\n".join(folded(line, f"{start:<{wide}}") for line, start in ((first, name), *((line, "") for line in rest))))
    return 0


def folded(line: str, start: str = "") -> str:
    """A line that is too long for the screen goes on below its own beginning.  start: what stands in front of it."""
    from textwrap import fill

    text = line.lstrip()
    start += " " * (len(line) - len(text))
    return fill(text, screen(), initial_indent=start, subsequent_indent=" " * len(start), break_long_words=False, break_on_hyphens=False)


def load_or_reason(name: str) -> Head | str:
    """The profile, or why this machine cannot be that target: one target that is not here must not hide the others."""
    try:
        return targets.read(name)
    except EdgeError as error:
        return error.what


def summary(profile: Head) -> str:
    """Its kind, and what its kind says in a line."""
    return f"{profile.kind}: {kinds.kind(profile.kind).summary(profile)}"


def page(profile: Head) -> list[str]:
    """One target: what its kind says of it, then a line for each figure."""
    kind = kinds.kind(profile.kind)
    lines = [f"{profile.name}: {profile.description}", summary(profile), *kind.facts(profile), ""]
    for key, figure in kind.figures(profile):
        lines += [f"{key:<24}{figure}", f"    {figure.source}"]
    return lines
