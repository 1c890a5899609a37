"""TOML and scripts that an image has already: their lines stay, or the file is refused by its name; YAML is in test_merging.py."""

from __future__ import annotations

import json
import random
import tomllib
from collections import defaultdict
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_merging import BY_HAND, KEY, OTHER, STATIC, STOCK, told

from edge.errors import EdgeError
from edge.images import debian_files, firstrun, preseed
from edge.images.first_boot import LOCKED, FirstBoot, Wifi

PRESEED = """\
# mine
config_version = "1.0"

[system]
hostname = "old"  # a name
timezone = "Europe/Berlin"

[ssh]
authorized_keys = [
  "ssh-rsa AAAA",  # of the laptop
]

[locale]
keymap = "de"
"""


def test_a_preseed_keeps_its_lines() -> None:
    made = preseed.rpi_preseed(FirstBoot("cam", "ann", "$6$x", (KEY,)), PRESEED.encode()).decode()
    wanted = tomllib.loads(PRESEED)
    wanted["system"]["hostname"] = "cam"
    wanted["ssh"] = {"authorized_keys": ["ssh-rsa AAAA", KEY], "enabled": True, "password_authentication": False}
    wanted["user"] = {"name": "ann", "password": "$6$x", "password_encrypted": True}
    assert tomllib.loads(made) == wanted
    kept = ("# mine", 'hostname = "cam"  # a name', '  "ssh-rsa AAAA",  # of the laptop', f'  "{KEY}",', 'keymap = "de"')
    assert [line for line in kept if line not in made.splitlines()] == []
    again = preseed.rpi_preseed(FirstBoot(user="ann", keys=(OTHER,)), made.encode()).decode()
    assert tomllib.loads(again) == {**wanted, "ssh": {**wanted["ssh"], "authorized_keys": ["ssh-rsa AAAA", KEY, OTHER]}}


HAND_TOML = "its custom.toml is written in a way that edge cannot add settings to"


@pytest.mark.parametrize(
    ("text", "what", "cure"),
    [
        ('[user]\nname = "bob"\n', "its custom.toml makes the user 'bob', and has room for one", "take [user] out of it to replace it"),
        ('[wlan]\nssid = "a"\n', "its custom.toml joins the network 'a', and has room for one", "take [wlan] out of it to replace it"),
        ('user = {name = "ann"}\n', HAND_TOML, BY_HAND),
        ('system.hostname = "a"\n', HAND_TOML, BY_HAND),
        ("[[system]]\na = 1\n", HAND_TOML, BY_HAND),
        ('[x]\ny = """\n[system]\nhostname = 3\n"""\n', HAND_TOML, BY_HAND),
        ("a = [", "its custom.toml cannot be read as TOML: Invalid value (at end of document)", BY_HAND),
        ("a = 1\n" * 20000, "its custom.toml has 120000 bytes, more than edge adds settings to", BY_HAND),
    ],
)
def test_a_toml_that_cannot_be_merged(text: str, what: str, cure: str) -> None:
    with pytest.raises(EdgeError) as caught:
        preseed.custom_toml(FirstBoot("x", "ann", "$6$x", (), Wifi("n", "k")), text.encode(), "card.img")
    assert str(caught.value) == f"card.img: {what} ({cure})"


NAMES = st.sampled_from(["system", "ssh", "locale", "x-y"])
SCALARS = st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from(["a", "#", "[ssh]", 'q"', "\\", "a = 1", "'''"]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.dictionaries(NAMES, st.dictionaries(st.sampled_from(["hostname", "enabled", "k"]), SCALARS | st.lists(SCALARS, max_size=2))))
def test_any_tables_stay(tables: dict[str, dict[str, object]]) -> None:
    lines = [line for name, table in tables.items() for line in (f"[{name}]  # {name}", *(f"{k} = {json.dumps(v)}  # {k}" for k, v in table.items()))]
    made = preseed.custom_toml(FirstBoot("cam"), "\n".join(lines).encode())
    wanted = {"config_version": 1, **tables, "system": {**tables.get("system", {}), "hostname": "cam"}}
    assert tomllib.loads(made.decode()) == wanted
    assert made.count(b"  # ") == sum(1 + len(table) for table in tables.values())


# ---- scripts


RUN = "quiet systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target"
IMAGER = """\
#!/bin/bash

set +e

CURRENT_HOSTNAME=`cat /etc/hostname | tr -d " \\t\\n\\r"`
if [ -f /usr/lib/userconf-pi/userconf ]; then
   /usr/lib/userconf-pi/userconf 'ann' '$5$abc'
fi
rm -f /boot/firstrun.sh
sed -i 's| systemd.run.*||g' /boot/cmdline.txt
exit 0
"""


def scripted(config: FirstBoot, old: str | None, cmdline: str = RUN) -> str:
    return firstrun.files(config, "/boot", cmdline, None if old is None else old.encode(), "card.img")["firstrun.sh"].decode()


def test_a_script_goes_on_before_it_takes_itself_away() -> None:
    made = scripted(FirstBoot("cam", "ann", LOCKED, (KEY,)), IMAGER)
    kept = IMAGER.split("rm -f")[0]
    assert made.startswith(kept + "# Added by edge.\n")
    assert made.count("rm -f /boot/firstrun.sh") == 1 and made.endswith("exit 0\n")
    assert "usermod -p" not in made and "PasswordAuthentication no" not in made, "the password that ann has stays"
    again = scripted(FirstBoot("two"), made)
    assert again.startswith(made.split("sed -i -e 's| systemd")[0].rstrip("\n"))
    assert again.index("set_hostname cam") < again.index("set_hostname two")


@pytest.mark.parametrize(
    ("old", "cmdline", "what", "cure"),
    [
        (IMAGER, "quiet", "its firstrun.sh is there, but nothing runs it", "take firstrun.sh out of it, or use a fresh copy of the image"),
        (None, "a systemd.run=/boot/mine.sh", "its cmdline.txt runs '/boot/mine.sh' at the first start already, and has room for one", ""),
        (IMAGER.replace("set +e", "exit 0"), RUN, "", ""),
        (IMAGER.replace("set +e", "exec true"), RUN, "", ""),
        (IMAGER.replace("#!/bin/bash", "#!/usr/bin/python3"), RUN, "", ""),
        ("#!/bin/sh\necho hello\n", RUN, "", ""),
        (IMAGER.replace("'ann'", "'bob'"), RUN, "its firstrun.sh makes the user 'bob', and has room for one", "--user bob, or "),
    ],
)
def test_a_script_that_cannot_be_extended(old: str | None, cmdline: str, what: str, cure: str) -> None:
    by_hand = "add the settings to it by hand, or use a fresh copy of the image"
    with pytest.raises(EdgeError) as caught:
        scripted(FirstBoot("cam", "ann", "$6$x"), old, cmdline)
    what = what or "its firstrun.sh is not written as rpi-imager or edge write it, so edge cannot add settings to it"
    assert str(caught.value) == f"card.img: {what} ({cure + by_hand if not cure.startswith('take') else cure})"


def test_the_small_image_keeps_its_users() -> None:
    old: dict[str, str] = {}
    for name in ("ann", "bob", "ann"):
        made = debian_files.configured(FirstBoot(user=name, password=f"$6${name}"), defaultdict(str, old).__getitem__)
        old |= {path: file.data.decode() for path, file in made.items()}
    assert [line.split(":")[:3] for line in old["/etc/passwd"].splitlines()] == [["root", "x", "0"], ["ann", "x", "1000"], ["bob", "x", "1001"]]
    assert [line.split(":")[0] for line in old["/etc/shadow"].splitlines()] == ["root", "bob", "ann"]


# ---- mutants


PIECES = ["[", "]", "{", "}", "- ", ": ", "#", "'", '"', "&a ", "*a", "!x ", "!!set ", "|\n", ">", "? ", "<<: ", "null", "~", "users: ", "2001-99-99"]
PIECES += ["0o9", ".nan", "%YAML", "\t", "\r", "\0", "\x85", "\u2028", "!!binary x", "!!omap "]


@pytest.mark.slow
def test_a_damaged_file_is_merged_or_refused() -> None:
    """Pieces of YAML and TOML in any place: no error but ours, in one line."""
    dice = random.Random(3)
    for _ in range(120):
        old = {"user-data": STOCK, "network-config": STATIC, "meta-data": "instance-id: x\n", preseed.CUSTOM: PRESEED}
        for name, text in old.items():
            for _ in range(dice.randint(1, 3)):
                at = dice.randrange(len(text))
                text = text[:at] + dice.choice([*PIECES, "\n", ""]) + text[at + dice.randrange(3) :]
            old[name] = text
        config = FirstBoot("x", "ann", "$6$x", (KEY,), Wifi("n", "k"))
        for merge in (lambda: told(config, old), lambda: preseed.custom_toml(config, old[preseed.CUSTOM].encode())):  # noqa: B023
            with suppress(EdgeError):
                merge()
