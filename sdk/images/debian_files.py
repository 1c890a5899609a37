"""The files of the small Debian image: what its two partitions and its first file system hold.

It boots the kernel of Debian with firmware of Debian, mounts the card, lets each model check itself, and gives a login on the serial line:
enough to see a model run on a Pi 3, Zero 2 W or 4 without installing anything.  No network, no systemd.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import EdgeError
from edge.images.ext4 import File
from edge.images.first_boot import FirstBoot

#: what a Raspberry Pi 3's card reader and the two file systems need
MODULES = ("bcm2835_dma", "bcm2835", "sdhci_iproc", "mmc_block", "crc32c_generic", "ext4", "nls_cp437", "nls_ascii", "vfat")
#: where in a kernel's tree those and all they need lie: the rest of 4,000 modules is not looked at
MODULE_PLACES = ("drivers/dma/", "drivers/mmc/", "fs/ext4/", "fs/jbd2/", "fs/mbcache.ko", "fs/fat/", "fs/nls/", "crypto/", "lib/", "arch/arm64/")
DEVICE_TREES = ("bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus", "bcm2837-rpi-3-a-plus", "bcm2837-rpi-zero-2-w", "bcm2711-rpi-4-b", "bcm2711-rpi-400")
FIRMWARE = ("bootcode.bin", "start.elf", "start4.elf", "fixup.dat", "fixup4.dat")
CONSOLE = "ttyS1"
CMDLINE = f"console=tty1 console={CONSOLE},115200 quiet loglevel=3 panic=5 rdinit=/init"
#: upstream_kernel: the firmware then asks for device trees by the names that Debian's kernel gives them
CONFIG = "arm_64bit=1\nupstream_kernel=1\nenable_uart=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\n"
SIGN = "/etc/edge-base"
FINISHED = "edge: the card is up"

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules); do insmod "/lib/$module" || echo "edge: no module $module"; done
tries=0
while [ ! -e /dev/mmcblk0p2 ] && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries + 1)); done
mount -t ext4 /dev/mmcblk0p2 /card || { echo "edge: the card's second partition cannot be mounted"; exec sh; }
mkdir -p /card/dev /card/proc /card/sys /card/tmp /card/boot
mount --move /proc /card/proc
mount --move /sys /card/sys
mount --move /dev /card/dev
mount -t vfat -o ro /card/dev/mmcblk0p1 /card/boot
exec switch_root /card /sbin/init
"""
#: busybox's init: what runs once, and what runs again when it ends
INITTAB = f"""::sysinit:/etc/start
{CONSOLE}::respawn:/bin/getty -L 115200 {CONSOLE} vt100
tty1::respawn:/bin/getty 38400 tty1
::ctrlaltdel:/bin/reboot
::shutdown:/bin/umount -a -r
"""
START = f"""#!/bin/sh
export PATH=/bin:/sbin
hostname -F /etc/hostname
mount -t tmpfs tmpfs /tmp
{{
tr '\\0' '\\n' </proc/device-tree/model
for model in /opt/edge/*/current/model.edge; do
  [ -x "$model" ] || continue
  echo "edge: $model --verify"
  "$model" --verify
  echo "edge: $model ended with $?"
done
echo "{FINISHED}"
}} >/dev/console 2>&1
"""
HOST_NAME = "edge"
ROOT_LOCKED = "root:*:19000:0:99999:7:::\n"


def root_files(busybox: bytes) -> dict[str, File]:
    """The root partition before a model and a configuration come."""
    return {
        SIGN: File(b"This image was made by edge.\n"),
        "/bin/busybox": File(busybox, 0o755),
        "/sbin/init": File(link="/bin/busybox"),
        "/etc/inittab": File(INITTAB.encode()),
        "/etc/start": File(START.encode(), 0o755),
        "/etc/hostname": File(f"{HOST_NAME}\n".encode()),
        "/etc/passwd": File(b"root:x:0:0:root:/:/bin/sh\n"),
        "/etc/group": File(b"root:x:0:\n"),
        "/etc/shadow": File(ROOT_LOCKED.encode(), 0o600),
    }


def configured(config: FirstBoot, old: Callable[[str], str] = lambda path: "") -> dict[str, File]:
    """First boot of this image is a few files of its root; it has neither ssh nor Wi-Fi.  old: the text of a file that is there."""
    for word, wanted in (("--ssh-key", config.keys), ("--wifi", config.wifi)):
        if wanted:
            raise EdgeError(word, "the small Debian image has no network", "give an image of Raspberry Pi OS with --from")
    files: dict[str, File] = {}
    if config.host_name:
        files["/etc/hostname"] = File(f"{config.host_name}\n".encode())
    if config.user:
        name, passwd = config.user, old("/etc/passwd") or "root:x:0:0:root:/:/bin/sh\n"
        numbers = {int(words[2]) for line in passwd.splitlines() if len(words := line.split(":")) > 2 and words[2].isdecimal()}
        number = next(n for n in range(1000, 60000) if n not in numbers)
        known = any(line.startswith(f"{name}:") for line in passwd.splitlines())
        if not known:
            group = old("/etc/group") or "root:x:0:\n"
            files["/etc/passwd"] = File(f"{passwd}{name}:x:{number}:{number}:{name}:/tmp:/bin/sh\n".encode())
            files["/etc/group"] = File(f"{group}{name}:x:{number}:\n".encode())
        others = [line for line in (old("/etc/shadow") or ROOT_LOCKED).splitlines() if not line.startswith(f"{name}:")]
        shadow = "\n".join([*others, f"{name}:{config.password}:19000:0:99999:7:::"])
        files["/etc/shadow"] = File(f"{shadow}\n".encode(), 0o600)
    return files
