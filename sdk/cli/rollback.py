"""edge rollback DEVICE: back to the model that was there before the last flash."""

from __future__ import annotations

import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="the device to go back on")
    parser.add_argument("--name", default="", metavar="NAME", help="which model, where several are installed")
    parser.add_argument("--folder", default="", metavar="PATH", help="where on the device (~/edge)")


def run(args: argparse.Namespace) -> int:
    from edge.cli.progress import Progress
    from edge.devices import opened
    from edge.devices.install import rollback

    with Progress() as say, opened(args.device, say) as device:
        back = rollback(device, args.name, args.folder)
    print(f"{back.uri}: {back.folder}/current is {back.name} {back.version} again; it was {back.previous}")
    return 0
