"""`edge flash A.edge --image`: into an image file, into a new one, or through an image onto a card."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from edge import artifact
from edge.debian import packages
from edge.devices.lock import safe_name
from edge.errors import EdgeError, did_you_mean
from edge.images import card, debian_image, disks, refusals
from edge.images.copies import Say, alone, opened, put_in_place, require_unattached, require_unpacked, workbench, working_copy
from edge.images.first_boot import AskSecret, FirstBoot, first_boot
from edge.images.injecting import Injected, inject
from edge.images.payload import Payload

BASES = ("debian",)
DEFAULT_MAX_SIZE = "256GB"
UNITS = {"": 1, "MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
DEVICES = Path("/dev")


@dataclass(frozen=True)
class FlashImage:
    """The words of the command line.

    image: an image file, new or old, or a block device.  source: the image to start from, never changed.
    service: let systemd check the model at every start.
    """

    artifact: Path
    image: Path
    source: Path | None = None
    base: str = ""
    host_name: str = ""
    user: str = ""
    ssh_key: Path | None = None
    wifi: str = ""
    wifi_country: str = ""
    service: bool = False
    max_size: str = DEFAULT_MAX_SIZE
    yes: bool = False


@dataclass(frozen=True)
class Asker:
    """How to ask the person at the terminal; None where there is nobody.  confirm: a yes-or-no question.  secret: an answer that is not shown."""

    confirm: Callable[[str], bool] | None = None
    secret: AskSecret = None


def flash_image(words: FlashImage, say: Say = lambda text: None, ask: Asker | None = None, host: disks.Host | None = None) -> str:
    """Does it, and says what was done in a few lines.  EdgeError otherwise; the image or card is then as it was, or a card that does not boot."""
    ask, host = ask or Asker(), host or disks.Host()
    max_size = size_of(words.max_size)
    if str(words.image).startswith("-"):
        raise EdgeError("--image", f"'{words.image}' looks like an option", f"write ./{words.image} if it is a file")
    if words.base and words.base not in BASES:
        raise EdgeError("--base", f"'{words.base}' is not a base to build on", did_you_mean(words.base, BASES) or f"there is {', '.join(BASES)}")
    if words.base and words.source:
        raise EdgeError("--base", "and --from are two beginnings", "give one of them")
    payload = payload_of(words)
    if is_device(words.image):
        return to_card(words, payload, max_size, say, ask, host)
    return to_file(words, payload, say, ask, host)


def payload_of(words: FlashImage) -> Payload:
    """The artifact, checked; never run."""
    manifest = artifact.open(words.artifact).manifest
    return Payload(safe_name(manifest.name), words.artifact.read_bytes(), words.service)


def configuration(words: FlashImage, ask: Asker) -> FirstBoot:
    return first_boot(words.host_name, words.user, words.ssh_key, words.wifi, words.wifi_country, ask.secret)


def to_file(words: FlashImage, payload: Payload, say: Say, ask: Asker, host: disks.Host) -> str:
    """Into words.image: changed in a copy that takes its place, or made."""
    there = words.image.exists()
    if there and not words.image.is_file():
        raise EdgeError(str(words.image), "is not a file", "name an image file or a card's device")
    if there and words.base:
        raise EdgeError(str(words.image), "is there already", "leave out --base to put the model into it, or name a new file")
    require_unpacked(words.image, words.source)
    config = configuration(words, ask)
    if there:
        require_unattached(words.image, host.sysfs)
    if there and words.source:
        may_be_replaced(words, ask)
    target = words.image.resolve()
    with alone(words.image) if there else nullcontext(), workbench(target.parent) as folder:
        source = words.source or (words.image if there else None)
        done = prepared(folder, source, str(words.image), payload, config, say)
        size = (folder / IMAGE).stat().st_size
        if there:  # it may have taken minutes
            require_unattached(words.image, host.sysfs)
        put_in_place(folder / IMAGE, target, config.secret)
    return "\n".join(report(f"{words.image}: {size / 1e6:.0f} MB", payload, done, config))


def may_be_replaced(words: FlashImage, ask: Asker) -> None:
    """Another image is the beginning, so all that this file holds is lost: asked, as for a card."""
    with opened(words.source or words.image):  # what cannot be read is told before anything is asked
        same = words.source is not None and words.image.samefile(words.source)
    if same:
        raise EdgeError(str(words.image), "is what --from names too, and --from is not changed", "leave out --from to put the model into it")
    confirm(f"{words.image} is there already, and everything in it will be lost. Write over it?", words.yes, ask)


IMAGE = "card.img"  #: the working copy's name


def prepared(folder: Path, source: Path | None, shown: str, payload: Payload, config: FirstBoot, say: Say) -> Injected:
    """The image with the model in it, as IMAGE in the folder; built when there is nothing to start from."""
    if source:
        working_copy(source, folder / IMAGE, say)
        shown = str(source)
    else:
        debian_image.build(folder, IMAGE, len(payload.data), packages.cache_folder(), say)
    return inject(folder, IMAGE, shown, payload, config, say)


def to_card(words: FlashImage, payload: Payload, max_size: int, say: Say, ask: Asker, host: disks.Host) -> str:
    """Through a working copy onto a card.  The disk is checked first, before anything takes time, and again when the size is known."""
    if not (words.source or words.base):
        raise EdgeError("--image", f"{words.image} needs an image to write", "give one with --from card.img, or --base debian")
    disk = disks.look(words.image, host)
    refusals.check(disk, words.source.stat().st_size if words.source and words.source.is_file() else 0, max_size, host)
    config = configuration(words, ask)
    confirm(f"Everything on {disk} will be lost. Write {payload.name} to it?", words.yes, ask)
    with workbench(Path(tempfile.gettempdir()), "make room, or name another folder in TMPDIR") as folder:
        done = prepared(folder, words.source, "the new image", payload, config, say)
        size = (folder / IMAGE).stat().st_size
        # While the image was made, the card may have been changed for another.
        now = disks.look(words.image, host)
        refusals.check(now, size, max_size, host)
        if (now.number, now.size, now.model, now.sequence) != (disk.number, disk.size, disk.model, disk.sequence):
            raise EdgeError(str(words.image), "is not the card any more that it was a moment ago", "look again and start over")
        digest = card.write(folder / IMAGE, now, host, say)
    return "\n".join([*report(f"{disk}: {size / 1e6:.0f} MB", payload, done, config), f"read back and compared: sha256 {digest}"])


def confirm(question: str, yes: bool, ask: Asker) -> None:
    if yes:
        return
    if ask.confirm is None:
        raise EdgeError("flash", question, "repeat with --yes, or in a terminal")
    if not ask.confirm(question):
        raise EdgeError("flash", "nothing was written", "you said no")


def report(first: str, payload: Payload, done: Injected, config: FirstBoot) -> list[str]:
    """What the person wants to know afterwards; no secret."""
    lines = [first, f"model {payload.name}: {done.path}, {len(payload.data) / 1e6:.1f} MB, read back and compared"]
    if done.removed:
        lines.append(f"{done.removed} older versions removed" if done.removed > 1 else "an older version removed")
    lines += [f"note: {note}" for note in done.notes]
    if done.kind:
        told = {
            "host name": config.host_name,
            "user": config.user,
            "ssh keys": len(config.keys) or "",
            "Wi-Fi": config.wifi.ssid if config.wifi else "",
        }
        lines.append(f"first boot by {done.kind}: {', '.join(f'{name} {value}' for name, value in told.items() if value)}")
    if config.wifi and not config.wifi.country:
        lines.append("note: without --wifi-country a Raspberry Pi may keep its radio off")
    return lines


def is_device(path: Path) -> bool:
    """Anything under /dev is meant as a device, there or not: a new image file is never wanted in that place."""
    return DEVICES in path.absolute().parents or path.is_block_device()


def size_of(text: str) -> int:
    """`64GB`, `32GiB` in bytes."""
    match = re.fullmatch(r"([0-9]{1,15})\s*([A-Za-z]*)", text.strip())
    if not match or match[2].upper() not in UNITS:
        raise EdgeError("--max-size", f"'{text}' is not a size", "like 64GB or 32GiB")
    return int(match[1]) * UNITS[match[2].upper()]
