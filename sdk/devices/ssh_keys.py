"""Why ssh could not use a key file, by looking at its first bytes: ssh says `error in libcrypto` of them all."""

from __future__ import annotations

import re
from pathlib import Path

from edge.errors import one_line

LOAD = re.compile(r'^Load key "([^"\r\n]{1,1000})": ([^\r\n]{1,200})', re.MULTILINE)
OPEN = re.compile(r"^Permissions \d+ for '([^'\r\n]{1,1000})' are too open", re.MULTILINE)
HEAD = 4096  #: bytes that are looked at; what is in them is never shown
#: how a file begins -> what it is, what makes a key of it; {key} is its quoted path
FORMS = (
    (
        rb"\xff\xfe|\xfe\xff",
        "is in UTF-16",
        "write it as plain text: iconv -f UTF-16 -t UTF-8 {key} | tr -d '\\r\\357\\273\\277' >NEW, chmod 600 NEW",
    ),
    (rb"\xef\xbb\xbf", "begins with a byte-order mark", "take it away: sed -i '1s/^\\xEF\\xBB\\xBF//; s/\\r$//' {key}"),
    (rb"PuTTY-User-Key-File", "is PuTTY's", "puttygen {key} -O private-openssh -o NEW (apt-get install putty-tools), and name NEW in ~/.ssh/config"),
    (rb"(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+ ", "is the public half", "name the file without .pub in ~/.ssh/config: IdentityFile"),
    (rb"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----\r\n", "has the line ends of Windows", "take them away: sed -i 's/\\r$//' {key}"),
    (
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        "is damaged, or of a kind that this ssh does not know",
        "copy it again, or make one: ssh-keygen -t ed25519",
    ),
    (rb"", "is not a private key", "make one: ssh-keygen -t ed25519, then ssh-copy-id USER@HOST"),
)


def key_trouble(said: str) -> tuple[str, str] | None:
    """What is wrong with a key file that ssh names on its stderr, and what helps; None where it names none."""
    if found := OPEN.search(said):
        return f"key {one_line(found[1])} can be read by others, so ssh does not use it", f"chmod 600 {quoted(found[1])}"
    found = LOAD.search(said)
    if not found or "permissions" in found[2].lower():
        return None
    try:
        with Path(found[1]).open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        return f"key {one_line(found[1])} cannot be read: {error.strerror}", "name another in ~/.ssh/config: IdentityFile"
    what, cure = next((what, cure) for form, what, cure in FORMS if re.match(form, head))
    return f"key {one_line(found[1])} {what}", cure.replace("{key}", quoted(found[1]))


def quoted(path: str) -> str:
    return one_line(path) if re.fullmatch(r"[\w./~@+-]+", path) else "'" + one_line(path).replace("'", "'\\''") + "'"
