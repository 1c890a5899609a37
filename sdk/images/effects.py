"""First-boot settings that would be written and never be read, and users that the image has already: refused, or told."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edge.errors import EdgeError
from edge.images.boot_kinds import Image
from edge.images.first_boot import FirstBoot

LEAVE_OUT = "leave out --host-name, --user, --ssh-key and --wifi"
FRESH = "use a fresh copy of the image"
CLOUD_INIT = ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init", "/usr/lib/systemd/system/cloud-init.service", "/etc/cloud/cloud.cfg")
PACKAGES = "/var/lib/dpkg/status"  #: an image with it and without the above has no cloud-init for sure
#: files in which installers and package managers write such things
NO_NETWORK = "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg"
SOURCES = ("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/90_dpkg.cfg", "/etc/cloud/cloud.cfg.d/99-installer.cfg")
NO_CLOUD = re.compile(r"nocloud(-net)?(;.*)?")
FIRST_USER, NOBODY = 1000, 65534


def require_effect(config: FirstBoot, kind: str, image: Image) -> list[str]:
    """Notes on what may have no effect; EdgeError for what has none."""
    for what, cure in useless(config, kind, image):
        raise EdgeError(image.shown, what, cure)
    require_free_user(config.user, image)
    if kind == "cloud-init" and not any(map(image.has, CLOUD_INIT)):
        return ["no cloud-init is to be seen in the image: without it nothing reads user-data"]
    return []


def useless(config: FirstBoot, kind: str, image: Image) -> Iterator[tuple[str, str]]:
    """(what makes the settings useless, what helps)."""
    words = image.cmdline.split()
    overlay = [word for word in words if re.fullmatch(r"boot=overlay|overlayroot=(?!disabled\b).+", word)]
    if overlay and kind != "edge":
        cure = f"take {overlay[0]} out of its cmdline.txt until it has started once"
        yield f"its cmdline.txt has {overlay[0]}: the root lies in memory, and forgets what the first start does", cure
    setting = re.search(r"""^overlayroot=["']?(?!disabled\b)[^"'\s]+""", local_overlay(image), re.MULTILINE)
    if setting and not overlay and kind != "edge":
        yield "its /etc/overlayroot.conf lays the root in memory, which forgets what the first start does", FRESH
    if kind == "cloud-init":
        yield from without_cloud_init(config, image, words)


def local_overlay(image: Image) -> str:
    local = image.root_text("/etc/overlayroot.local.conf")
    return local if "overlayroot=" in local else image.root_text("/etc/overlayroot.conf")


def without_cloud_init(config: FirstBoot, image: Image, words: list[str]) -> Iterator[tuple[str, str]]:
    if "cloud-init=disabled" in words:
        yield "its cmdline.txt has cloud-init=disabled, so its user-data is not read", f"take that word out of it, or {LEAVE_OUT}"
    if image.has("/etc/cloud/cloud-init.disabled"):
        yield "its /etc/cloud/cloud-init.disabled switches cloud-init off, so its user-data is not read", f"{FRESH}, or {LEAVE_OUT}"
    if image.has(PACKAGES) and not any(map(image.has, CLOUD_INIT)):
        yield "has no cloud-init, so its user-data is not read", f"take user-data and meta-data out of it, or {LEAVE_OUT}"
    if config.wifi and "network-config=disabled" in words:
        yield "its cmdline.txt has network-config=disabled, so no network is joined", "take that word out of it, or leave out --wifi"
    if config.wifi and re.search(r"config:\s*[\"']?disabled", image.root_text(NO_NETWORK)):
        yield f"its {NO_NETWORK} keeps cloud-init from networks, so none is joined", f"{FRESH}, or leave out --wifi"
    for path in SOURCES:
        named = re.search(r"^datasource_list:\s*\[([^\]]*)\]", image.root_text(path), re.MULTILINE)
        if named and "nocloud" not in named[1].lower():
            yield f"its {path} lets cloud-init read from '{named[1].strip()}' only, not from user-data", f"{FRESH}, or {LEAVE_OUT}"
    for source in (word.partition("=")[2] for word in words if word.startswith(("ds=", "ci.ds="))):
        if not NO_CLOUD.fullmatch(source.lower()):
            yield f"its cmdline.txt lets cloud-init read from '{source}' only, not from user-data", "take ds= out of it"
        elif re.search(r";(s|seedfrom)=", source):
            yield "its cmdline.txt lets cloud-init read from another place (ds=nocloud;s=…), not from user-data", "take ds= out of it"


def require_free_user(user: str, image: Image) -> None:
    """A user of the system has a purpose, and often no shell: EdgeError."""
    for line in image.root_text("/etc/passwd").splitlines():
        words = line.split(":")
        if user and words[0] == user and len(words) > 2 and words[2].isdecimal() and not FIRST_USER <= int(words[2]) < NOBODY:
            raise EdgeError("--user", f"'{user}' is a user of the system in {image.shown}, not a person", "choose another name")
