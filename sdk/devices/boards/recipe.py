"""What a virtual board is made of, and what it does when it starts."""

from __future__ import annotations

import hashlib

from edge.debian import packages

KERNEL = "linux-image-cloud-arm64"  #: depends on the kernel of the day; a cloud kernel is small and has ext4 and the UART built in
PACKAGES = ("busybox-static", "dropbear-bin", "libc6", "libcrypt1", "zlib1g", "libtomcrypt1", "libtommath1", "libgmp10")

#: with all they need; a name that the kernel has built in is left out
MODULES = ("virtio_mmio", "virtio_blk", "virtio_net")
#: where in a kernel's tree those and all they need lie
MODULE_PLACES = ("drivers/virtio/", "drivers/block/virtio_blk", "drivers/net/virtio_net", "drivers/net/net_failover", "net/core/failover")
PROGRAMS = ("bin/busybox", "usr/sbin/dropbear", "usr/bin/dropbearkey")
LIBRARIES = ("ld-linux-aarch64.so.1", "libc.so.6", "libcrypt.so.1", "libz.so.1", "libtomcrypt.so.1", "libtommath.so.1", "libgmp.so.10")

USER, PASSWORD = "pi", "raspberry"
#: of PASSWORD, by crypt(3) with SHA-512; the console is reachable from this machine only, and ssh takes the board's key alone
PASSWORD_HASH = "$6$edge$14iFZQonIh8azugdCe2RqeIDAxTY2QYGsmoV/LIHNQko7QVuIvxuHR6W7pPvGYLyIGV3Q7dGPSBt0l2bG02VL/"
IDLE_SECONDS = 600  #: without a connection over ssh or a character on the console, after which a board switches itself off

FILES = {
    "etc/passwd": f"root:x:0:0:root:/root:/bin/sh\n{USER}:x:1000:1000:{USER}:/home/{USER}:/bin/sh\n",
    "etc/group": f"root:x:0:\n{USER}:x:1000:\n",
    "etc/shadow": f"root:*:19000:0:99999:7:::\n{USER}:{PASSWORD_HASH}:19000:0:99999:7:::\n",
    "etc/shells": "/bin/sh\n",
}
#: the first process.  Only /home is on the disk: the rest is made anew at every start, so that a board cannot be spoilt for good.
INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /run /root
mount -t devpts devpts /dev/pts; mount -t tmpfs -o mode=1777 tmpfs /dev/shm; mount -t tmpfs -o mode=1777 tmpfs /tmp
while read -r module; do insmod "/modules/$module.ko"; done </modules/list
hostname board
mount -t ext4 -o noatime /dev/vda /home || echo "board: its disk cannot be mounted" >/dev/console
mkdir -p /home/{USER}/.ssh /home/.keys; chmod 700 /home/.keys /home/{USER}/.ssh
cp /etc/authorized_keys /home/{USER}/.ssh/; chown -R 1000:1000 /home/{USER}/.ssh; chown 1000:1000 /home/{USER}
ifconfig lo up; ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
key=/home/.keys/ed25519
[ -s $key ] || {{ dropbearkey -t ed25519 -f $key.new >/dev/null 2>&1 && sync && mv $key.new $key && sync; }}
dropbear -E -s -r $key 2>/tmp/dropbear.log
read -r idle </etc/idle
(last=0; before=
while sleep 5; do
  read -r now rest </proc/uptime; now=${{now%.*}}; typed=$(stat -c %Y /dev/ttyAMA0)  # nobody sets the time since the start
  [ "$(pidof dropbear | wc -w)" -le 1 ] && [ "$typed" = "$before" ] || last=$now
  before=$typed
  [ $((now - last)) -lt $idle ] || {{ sync; umount /home; poweroff -f; }}
done) &
while :; do getty -L 115200 ttyAMA0 vt100; done
"""


def key() -> str:
    """Names the folder that holds the parts: another recipe, another folder."""
    return hashlib.sha256(repr((packages.SUITE, KERNEL, PACKAGES, MODULES, PROGRAMS, LIBRARIES)).encode()).hexdigest()[:12]
