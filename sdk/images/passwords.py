"""What is written onto a card instead of a password: the sha512-crypt hash of a user's, the derived key of a Wi-Fi network's.

sha512_crypt: https://www.akkadia.org/drepper/SHA-crypt.txt (Python's own `crypt` left the library in 3.13).
wpa_key: IEEE 802.11-2020, J.4.1.
"""

from __future__ import annotations

import hashlib
import secrets

ROUNDS = 5000
ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SALT_LETTERS = 16


def new_salt() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(SALT_LETTERS))


def sha512_crypt(password: str, salt: str) -> str:
    """`$6$salt$…`, 5000 rounds, as /etc/shadow holds it.  salt: at most 16 letters of ALPHABET."""
    key, pepper = password.encode(), salt.encode()
    other = hashlib.sha512(key + pepper + key).digest()
    start = hashlib.sha512(key + pepper + stretched(other, len(key)))
    length = len(key)
    while length:
        start.update(other if length & 1 else key)
        length >>= 1
    digest = start.digest()
    p = stretched(hashlib.sha512(key * len(key)).digest(), len(key))
    s = stretched(hashlib.sha512(pepper * (16 + digest[0])).digest(), len(pepper))
    for number in range(ROUNDS):
        odd = number & 1
        step = hashlib.sha512(p if odd else digest)
        step.update((s if number % 3 else b"") + (p if number % 7 else b""))
        step.update(digest if odd else p)
        digest = step.digest()
    return f"$6${salt}${letters(digest)}"


def stretched(digest: bytes, length: int) -> bytes:
    """The digest over and over, `length` bytes of it."""
    return (digest * (length // len(digest) + 1))[:length]


def letters(digest: bytes) -> str:
    """64 bytes in the order the scheme takes them, six bits a letter, the lowest first."""
    text = ""
    a, b, c = 0, 21, 42
    for _ in range(21):
        text += six_bits(digest[a] << 16 | digest[b] << 8 | digest[c], 4)
        a, b, c = b + 1, c + 1, a + 1
    return text + six_bits(digest[63], 2)


def six_bits(value: int, count: int) -> str:
    return "".join(ALPHABET[value >> 6 * place & 63] for place in range(count))


def wpa_key(password: str, ssid: str) -> str:
    """The 64 hexadecimal digits that a WPA2 station derives from a password of 8 to 63 letters and the network's name."""
    return hashlib.pbkdf2_hmac("sha1", password.encode(), ssid.encode(), 4096, 32).hex()
