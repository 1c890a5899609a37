"""edge flash A.edge --to DEVICE: put it there, let it check itself, switch; the version before stays for `edge rollback`."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", help="the file to install")
    parser.add_argument("--to", metavar="DEVICE", help="the device to install it on; it is run there once")
    parser.add_argument("--folder", default="", metavar="PATH", help="where on the device (~/edge)")
    parser.add_argument("--service", action="store_true", help="also let systemd check it whenever the device starts")
    parser.add_argument("--image", metavar="CARD", help="card.img or /dev/sdX instead of a device; comes with a later issue")
    parser.add_argument("--yes", action="store_true", help="comes with --image")


def run(args: argparse.Namespace) -> int:
    from edge import artifact
    from edge.cli.later import refuse
    from edge.cli.progress import Progress
    from edge.devices import opened
    from edge.devices.install import flash
    from edge.devices.service import install_service
    from edge.errors import EdgeError

    if args.image:
        refuse("flash", "--image")
    if not args.to:
        raise EdgeError("flash", "needs a device", "edge flash A.edge --to ssh://pi@board")
    file = artifact.open(args.artifact)
    with opened(args.to) as device:
        with Progress() as say:
            made = flash(device, file, args.folder, say)
        print(
            f"{made.uri}: {made.folder}/current is {made.name} {made.version}, checked there" + (f"; before: {made.previous}" * bool(made.previous))
        )
        if args.service:
            with Progress() as say:
                unit = install_service(device, made, say)
            print(f"{made.uri}: {unit} checks it at every start")
    return 0
