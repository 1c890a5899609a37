"""What a device says of itself, in one script and one round trip."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.devices.device import Facts, Ran
from edge.devices.scripts import BASE, failed, key_values, script, words_of
from edge.errors import one_line

TOOLS = ("sh", "sha256sum", "cksum", "gzip", "systemctl", "vcgencmd", "python3")
SCRIPT = (
    BASE
    + """
echo "machine=$(uname -m)"; echo "kernel=$(uname -r)"
[ -r /proc/device-tree/model ] && echo "board=$(tr -d '\\000' </proc/device-tree/model)"
cores=0 name= features=
while IFS=: read -r key value; do
  case "$key" in
    processor*) cores=$((cores + 1));;
    "model name"*|Hardware*) [ -n "$name" ] || name=$value;;
    flags*|Features*) [ -n "$features" ] || features=$value;;
  esac
done </proc/cpuinfo
echo "cores=$cores"; echo "name=$name"; echo "features=$features"
while read -r key value unit; do [ "$key" = MemTotal: ] && echo "memory_kb=$value"; done </proc/meminfo
df -Pk "$base" | while read -r disk blocks used free rest; do echo "free_kb=$free"; done
tools=; for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 && tools="$tools $tool"; done
echo "tools=$tools"; exit 0
"""
)


def facts_over(uri: str, run: Callable[[Sequence[str]], Ran]) -> Facts:
    """run: the device's.  What it prints may be anything: numbers that are none count 0."""
    ran = run(script(SCRIPT, *TOOLS))
    found = key_values(ran.stdout)
    if ran.code or "machine" not in found:
        raise failed(uri, ran, "asking for its facts")

    def number(key: str) -> int:
        text = found.get(key, "")
        return int(text) if text.isdecimal() and len(text) < 16 else 0

    return Facts(
        uri=uri,
        machine=one_line(found["machine"])[:40],
        kernel=one_line(found.get("kernel", ""))[:100],
        model=one_line(found.get("board") or found.get("name", ""))[:100],
        features=tuple(words_of(found.get("features", ""))),
        cores=number("cores"),
        memory_bytes=number("memory_kb") << 10,
        free_bytes=number("free_kb") << 10,
        tools=tuple(word for word in words_of(found.get("tools", "")) if word in TOOLS),
    )
