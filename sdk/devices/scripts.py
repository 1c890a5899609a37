"""What the small shell scripts that run on a device share.  They need a POSIX sh and no more than busybox or toybox has.

A script is one word of `["sh", "-c", SCRIPT, "sh", *arguments]`; nothing of ours or the user's is ever pasted into its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.artifact.program import SIGNALS
from edge.devices.device import Ran
from edge.errors import DeviceFailed, EdgeError

#: edge_own FOLDER: makes it, or ends the script: it must be a folder of ours where nobody else may write, or its programs could be another's
OWN = """
edge_own() {
  mkdir -m 700 "$1" 2>/dev/null
  case $(ls -ldn "$1" 2>/dev/null) in d????-??-*) set -- "$1" $(ls -ldn "$1"); [ "$4" = "$(id -u)" ] && return 0;; esac
  echo "$1: is not a folder of this user alone" >&2; exit 1
}
"""
#: sets $base: where artifacts may lie and run.  A phone's shell has no home of its own.  A read-only home stays the home: the user shall know.
#: Where there is none, it is a folder in /tmp, where others could have made one.
BASE = (
    OWN
    + """
if [ -n "$EDGE_HOME" ]; then base=$EDGE_HOME
elif [ -d /data/local/tmp ]; then base=/data/local/tmp
elif [ -n "$HOME" ] && [ "$HOME" != / ]; then base=$HOME
else base=/tmp/edge-$(id -u); edge_own "$base"; fi
"""
)
SHARED = re.compile(r"^(/\S{1,200}): is not a folder of this user alone$", re.MULTILINE)
#: edge_fleeting FOLDER -> fleeting=WHY when a restart of the device empties it.  EDGE_HOME is somebody's own choice.
#: An overlay lies where its upper folder lies; some are laid before the root is there and show in the kernel's command line only.
FLEETING = """
edge_mount() {
  at=; kind=; with=
  while read -r what place type options rest; do
    case "$1/" in "${place%/}"/*) [ ${#place} -ge ${#at} ] && at=$place && kind=$type && with=$options;; esac
  done </proc/mounts
}
edge_fleeting() {
  [ -z "$EDGE_HOME" ] || return 0
  edge_mount "$1"
  case "$kind" in
    tmpfs|ramfs|rootfs) echo "fleeting=$at is $kind, in memory"; return 0;;
    overlay|overlayfs|aufs)
      upper=; case "$with" in *upperdir=*) upper=${with##*upperdir=}; upper=${upper%%,*};; esac
      [ -z "$upper" ] || edge_mount "$upper"
      read -r words </proc/cmdline
      case "$kind, $words " in
        tmpfs,*|ramfs,*|*" boot=overlay "*|*" overlayroot=tmpfs"*|*" boot=live "*|*" boot=casper "*)
          echo "fleeting=its root is an overlay in memory"; return 0;;
      esac;;
  esac
  case "$1" in /tmp|/tmp/edge|/tmp/edge/*|/tmp/edge-*) echo "fleeting=/tmp is emptied by it";; esac  # where BASE goes for want of a home
}
"""
#: what a device's tools say -> what it means, what helps
SAYINGS = (
    ("No space left on device", "is full", "free some space there: df -h"),
    ("Disk quota exceeded", "has no room left for this user", "free some space there: quota"),
    ("Read-only file system", "is mounted read-only", "sudo mount -o remount,rw / there; if it comes back, the card may be worn out"),
    ("Input/output error", "has a disk that fails", "replace the card"),
    ("Permission denied", "does not let this user write there", "choose another --folder, or another user"),
    ("Exec format error", "cannot run this program: it is for another architecture", "build it for this device: edge targets"),
    ("Failed to connect to bus", "has a systemd that does not answer this user", "loginctl enable-linger there, or flash as root"),
    ("syntax error", "cannot run this program: it is for another architecture", "build it for this device: edge targets"),
)
NOT_EXECUTED = 126  #: as a shell says it


def script(text: str, *arguments: str) -> list[str]:
    return ["sh", "-c", text, "sh", *arguments]


def failed(where: str, ran: Ran, doing: str) -> DeviceFailed:
    """The error for a script that ended badly: in our words where we know its complaint, else its last line."""
    said = ran.stderr.decode("utf-8", "replace").strip()
    if ran.code == NOT_EXECUTED and "permission denied" in said.lower():
        return DeviceFailed(where, f"{doing} failed: programs may not run there", "another --folder, or sudo mount -o remount,exec there")
    if shared := SHARED.search(said):
        what = f"{shared[1]} is not a folder of this user alone: programs in it could be another's"
        return DeviceFailed(where, what, "remove it there, or log in as a user with a home folder")
    for phrase, what, cure in SAYINGS:
        if phrase.lower() in said.lower():
            return DeviceFailed(where, what, cure)
    if ran.code in SIGNALS:
        what, cure = SIGNALS[ran.code]
        return DeviceFailed(where, f"{doing} failed: it {what}", cure)
    last = said.splitlines()[-1][:200] if said else f"code {ran.code}"
    return DeviceFailed(where, f"{doing} failed: {last}", "edge doctor DEVICE looks for the cause")


def remote_path(path: str) -> str:
    """A path on a device, as a user or we name it: no option, no control character, no '..'."""
    if not path or path.startswith(("-", "~")) or not path.isprintable() or len(path) > 1000 or ".." in path.split("/"):
        raise EdgeError(f"path '{path[:80]}'", "is no path for a device", "like /opt/edge: no '..', no '-' or '~' in front")
    return path


def key_values(text: bytes) -> dict[str, str]:
    """`key=value` lines of a script; other lines are a login's chatter."""
    found = re.findall(r"^([a-z_0-9]{1,40})=(.{0,8000})$", text.decode("utf-8", "replace"), re.MULTILINE)
    return {key: value.strip() for key, value in found}


def number(said: str) -> int:
    """What a device says to be a number; 0 for what is none, or is larger than a size or a time can be."""
    return int(said) if re.fullmatch("[0-9]{1,15}", said) else 0


def words_of(text: str, most: int = 1000) -> Sequence[str]:
    return text.split()[:most]
