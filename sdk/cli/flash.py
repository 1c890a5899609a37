"""edge flash A.edge --to DEVICE: put it there, let it check itself, switch; the version before stays for `edge rollback`.

edge flash A.edge --image card.img|/dev/sdX: the model onto an SD card or into its image.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.images import Asker

#: option of --image -> what it is when nobody gives it
OF_IMAGE = {
    **dict.fromkeys(("source", "base", "host_name", "user", "ssh_key", "wifi", "wifi_country", "max_size")),
    "yes": False,
}
MAX_SIZE = "256GB"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", help="the file to install")
    parser.add_argument("--to", metavar="DEVICE", help="the device to install it on; it is run there once")
    parser.add_argument("--folder", default="", metavar="PATH", help="where on the device (~/edge)")
    parser.add_argument("--service", action="store_true", help="also let systemd check it whenever the device starts")
    parser.add_argument("--image", type=Path, metavar="card.img|/dev/sdX", help="instead: an image file, changed or made, or a card; nothing is run")
    parser.add_argument("--from", type=Path, dest="source", metavar="FILE", help="the image to start from (.img or .img.xz); it is not changed")
    parser.add_argument("--base", metavar="debian", help="build a small bootable image instead, as happens when --image names no file")
    parser.add_argument("--host-name", metavar="NAME", help="what the device calls itself")
    parser.add_argument("--user", metavar="NAME", help="who can log in; the password is asked for, or in EDGE_USER_PASSWORD")
    parser.add_argument("--ssh-key", type=Path, metavar="FILE", help="that user's public key")
    parser.add_argument("--wifi", metavar="SSID", help="the network to join; the password is asked for, or in EDGE_WIFI_PASSWORD")
    parser.add_argument("--wifi-country", metavar="XX", help="where the radio is used: DE, GB, US, …")
    parser.add_argument("--max-size", metavar="SIZE", help=f"refuse a card larger than this (default {MAX_SIZE})")
    parser.add_argument("--yes", action="store_true", help="overwrite the card without asking")


def run(args: argparse.Namespace) -> int:
    from edge.errors import EdgeError

    if bool(args.to) == bool(args.image):
        what = "takes --to or --image, not both" if args.to else "says nowhere to put it"
        raise EdgeError("flash", what, "edge flash A.edge --to ssh://pi@board, or --image card.img")
    given = [name for name, nothing in OF_IMAGE.items() if getattr(args, name) != nothing]
    if args.to and given:
        option = "from" if given[0] == "source" else given[0].replace("_", "-")
        raise EdgeError(f"flash: --{option}", "belongs to --image", "a device that runs has been configured already")
    if args.image and args.folder:
        raise EdgeError("flash: --folder", "belongs to --to", "in an image it is /opt/edge")
    return to_device(args) if args.to else to_image(args)


def to_device(args: argparse.Namespace) -> int:
    from edge import artifact
    from edge.cli.progress import Progress
    from edge.devices import opened
    from edge.devices.install import flash
    from edge.devices.service import install_service

    file = artifact.open(args.artifact)
    with Progress() as say, opened(args.to, say) as device:
        made = flash(device, file, args.folder, say)
    first = " for the first time: the build had not run it" if file.manifest.never_run else ""
    before = f"; before: {made.previous}" if made.previous else ""
    sent = f"; {made.sent / 1e6:.1f} of {made.size / 1e6:.1f} MB sent, the rest was there" if made.sent < made.size else ""
    print(f"{made.uri}: {made.folder}/current is {made.name} {made.version}, checked there{first}{before}{sent}")
    if args.service:
        with Progress() as say, opened(args.to, say) as device:
            unit = install_service(device, made, say)
        print(f"{made.uri}: {unit} checks it at every start")
    return 0


def to_image(args: argparse.Namespace) -> int:
    from edge.cli.progress import Progress
    from edge.images import FlashImage, flash_image

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
        max_size=args.max_size or MAX_SIZE,
        yes=args.yes,
    )
    with Progress() as say:
        said = flash_image(words, say, asker())
    print(said)
    return 0


def asker() -> Asker:
    """Questions go to the terminal; without one there is nobody to ask."""
    from edge.images import Asker

    return Asker(confirm, getpass.getpass) if sys.stdin.isatty() and sys.stderr.isatty() else Asker()


def confirm(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
