"""What a device's meters could be read from, brought here by one command: over ssh every question costs a round trip, and discovery asks dozens."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from edge.meters.place import Place, There

FOLDERS = ("/sys/class/powercap", "/sys/class/hwmon", "/sys/class/power_supply")
FILES = ("/proc/device-tree/model", "/etc/nv_tegra_release", "/system/build.prop")
PROGRAMS = "/system/bin"  #: of an Android device: only whether there are any
#: folders, --, files.  `N FOLDER ENTRY`, `V PATH FIRST LINE`, `X PATH` for a file that may not be read, `E PATH` for one that
#: gives nothing.
#: Files of other names are not opened: some are slow.
LOOK = """
value() {
  line=
  if [ -r "$1" ] && { IFS= read -r line <"$1" || [ -n "$line" ]; } 2>/dev/null; then printf 'V\\t%s\\t%s\\n' "$1" "$line"
  elif [ -r "$1" ]; then printf 'E\\t%s\\n' "$1"
  elif [ -e "$1" ]; then printf 'X\\t%s\\n' "$1"; fi
}
while [ "$1" != -- ]; do
  for entry in "$1"/*; do
    [ -e "$entry" ] || continue
    printf 'N\\t%s\\t%s\\n' "$1" "${entry##*/}"
    for file in "$entry"/*; do
      case "${file##*/}" in
        name|type|status|scope|update_interval|energy_uj|max_energy_range_uj) value "$file";;
        power[0-9]*_input|curr[0-9]*_input|in[0-9]*_input|in[0-9]*_label|in[0-9]*_enable|*_now) value "$file";;
      esac
    done
  done
  shift
done
shift
for file in "$@"; do value "$file"; done
[ -d /system/bin ] && printf 'N\\t/system/bin\\tsh\\n'
exit 0
"""
REFUSALS = {"X": (errno.EACCES, "Permission denied"), "E": (errno.EIO, "Input/output error")}


class Snapshot:
    """A device as it was a moment ago where its meters' files are, and the device itself everywhere else."""

    def __init__(self, place: There) -> None:
        self.place, self.parallel = place, place.parallel
        self.entries: dict[str, list[str]] = {folder: [] for folder in (*FOLDERS, PROGRAMS)}
        self.lines: dict[str, str] = {}
        self.refused: dict[str, tuple[int, str]] = {}
        for line in place.run(["sh", "-c", LOOK, "sh", *FOLDERS, "--", *FILES], timeout=30.0).splitlines():
            kind, *words = line.split("\t", 2)
            if kind == "N" and len(words) == 2 and words[0] in self.entries:
                self.entries[words[0]].append(words[1])
            elif kind == "V" and len(words) == 2:
                self.lines[words[0]] = words[1]
            elif kind in REFUSALS and words:
                self.refused[words[0]] = REFUSALS[kind]

    def at(self, path: str) -> str:
        return self.place.at(path)

    def names(self, folder: str) -> list[str]:
        return sorted(self.entries[folder]) if folder in self.entries else self.place.names(folder)

    def read(self, path: str) -> str:
        if path in self.lines:
            return self.lines[path]
        if path in self.refused:
            raise OSError(*self.refused[path], path)  # a PermissionError where that is the number
        if path in FILES or path.startswith(tuple(f"{folder}/" for folder in FOLDERS)):
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return self.place.read(path)

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> str:
        return self.place.run(argv, timeout)


def looked_over(place: Place) -> Place:
    """A device's snapshot; what is here is read where it lies."""
    if not isinstance(place, There):
        return place
    try:
        return Snapshot(place)
    except OSError:  # a shell that cannot do it: then question by question
        return place
