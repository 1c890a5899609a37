"""edge devices: what is attached to this machine or played by it, and the URI that opens it; --stop switches virtual boards off."""

from __future__ import annotations

import click

from edge.cli import options
from edge.cli.output import put
from edge.cli.verb import verb

LONGEST = 300  #: characters: a URI is there to be copied


@verb
@options.as_json()
@click.option("--stop", is_flag=True, help="switch every virtual board off; what is on their disks stays")
def command(as_json: bool, stop: bool) -> int:
    import json
    from dataclasses import asdict

    from edge.devices import find_devices, virtual
    from edge.report.table import table

    if stop:
        virtual.stop()
    found = list(find_devices())
    if as_json:
        put(json.dumps([asdict(device) for device in found], indent=1))
    else:
        put(table(("device", "what"), [(device.uri, device.what) for device in found], LONGEST))
        put("\nboards on the network: ssh://USER@HOST")
    return 0
