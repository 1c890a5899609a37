"""edge devices: what is attached to this machine or played by it, and the URI that opens it; --stop switches virtual boards off."""

from __future__ import annotations

import argparse

LONGEST = 300  #: characters: a URI is there to be copied


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--stop", action="store_true", help="switch every virtual board off; what is on their disks stays")


def run(args: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from edge.devices import find_devices, virtual
    from edge.report.table import table

    if args.stop:
        virtual.stop()
    found = list(find_devices())
    if args.json:
        print(json.dumps([asdict(device) for device in found], indent=1))
    else:
        print(table(("device", "what"), [(device.uri, device.what) for device in found], LONGEST))
        print("\nboards on the network: ssh://USER@HOST")
    return 0
