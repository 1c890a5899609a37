"""`edge ops [NAME] [--target T] [--markdown|--json]`: which operators can be built, and by which path."""

from __future__ import annotations

import click

from edge.cli import options
from edge.cli.output import put, screen
from edge.cli.verb import argument, verb
from edge.errors import EdgeError, did_you_mean


@verb
@argument("name", metavar="NAME", required=False, help="an operator of ONNX, e.g. Conv; all of them when left out")
@options.target("the device to build for; the CPU targets do not differ")
@click.option("--markdown", is_flag=True, help="print the page docs/ops.md")
@options.as_json()
def command(name: str | None, target: str | None, markdown: bool, as_json: bool) -> int:
    """The table, or one operator."""
    from edge import backends, targets
    from edge.plan.operators import operators
    from edge.report import operators as report

    if markdown and as_json:
        raise EdgeError("ops", "takes one of --markdown and --json")
    if target:
        backends.chosen(targets.read(target), ["native"])
    found = {one.name: one for one in operators()}
    if name is not None:
        spelled = {known.lower(): known for known in found}.get(name.lower())
        if spelled is None:
            raise EdgeError(f"ops {name}", "is no operator of ONNX", did_you_mean(name, found) or "edge ops lists them")
        found = {spelled: found[spelled]}
    rows = list(found.values())
    if as_json:
        put(report.as_json(rows))
    else:
        put(report.markdown(rows).rstrip("\n") if markdown else report.page(rows[0], screen()) if name else report.table(rows, screen()))
    return 0
