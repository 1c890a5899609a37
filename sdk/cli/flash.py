"""edge flash A.edge --to DEVICE: put it there, let it check itself, switch; the version before stays for `edge rollback`.

edge flash A.edge --image card.img|/dev/sdX: the model onto an SD card or into its image.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli import completion, options
from edge.cli.output import complain, put
from edge.cli.verb import verb
from edge.errors import EdgeError

if TYPE_CHECKING:
    from edge.images import Asker

#: what only --image understands: parameter -> option
OF_IMAGE = {
    "source": "--from",
    **{name: "--" + name.replace("_", "-") for name in ("base", "host_name", "user", "ssh_key", "wifi", "wifi_country", "max_size", "yes")},
}


@verb
@options.artifact("the file to install")
@click.option("--to", metavar="DEVICE", shell_complete=completion.devices, help="the device to install it on; it is run there once")
@options.folder()
@click.option("--service", is_flag=True, help="also let systemd check it whenever the device starts")
@click.option("--image", type=options.FILE, metavar="card.img|/dev/sdX", help="instead: an image file, changed or made, or a card; nothing is run")
@click.option("--from", "source", type=options.FILE, metavar="FILE", help="the image to start from (.img or .img.xz); it is not changed")
@click.option("--base", default="", metavar="debian", help="build a small bootable image instead, as happens when --image names no file")
@click.option("--host-name", default="", metavar="NAME", help="what the device calls itself")
@click.option("--user", default="", metavar="NAME", help="who can log in; the password is asked for, or in EDGE_USER_PASSWORD")
@click.option("--ssh-key", type=options.FILE, metavar="FILE", help="that user's public key")
@click.option("--wifi", default="", metavar="SSID", help="the network to join; the password is asked for, or in EDGE_WIFI_PASSWORD")
@click.option("--wifi-country", default="", metavar="XX", help="where the radio is used: DE, GB, US, …")
@click.option("--max-size", default="256GB", metavar="SIZE", help="refuse a card larger than this")
@click.option("--yes", is_flag=True, help="overwrite the card, or the image file that --from replaces, without asking")
def command(artifact: Path, to: str | None, folder: str, service: bool, image: Path | None, **of_image: Any) -> int:
    if bool(to) == bool(image):
        what = "takes --to or --image, not both" if to else "needs --to or --image"
        raise EdgeError("flash", what, "edge flash A.edge --to ssh://pi@board, or --image card.img")
    foreign = [option for name, option in OF_IMAGE.items() if options.given(name)]
    if to and foreign:
        raise EdgeError(f"flash: {foreign[0]}", "belongs to --image", "a device that runs has been configured already")
    if image and folder:
        raise EdgeError("flash: --folder", "belongs to --to", "in an image it is /opt/edge")
    return to_device(artifact, to, folder, service) if to else to_image(artifact, image or Path(), service, of_image)


def to_device(path: Path, to: str, folder: str, service: bool) -> int:
    from edge.artifact.reader import open_artifact
    from edge.cli.progress import Progress
    from edge.devices import opened
    from edge.devices.install import flash
    from edge.devices.service import install_service

    file = open_artifact(path)
    with Progress() as say, opened(to, say) as device:
        made = flash(device, file, folder, say)
    first = " for the first time: the build had not run it" if file.manifest.never_run else ""
    before = f"; before: {made.previous}" if made.previous else ""
    sent = f"; {made.sent / 1e6:.1f} of {made.size / 1e6:.1f} MB sent, the rest was there" if made.sent < made.size else ""
    put(f"{made.uri}: {made.folder}/current is {made.name} {made.version}, checked there{first}{before}{sent}")
    if made.fleeting:
        note = f"note: a restart of the device undoes this: {made.fleeting} (--folder PATH on a disk keeps it)"
        complain(f"{made.uri}: {note}")
    if service:
        with Progress() as say, opened(to, say) as device:
            unit = install_service(device, made, say)
        put(f"{made.uri}: {unit} checks it at every start")
    return 0


def to_image(path: Path, image: Path, service: bool, of_image: dict[str, Any]) -> int:
    from edge.cli.progress import Progress
    from edge.images import FlashImage, flash_image

    words = FlashImage(artifact=path, image=image, service=service, **of_image)
    with Progress() as say:
        said = flash_image(words, say, asker())
    put(said)
    return 0


def asker() -> Asker:
    """Questions go to the terminal; without one there is nobody to ask."""
    from edge.images import Asker

    return Asker(confirm, getpass.getpass) if sys.stdin.isatty() and sys.stderr.isatty() else Asker()


def confirm(question: str) -> bool:
    complain(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
