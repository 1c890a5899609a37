"""What is spoken over the line: POSIX sh functions that are given to the board's shell after the login.

The board needs sh, stty, head, dd, wc, sha256sum and base64, to send less also ls: busybox has them all.  Rules of the dialect:

- a command goes as `ev_ SUM BASE64` and is run only if its sha256 begins with SUM: no spoilt line is ever executed;
- a command that has arrived is answered by `TAG got`, one that is done by one line `TAG NUMBER WORDS SUM`;
- the TAG is drawn per session and never stands in what is sent, so that an echo is no answer;
- a command that comes twice with one NUMBER (because its answer was lost) has its effect once;
- bytes for the board are read in raw mode by a reader that gives up after five silent seconds: no lost byte can leave it hanging.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from dataclasses import dataclass

SUM_CHARS = 16  #: of a sha256 in hexadecimal: 64 bits against noise, not against malice
MAX_COMMAND_BYTES = 2700  #: as base64 within the 4,095 characters that a tty keeps of one line
CHUNK_BYTES = 32768  #: 2.8 s at 115,200 baud: what is sent again for one bad byte, against the cost of a check
#: how bytes are written on the wire: encoding -> (the board's decoder, the board's encoder)
ENCODINGS = {"raw": ("cat", "cat"), "base64": ("base64 -d", "base64")}

# `say_` and `ev_` are typed unprotected: SUM of an answer, then of each command, tells whether they arrived.
BOOTSTRAP = (
    "exec sh",
    "stty -echo; PS1='$ ' PS2= D= T={tag} LC_ALL=C; export LC_ALL; stty -opost; S=$(stty -g)",
    'L=; for c in stty head dd wc sha256sum base64; do command -v $c >/dev/null 2>&1 || L="$L $c"; done; printf \'\\n%s lacks%s.\\n\' "$T" "$L"',
    'say_() {{ c=$(printf %s "$*" | sha256sum); printf \'\\n%s %s %.16s\\n\' "$T" "$*" "$c"; }}',
    "got_() {{ printf '\\n%s got\\n' \"$T\"; }}",
    'ev_() {{ case $(printf %s "$2" | sha256sum) in "$1"*) got_; eval "$(printf %s "$2" | base64 -d)";; *) say_ spoilt;; esac; }}',
    'fail_() {{ say_ "$N" failed "$(printf %s "$*" | tr -c \' -~\' \' \')"; }}',
    "say_ 0 ready",
)

FUNCTIONS = (
    # A folder of our own for this session, gone with it.
    """for d in "${TMPDIR:-/tmp}" /dev/shm "$HOME"; do [ -d "$D" ] || D=$(mktemp -d "$d/edge.XXXXXX" 2>/dev/null); done
trap 'rm -rf "$D"' 0; trap 'exit 1' 1 15
size_() { echo $(($(wc -c <"$1"))); }
sum_() { s=$(sha256sum <"$1"); printf %.16s "$s"; }""",
    # long_ FUNCTION WORDS: while it works, the terminal echoes what is typed, so that one can hear that the board lives.  No process of ours runs
    # beside it: busybox's shell takes the end of one for the end of its input.
    """long_() { stty echo; "$@"; stty "$S"; }""",
    # take_ COUNT SUM DECODER FILE OFFSET: COUNT bytes from the line, decoded, are FILE's bytes from OFFSET on.
    # Surplus bytes would be read as commands: when the sum is wrong the line is emptied before the shell reads again.
    """take_() {
stty raw min 0 time 50; say_ "$N" go; head -c "$1" >"$D/in"; $3 <"$D/in" >"$D/chunk" 2>/dev/null
if [ "$(sum_ "$D/chunk")" != "$2" ]; then stty time 10; cat >/dev/null; stty "$S"; say_ "$N" spoilt; return; fi
stty "$S"
: >>"$4"; at=$(size_ "$4")
if [ "$at" = "$5" ]; then e=$( { cat "$D/chunk" >>"$4"; } 2>&1 ) || { fail_ "$e"; return; }
elif [ "$at" != $(($5 + $(size_ "$D/chunk"))) ]; then fail_ "$4 changed meanwhile"; return; fi
say_ "$N" taken; }""",
    # give_ FILE BLOCK_BYTES INDEX ENCODER: one block of FILE.
    """give_() { dd if="$1" bs="$2" skip="$3" count=1 2>/dev/null | $4 >"$D/give"
say_ "$N" data $(size_ "$D/give") $(sum_ "$D/give"); cat "$D/give"; }""",
    # run_ LINE STDIN: once a NUMBER; what it prints goes to files, fetched afterwards.
    """run_() { if [ ! -e "$D/$N.code" ]; then
if [ -e "$D/$N.begun" ]; then fail_ "the run was interrupted"; return; fi
rm -f "$D"/*.code "$D"/*.begun; : >"$D/$N.begun"
(eval "$1") <"$2" >"$D/stdout" 2>"$D/stderr"; echo $? >"$D/$N.code"; fi
say_ "$N" ran $(cat "$D/$N.code") $(size_ "$D/stdout") $(size_ "$D/stderr"); }""",
    # pack_ FILE: a compressed copy of it, where that is possible; both sizes.
    """pack_() { e=$( { [ -f "$1" ] && : <"$1"; } 2>&1 ) || { fail_ "$1: ${e:-No such file}"; return; }
if gzip -c "$1" >"$D/packed" 2>/dev/null; then k=gzip; else cat "$1" >"$D/packed"; k=plain; fi
say_ "$N" packed $k $(size_ "$D/packed") $(size_ "$1"); }""",
    # sums_ FILE: of its blocks; of none where it has more than 512 MiB.
    """sums_() { echo file; c=$((($(size_ "$1") + 65535) / 65536)); [ "$c" -le 8192 ] || c=0
while [ "$c" -gt 0 ]; do c=$((c - 1)); dd bs=65536 count=1 2>/dev/null | sha256sum; done <"$1"; }""",
    # list_ FILE COUNT: those of files that may be much like FILE: itself, what has its name in the folders beside its own, newest first, then what
    # else was sent to this user.  D/sources names them, each once, however many links it has; its first line is where patch_ puts what is sent.
    """list_() { d=${1%/*}; n=${1##*/}; b=${EDGE_HOME:-$HOME}; [ "${b:-/}" != / ] || b=/tmp/edge-$(id -u); echo "$1.sent" >"$D/sources"
{ ls -ti "$1" "$d"/../*/"$n"; ls -ti "$b"/edge/*/versions/*/"$n" "$b"/.cache/edge-device/*/"$n"; } 2>/dev/null | { s=; while read -r i f; do
case $s in *" $i "*) ;; *) s="$s $i "; [ -f "$f" ] && [ -r "$f" ] && echo "$f";; esac; done; } | head -n "$2" >>"$D/sources"
{ read -r f; while read -r f; do (sums_ "$f"); done; } <"$D/sources" | while read -r s f; do printf '%.10s\\n' "$s"; done; }""",
    # nth_ NUMBER: sets f to that line of D/sources, from 0.
    # patch_ UNPACK: the pieces of D/recipe one after the other, of files of D/sources; stdin, unpacked, is the first of those.
    # What cannot be read is left out: the sum of the whole tells.
    """nth_() { i=$1; while [ "$i" -ge 0 ] && read -r f; do i=$((i - 1)); done <"$D/sources"; }
patch_() { nth_ 0; "$@" >"$f"; e=$?
while [ "$e" = 0 ] && read -r s at n; do nth_ "$s"; [ -r "$f" ] || break
dd if="$f" bs=65536 skip="$at" count="$n" 2>"$D/dd" || { head -n 1 "$D/dd" >&2; e=1; }; done <"$D/recipe"
nth_ 0; rm -f "$f"; return "$e"; }""",
    # look_ FILE SHA256 COUNT: is FILE that already?  Else makes its folder, and lists the blocks of COUNT files that may be like it.
    """look_() { case $(sha256sum <"$1" 2>/dev/null) in "$2"*) [ -x "$1" ] && { say_ "$N" same; return; };; esac
e=$(mkdir -p "$(dirname "$1")" 2>&1) || { fail_ "$e"; return; }
rm -f "$1.new" "$1.sent"; : >"$D/sums"; [ "$3" = 0 ] || list_ "$1" "$3" >"$D/sums"
k=plain; command -v gzip >/dev/null && k=gzip; say_ "$N" other $k $(size_ "$D/sums"); }""",
    # part_ FILE PART: PART can be written; those of other versions go.
    """part_() { e=$( { : >>"$2"; } 2>&1 ) || { fail_ "$e"; return; }
for f in "$1".*.part; do [ "$f" = "$2" ] || rm -f "$f"; done; say_ "$N" begun; }""",
    # kept_ FILE COUNT: how much of FILE is there, and the sum of its first COUNT bytes.
    """kept_() { if [ -f "$1" ]; then say_ "$N" kept $(size_ "$1") $(head -c "$2" "$1" | sha256sum | head -c 16); else say_ "$N" kept 0 -; fi; }""",
    # cut_ FILE COUNT: to that length.
    """cut_() { if e=$(dd if=/dev/null of="$1" bs=1 seek="$2" 2>&1); then say_ "$N" cut; else fail_ "$e"; fi; }""",
    # done_ FILE SHA256 UNPACK PART: PART becomes FILE if it is what was sent; on the disk before the name changes.
    """done_() { case $(sha256sum <"$1" 2>/dev/null) in "$2"*) rm -f "$4"; say_ "$N" done; return;; esac
if ! e=$( { $3 <"$4" >"$1.new"; } 2>&1 ); then rm -f "$1.new"; fail_ "$e"; return; fi
case $(sha256sum <"$1.new") in "$2"*) ;; *) rm -f "$1.new" "$4"; say_ "$N" spoilt; return;; esac
if e=$( { chmod 755 "$1.new" && sync && mv -f "$1.new" "$1" && sync && rm -f "$4"; } 2>&1 ); then say_ "$N" done; else fail_ "$e"; fi; }""",
)


@dataclass(frozen=True)
class Answer:
    """number: of the command; 0 is said of none.  word, rest: what the board says."""

    number: int
    word: str
    rest: tuple[str, ...] = ()


def short_sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:SUM_CHARS]


def command_line(number: int, command: str) -> bytes:
    """One protected line."""
    text = base64.b64encode(f"N={number}; {command}".encode())
    return b"ev_ %s %s\n" % (short_sum(text).encode(), text)


def call(*words: str | int) -> str:
    """A function of the dialect with its words, quoted."""
    return shlex.join(map(str, words))


def lessons() -> list[str]:
    """FUNCTIONS in as few commands as they fit in: every command costs a slow board a dozen processes."""
    found: list[str] = []
    for text in FUNCTIONS:
        if found and len(found[-1]) + len(text) < MAX_COMMAND_BYTES - 100:
            found[-1] += f"\n{text}"
        else:
            found.append(text)
    return found


def answer_pattern(tag: str) -> re.Pattern[bytes]:
    """A whole line of the board's, wherever it begins; or, in group 3, the `login: ` of a board that has started anew (`Last login:` greets)."""
    return re.compile(rb"%s (?:got|([ -~]*?) ([0-9a-f]{%d}))\r?\n|((?<!Last )\blogin: $)" % (tag.encode(), SUM_CHARS))


def lacks_pattern(tag: str) -> re.Pattern[bytes]:
    """What the board says of the commands that the dialect needs; group 1 names those that it has not."""
    return re.compile(rb"%s lacks((?: [a-z0-9]+)*)\.\r?\n" % tag.encode())


def read_answer(found: re.Match[bytes]) -> Answer | None:
    """None for one that the line has spoilt."""
    said = found[1]
    if said is None:
        return Answer(0, "got")
    if short_sum(said).encode() != found[2]:
        return None
    number, *words = said.decode("ascii").split()
    if number.isdecimal() and words:
        return Answer(int(number), words[0], tuple(words[1:]))
    return Answer(0, number)
