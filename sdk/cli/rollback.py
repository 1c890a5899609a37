"""edge rollback DEVICE: back to the model that was there before the last flash."""

from __future__ import annotations

import click

from edge.cli import options
from edge.cli.output import put
from edge.cli.verb import verb


@verb
@options.device("the device to go back on")
@click.option("--name", default="", metavar="NAME", help="which model, where several are installed")
@options.folder()
def command(device: str, name: str, folder: str) -> int:
    from edge.cli.progress import Progress
    from edge.devices import opened
    from edge.devices.install import rollback

    with Progress() as say, opened(device, say) as there:
        back = rollback(there, name, folder)
    put(f"{back.uri}: {back.folder}/current is {back.name} {back.version} again; it was {back.previous}")
    return 0
