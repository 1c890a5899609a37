"""What flash and rollback run on the device.  A power cut between any two commands leaves `current` whole: it only ever moves by one rename(2).

ROOT/versions/SHA12/model.edge     one folder a version
ROOT/versions/SHA12/previous       -> ../SHA12, the version beside this one, which `edge rollback` goes to
ROOT/current                       -> versions/SHA12
ROOT/previous                      -> current/previous: it moves with `current`, in the same rename
ROOT/.lock                         -> who is at work: a link, because making one either succeeds whole or fails

Two versions are kept: the current one and the one that was current before, whatever led there.  A version is whole when the sha256 of
its file begins as its folder is called; only a whole one counts as the one before, and rollback swaps the two.
"""

from __future__ import annotations

from edge.devices.scripts import BASE, FLEETING

#: edge_link TARGET LINK, replacing LINK at once.  `ln -sfn` is two steps, and plain `mv` moves into the folder that a link points to.
LINK = """
edge_link() {
  rm -f "$2.new" && ln -s "$1" "$2.new" || return 1
  mv -f -T "$2.new" "$2" 2>/dev/null && return 0
  command -v python3 >/dev/null 2>&1 && python3 -c 'import os, sys; os.replace(*sys.argv[1:])' "$2.new" "$2" && return 0
  rm -f "$2.new"; echo "no way to replace a link at once (mv -T or python3)" >&2; return 1
}
edge_unlock() { [ "$(readlink .lock)" = "$1" ] && rm -f .lock; }
"""
#: edge_whole VERSION: is its file there, and what its name says?  A device without any of the three programs knows its size only.
WHOLE = """
edge_whole() {
  [ -n "$1" ] && [ -x "versions/$1/model.edge" ] && [ -s "versions/$1/model.edge" ] || return 1
  for tool in "sha256sum" "shasum -a 256" "openssl dgst -r -sha256"; do
    command -v ${tool%% *} >/dev/null 2>&1 && sum=$($tool <"versions/$1/model.edge" 2>/dev/null) || continue
    case "$sum" in "$1"*) return 0;; *) return 1;; esac
  done
  return 0
}
"""
#: folder or "", name, our mark (BOOT and UP are put in), version -> facts as key=value.  Takes the lock when it is free.  The mark is
#: short: a link of less than 60 letters has room in its inode, on a disk that is full too.
BEGIN = (
    BASE
    + FLEETING
    + """
root=${1:-$base/edge}/$2
mkdir -p "$root/versions" && cd "$root" && root=$(pwd) || exit 1
boot=unknown; read -r boot </proc/sys/kernel/random/boot_id; read -r up rest </proc/uptime; boot=${boot%%-*}
edge_fleeting "$root"; echo "root=$root"; echo "boot=$boot"; echo "up=${up%%.*}"
mine="$boot,${up%%.*},$3"
if ln -s "$mine" .lock 2>/dev/null; then echo "lock=$mine"
elif seen=$(readlink .lock); then echo "held=$seen"
else ln -s "$mine" .lock || exit 1; echo "lock=$mine"; fi
df -Pk . | while read -r disk blocks used free rest; do echo "free_kb=$free"; done
for part in "versions/$4"/.[!.]*; do [ -f "$part" ] && echo "part=$(($(wc -c <"$part")))"; done
[ -f "versions/$4/model.edge" ] && echo there=yes
exit 0
"""
)
#: root, the lock we saw.  Moves it away and looks again: it may have changed hands meanwhile.
BREAK = """
cd "$1" && mv -f .lock .lock.stale || exit 1
[ "$(readlink .lock.stale)" = "$2" ] || ln -s "$(readlink .lock.stale)" .lock; rm -f .lock.stale
"""
#: root, our lock, version.  The data is on the disk before the link moves, the link before we say so.  31: the lock is no longer ours.
#: The one before: the current one; where that is the new one itself, what it has recorded; else any other that is whole.
SWITCH = (
    LINK
    + WHOLE
    + """
cd "$1" || exit 1
[ "$(readlink .lock)" = "$2" ] || exit 31
old=$(readlink current); old=${old##*/}; recorded=; before=
if [ -n "$old" ]; then
  recorded=$(readlink "versions/$old/previous"); recorded=${recorded##*/}
  for name in "$old" "$recorded" versions/????????????; do
    name=${name##*/}
    [ "$name" != "$3" ] && edge_whole "$name" && before=$name && break
  done
fi
if [ -z "$before" ]; then rm -f "versions/$3/previous" || exit 1
elif [ "$(readlink "versions/$3/previous")" != "../$before" ]; then edge_link "../$before" "versions/$3/previous" || exit 1; fi
[ -h previous ] || ln -s current/previous previous || exit 1
sync
[ "$old" = "$3" ] || edge_link "versions/$3" current || exit 1
sync
for folder in versions/????????????; do
  case "${folder##*/}" in "$3"|"$before"|*[!0-9a-f]*) ;; *) rm -rf "$folder";; esac  # nothing but what we may have made
done
edge_unlock "$2"
echo "previous=$before"
exit 0
"""
)
#: root, our lock -> to=VERSION, what there is to go back to.  32: nothing.  33: its file is not what was flashed.
LOOK_BACK = (
    LINK
    + WHOLE
    + """
cd "$1" || exit 1
[ "$(readlink .lock)" = "$2" ] || exit 31
to=$(readlink current/previous); to=${to##*/}; echo "to=$to"
[ -n "$to" ] && [ -f "versions/$to/model.edge" ] || exit 32
edge_whole "$to" || exit 33
exit 0
"""
)
#: root, our lock, version -> goes back to it.  The one that is left becomes the one before, in the same rename.
BACK = (
    LINK
    + """
cd "$1" || exit 1
[ "$(readlink .lock)" = "$2" ] || exit 31
old=$(readlink current); old=${old##*/}
[ "$(readlink "versions/$3/previous")" = "../$old" ] || edge_link "../$old" "versions/$3/previous" || exit 1
sync
edge_link "versions/$3" current || exit 1
sync
edge_unlock "$2"
echo "left=$old"; echo "current=$3"; exit 0
"""
)
#: root, our lock, version or "": a version that was not good is removed, unless it was there before, or the lock is no longer ours
LEAVE = LINK + 'cd "$1" || exit 1; [ "$(readlink .lock)" = "$2" ] || exit 0; [ -z "$3" ] || rm -rf "versions/$3"; edge_unlock "$2"; exit 0'
#: folder or "" -> installed=NAME lines
INSTALLED = BASE + 'cd "${1:-$base/edge}" 2>/dev/null || exit 0; for name in *; do [ -h "$name/current" ] && echo "installed $name"; done; exit 0'
LOCK_LOST, NOTHING_BEFORE, DAMAGED_BEFORE = 31, 32, 33
