"""The ways an image takes its first-boot configuration: which one this image has, and the files that say it.

kind          read by                                      sign of it in the image
rpi-preseed   the package rpi-preseed                      its systemd unit
cloud-init    cloud-init (Raspberry Pi OS 13, Ubuntu)      user-data or meta-data on the boot partition
custom.toml   raspberrypi-sys-mods (Raspberry Pi OS 12)    its init_config, and firstboot in cmdline.txt
firstrun.sh   systemd, by the kernel's command line        systemd, and cmdline.txt
edge          the small Debian image made by `edge` itself  /etc/edge-base

The newest comes first: an image that knows a declared form is not given a script.  What `effects` knows to have no effect is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.errors import EdgeError
from edge.images import cloud_init, debian_files, firstrun, preseed
from edge.images.cloud_init import nothing
from edge.images.ext4 import File
from edge.images.first_boot import FirstBoot


@dataclass(frozen=True)
class Image:
    """What an image says of itself.  boot: small-letter names on its boot partition.  has: is there such a path on the root?

    boot_file, root_file: the content of a file of either, None without one.  shown: what the user calls the image.
    """

    boot: frozenset[str]
    cmdline: str
    fstab: str
    has: Callable[[str], bool]
    boot_file: Callable[[str], bytes | None] = nothing
    root_file: Callable[[str], bytes | None] = nothing
    shown: str = "the image"

    @property
    def boot_folder(self) -> str:
        """Where the running system will mount the boot partition."""
        return "/boot/firmware" if "/boot/firmware" in self.fstab.split() else "/boot"

    def root_text(self, path: str) -> str:
        return (self.root_file(path) or b"").decode("utf-8", "replace")


@dataclass(frozen=True)
class Configuration:
    """Files for the boot partition, by name, and for the root, by path."""

    boot: Mapping[str, bytes] = field(default_factory=dict)
    root: Mapping[str, File] = field(default_factory=dict)


def has_systemd(image: Image) -> bool:
    return image.has("/usr/lib/systemd/systemd") or image.has("/lib/systemd/systemd")


def by_cloud_init(config: FirstBoot, image: Image) -> Configuration:
    """A word of cmdline.txt that names another instance is changed along, or cloud-init takes the card for one that it knows."""
    made, instance = cloud_init.files(config, image.boot_file, image.shown)
    line = cloud_init.command_line(image.cmdline, instance)
    return Configuration(boot=made if line == image.cmdline else {**made, "cmdline.txt": line.encode()})


def by_preseed(config: FirstBoot, image: Image) -> Configuration:
    name = preseed.RPI_PRESEED
    return Configuration(boot={name: preseed.rpi_preseed(config, image.boot_file(name), image.shown)})


def by_custom(config: FirstBoot, image: Image) -> Configuration:
    return Configuration(boot={preseed.CUSTOM: preseed.custom_toml(config, image.boot_file(preseed.CUSTOM), image.shown)})


def by_script(config: FirstBoot, image: Image) -> Configuration:
    return Configuration(boot=firstrun.files(config, image.boot_folder, image.cmdline, image.boot_file(firstrun.SCRIPT), image.shown))


UNITS = "/usr/lib/systemd/system"
SIGNS: dict[str, Callable[[Image], bool]] = {
    "edge": lambda image: image.has("/etc/edge-base"),
    "rpi-preseed": lambda image: image.has(f"{UNITS}/rpi-preseed.service") or image.has("/lib/systemd/system/rpi-preseed.service"),
    "cloud-init": lambda image: bool({"user-data", "meta-data"} & image.boot),
    "custom.toml": lambda image: "raspberrypi-sys-mods/firstboot" in image.cmdline and image.has("/usr/lib/raspberrypi-sys-mods/init_config"),
    "firstrun.sh": lambda image: bool(image.cmdline) and has_systemd(image),
}
WRITERS: dict[str, Callable[[FirstBoot, Image], Configuration]] = {
    "edge": lambda config, image: Configuration(root=debian_files.configured(config, image.root_text)),
    "rpi-preseed": by_preseed,
    "cloud-init": by_cloud_init,
    "custom.toml": by_custom,
    "firstrun.sh": by_script,
}


def kind_of(image: Image, where: str) -> str:
    """The first kind whose sign the image shows."""
    for kind, sign in SIGNS.items():
        if sign(image):
            return kind
    raise EdgeError(where, "takes no first-boot configuration that edge knows", "leave out --host-name, --user, --ssh-key and --wifi")


def configure(config: FirstBoot, kind: str, image: Image) -> Configuration:
    """The files that tell an image of this kind what to do at its first start."""
    return WRITERS[kind](config, image)
