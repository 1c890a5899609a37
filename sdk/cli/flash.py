"""edge flash A.edge --image card.img|/dev/sdX: the model onto an SD card or into its image."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.later import refuse

if TYPE_CHECKING:
    from edge.images import Asker


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", help="the file to put there; it is not run here")
    parser.add_argument("--to", metavar="DEVICE", help="a device that runs")
    parser.add_argument("--image", type=Path, metavar="card.img|/dev/sdX", help="an image file, changed or made, or a card")
    parser.add_argument("--from", type=Path, dest="source", metavar="FILE", help="the image to start from (.img or .img.xz); it is not changed")
    parser.add_argument("--base", metavar="debian", help="build a small bootable image instead, as happens when --image names no file")
    parser.add_argument("--host-name", metavar="NAME", help="what the device calls itself")
    parser.add_argument("--user", metavar="NAME", help="who can log in; the password is asked for, or in EDGE_USER_PASSWORD")
    parser.add_argument("--ssh-key", type=Path, metavar="FILE", help="that user's public key")
    parser.add_argument("--wifi", metavar="SSID", help="the network to join; the password is asked for, or in EDGE_WIFI_PASSWORD")
    parser.add_argument("--wifi-country", metavar="XX", help="where the radio is used: DE, GB, US, …")
    parser.add_argument("--service", action="store_true", help="also let systemd check it whenever the device starts")
    parser.add_argument("--max-size", default="256GB", metavar="SIZE", help="refuse a card larger than this (256GB)")
    parser.add_argument("--yes", action="store_true", help="overwrite the card without asking")


def run(args: argparse.Namespace) -> int:
    from edge.cli.progress import Progress
    from edge.errors import EdgeError
    from edge.images import FlashImage, flash_image

    if args.to:
        refuse("flash", f"--to {args.to}")
    if not args.image:
        raise EdgeError("flash", "says nowhere to put it", "give --image card.img, or --image /dev/sdX --from card.img")
    words = FlashImage(
        artifact=args.artifact,
        image=args.image,
        source=args.source,
        base=args.base or "",
        host_name=args.host_name or "",
        user=args.user or "",
        ssh_key=args.ssh_key,
        wifi=args.wifi or "",
        wifi_country=args.wifi_country or "",
        service=args.service,
        max_size=args.max_size,
        yes=args.yes,
    )
    with Progress() as say:
        print(flash_image(words, say, asker()))
    return 0


def asker() -> Asker:
    """Questions go to the terminal; without one there is nobody to ask."""
    from edge.images import Asker

    return Asker(confirm, getpass.getpass) if sys.stdin.isatty() and sys.stderr.isatty() else Asker()


def confirm(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
