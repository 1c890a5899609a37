"""An artifact's program on a device: sent once into a cache there, its files brought there and back.  A `Place` of edge.artifact.program."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from edge.artifact.program import Ended, Environment, Give, Place, Take, Word, here
from edge.artifact.reader import open_artifact
from edge.devices.checksum import SUM, Sums, sums_of
from edge.devices.device import Device, Say, silent
from edge.devices.fit import require_fit
from edge.devices.install import VERSION_LETTERS
from edge.devices.scripts import BASE, failed, key_values, script
from edge.errors import DeviceFailed
from edge.stage import Stage

RUN_SECONDS = 3600.0  #: that one run may take; a device that goes away is noticed by its transport, not by this
KEPT = "6"  #: artifacts in the cache of a device

#: version, job or "", how many to keep, version as `edge flash` names it -> the folder, and the sum of the program that is there.  What was flashed
#: is linked, not sent again.  Makes the job's folder; removes what was used longest ago, and jobs that were left behind.  Only names that we make
#: are ever removed.
ENTER = (
    BASE
    + SUM
    + """
cache=$base/.cache/edge-device
mkdir -p "$cache/$1" "$cache/${2:-$1}" && cd "$cache" && touch "$1" || exit 1
[ -f "$1/model.edge" ] || ln "$base"/edge/*/versions/"$4"/model.edge "$1/model.edge" 2>/dev/null
echo "cache=$(pwd)"; [ -f "$1/model.edge" ] && echo "have=$(edge_sum "$1/model.edge")"
count=0
ls -t | while read -r name; do
  case "$name" in
    "$1"|"$2") ;;
    version-*) count=$((count + 1)); [ "$count" -lt "$3" ] || rm -rf "$name";;
    job-*) find "$name" -prune -mmin +1440 -exec rm -rf {} +;;
  esac
done
exit 0
"""
)


class Remote:
    """say: told how far a transfer is.  asked: seconds that a run was told to take, and may take longer for.  usual: that it will likely take."""

    usual: float | None = None

    def __init__(self, device: Device, say: Say = silent, asked: float = 0.0) -> None:
        self.device, self.say, self.limit = device, say, RUN_SECONDS + asked
        self.known: dict[Path, Sums] = {}

    def __call__(self, path: Path, words: Sequence[Word], environment: Environment, watch: Sequence[str] = (), front: Sequence[str] = ()) -> Ended:
        """The same answer as `here`, from there."""
        files = any(not isinstance(word, str) for word in words)
        program, job = self.there(path, f"job-{secrets.token_hex(8)}" if files else "", fit=not front)
        try:
            spelled = [self.bring(word, f"{job}/{i}") for i, word in enumerate(words)]
            variables = ["env", *(f"{name}={value}" for name, value in environment.items())] if environment else []
            self.say(Stage(f"running {path.name} on {self.device.uri}", seconds=self.usual))
            ran = self.device.run([*watch, *variables, *front, program, *spelled], timeout=self.limit)
            for i, word in enumerate(words):
                if isinstance(word, Take) and ran.code == 0:
                    self.device.pull(f"{job}/{i}", word.path, self.say)
        finally:
            if files:
                with suppress(DeviceFailed):  # it is gone, and the error on its way says so; such jobs are removed a day later
                    self.device.run(["rm", "-rf", job])
        if front and ran.code == 127:
            raise DeviceFailed(
                self.device.uri, f"has no {front[0]}, which runs this payload of {path.name}", f"install {front[0]} there, or build it as native"
            )
        if ran.code in (126, 127):
            raise failed(self.device.uri, ran, f"running {path.name}")
        return Ended(ran.code, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"))

    def there(self, path: Path, job: str, fit: bool = True) -> tuple[str, str]:
        """Its path on the device, where it is sent when it is not there, and the job's folder.  fit: must it be a program for that CPU?"""
        if path not in self.known:
            if fit:
                require_fit(open_artifact(path, check=False), self.device.facts())  # whoever runs it has compared its hashes
            self.known[path] = sums_of(path)
        sums = self.known[path]
        version = f"version-{sums.sha256[:16]}"
        ran = self.device.run(script(ENTER, version, job, KEPT, sums.sha256[:VERSION_LETTERS]))
        told = key_values(ran.stdout)
        cache = told.get("cache", "")
        if ran.code or not cache.startswith("/"):
            raise failed(self.device.uri, ran, "making a folder")
        program = f"{cache}/{version}/model.edge"
        if told.get("have") not in sums.lines:
            self.device.push(path, program, self.say)
        return program, f"{cache}/{job}"

    def bring(self, word: Word, remote: str) -> str:
        if isinstance(word, str):
            return word
        if isinstance(word, Give):
            self.device.push(word.path, remote, self.say)
        return f"{word.prefix}{remote}"


def place_of(device: Device, say: Say = silent, asked: float = 0.0, usual: float | None = None) -> Place:
    """Where programs run for `--on`: this machine needs no cache."""
    if device.traits.here:
        return here
    made = Remote(device, say, asked)
    made.usual = usual
    return made
