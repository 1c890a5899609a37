"""First-boot files that an image has already: what they say stays, comments too, or the file is refused by its name."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from edge.errors import EdgeError
from edge.images import cloud_init
from edge.images.first_boot import FirstBoot, Wifi

KEY, OTHER = "ssh-ed25519 AAAA you@desk", "ssh-ed25519 BBBB me@desk"
ANN = FirstBoot(user="ann", keys=(KEY,))
NET = FirstBoot(wifi=Wifi("my net", "ab" * 32, "DE"))
STOCK = """\
#cloud-config
# the image's only login
chpasswd: {expire: false, users: [{name: ubuntu, password: ubuntu, type: text}]}
ssh_pwauth: true  # until a key is there
write_files:
  - path: /etc/x
    permissions: 0644
"""
STATIC = "# mine\nversion: 2\nethernets:\n  eth0:\n    addresses: [10.0.0.2/24]  # by hand\n"
BY_HAND = "write the settings into it by hand, or take it out of the image"


def told(config: FirstBoot, old: Mapping[str, str]) -> dict[str, str]:
    """The three files afterwards."""
    there = {name: text.encode() for name, text in old.items()}
    made, _ = cloud_init.files(config, there.get, "card.img")
    return {name: data.decode() for name, data in {**there, **made}.items()}


def read(text: str) -> dict[str, object]:
    """As cloud-init reads it: by the rules of YAML 1.1."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    found: dict[str, object] = yaml.load(text)
    return found


def test_a_host_name_leaves_the_login_and_the_comments() -> None:
    made = told(FirstBoot(host_name="x"), {"user-data": STOCK, "meta-data": "", "network-config": STATIC})
    assert made["user-data"] == f'{STOCK}hostname: "x"\nmanage_etc_hosts: true\n'
    assert made["network-config"] == STATIC


def test_a_network_leaves_the_others_and_the_settings() -> None:
    made = told(NET, {"user-data": STOCK, "meta-data": "instance-id: one\nlocal-hostname: pi\n", "network-config": STATIC})
    assert made["user-data"] == STOCK
    assert made["network-config"].startswith(STATIC)
    wifi = {"dhcp4": True, "optional": True, "access-points": {"my net": {"password": "ab" * 32}}, "regulatory-domain": "DE"}
    assert read(made["network-config"]) == {**read(STATIC), "wifis": {"wlan0": wifi}}
    meta = read(made["meta-data"])
    assert (meta["local-hostname"], str(meta["instance-id"]).startswith("edge-")) == ("pi", True)


def test_another_flash_keeps_what_the_first_put_there() -> None:
    first = told(ANN, {})
    second = told(FirstBoot(host_name="two"), first)
    third = told(FirstBoot(user="bob", password="$6$x"), second)
    fourth = told(FirstBoot(user="ann", keys=(OTHER,)), third)
    users = read(fourth["user-data"])["users"]
    assert isinstance(users, list)
    assert [(user["name"], user.get("ssh_authorized_keys"), user.get("passwd")) for user in users] == [
        ("ann", [KEY, OTHER], None),
        ("bob", None, "$6$x"),
    ]
    assert (read(fourth["user-data"])["hostname"], read(fourth["user-data"])["ssh_pwauth"]) == ("two", True)
    assert json.loads(first["user-data"].split("\n", 1)[1])["ssh_pwauth"] is False
    assert len({read(made["meta-data"])["instance-id"] for made in (first, second, third, fourth)}) == 4
    assert told(FirstBoot(user="ann", keys=(OTHER,)), fourth)["user-data"] == fourth["user-data"]


@pytest.mark.parametrize(
    ("text", "config", "wanted"),
    [
        (STOCK, ANN, {"users": ["default", "ann"], "ssh_pwauth": True}),  # the default user is the one with the password
        ("#cloud-config\n", ANN, {"users": ["ann"], "ssh_pwauth": False}),
        ("#cloud-config\nusers:\n- default\n- name: bob\n", ANN, {"users": ["default", "bob", "ann"]}),
        ("#cloud-config\nusers: [ann]\n", ANN, {"users": ["ann"]}),
        ("#cloud-config\npreserve_hostname: true\nfqdn: a.b.c\n", FirstBoot("x"), {"preserve_hostname": False, "fqdn": "x.b.c"}),
        ("\ufeff#cloud-config\r\na: yes\r\n", FirstBoot("no"), {"a": True, "hostname": "no"}),
        ("", FirstBoot("x"), {"hostname": "x"}),
        ("# nothing yet\n", FirstBoot("x"), {"hostname": "x"}),
    ],
)
def test_settings_stand_beside_those_that_are_there(text: str, config: FirstBoot, wanted: dict[str, object]) -> None:
    made = told(config, {"user-data": text})["user-data"]
    found = read(made)
    if isinstance(users := found.get("users"), list):
        found["users"] = [user["name"] if isinstance(user, dict) else user for user in users]
    assert {key: found.get(key) for key in wanted} == wanted
    assert made.startswith("#cloud-config\n")


@pytest.mark.parametrize(
    ("text", "config", "password", "others"),
    [
        ("chpasswd: {users: [{name: ann, password: x}, {name: bob, password: y}]}", FirstBoot(user="ann", password="$6$n"), "$6$n", ["bob"]),
        ("chpasswd: {users: [{name: ann, password: x}]}", ANN, None, ["ann"]),
        ("users: [{name: ann, plain_text_passwd: x}]", FirstBoot(user="ann", password="$6$n"), "$6$n", []),
        ("users: [{name: ann, passwd: $6$old}]", ANN, "$6$old", []),
    ],
)
def test_a_password_is_replaced_or_stays(text: str, config: FirstBoot, password: str | None, others: list[str]) -> None:
    found = read(told(config, {"user-data": f"#cloud-config\n{text}\n"})["user-data"])
    users, chpasswd = found["users"], found.get("chpasswd", {})
    assert isinstance(users, list) and isinstance(chpasswd, dict)
    user = next(one for one in users if one != "default")
    assert (user.get("passwd"), user.get("plain_text_passwd"), user.get("lock_passwd", False)) == (password, None, False)
    assert [one["name"] for one in chpasswd.get("users", [])] == others


REFUSED = [
    ("user-data", "#!/bin/sh\n", "its user-data is a script, to which edge cannot add settings"),
    ("user-data", "## template: jinja\n#cloud-config\n", "its user-data is a template, to which edge cannot add settings"),
    ("user-data", "Content-Type: multipart/mixed\n", "its user-data is a message of several parts, to which edge cannot add settings"),
    ("user-data", "hostname: x\n", "its user-data does not begin with #cloud-config, so cloud-init does not read it"),
    ("user-data", "# mine\nhostname: x\n", "its user-data does not begin with #cloud-config, so cloud-init does not read it"),
    ("user-data", "#cloud-config\n~\n", "its user-data cannot be changed without changing more than was asked for"),
    ("user-data", "#cloud-config\n- a\n", "its user-data does not hold a mapping of keys to values"),
    ("user-data", "#cloud-config\na: [\n", "its user-data cannot be read as YAML: while parsing a flow node"),
    ("user-data", "#cloud-config\na: 1\na: 2\n", "its user-data cannot be read as YAML: while constructing a mapping"),
    ("user-data", "#cloud-config\nusers: ann\n", "the 'users' of its user-data is not a list"),
    ("user-data", "#cloud-config\n" + "[" * 50 + "]" * 50, "its user-data is nested too deep or repeats itself too often"),
    ("user-data", "#cloud-config\na: &a [1]\nb: [" + "*a, " * 20 + "]\n", "its user-data is nested too deep or repeats itself too often"),
    ("user-data", "#cloud-config\n" + "a" * (1 << 17), f"its user-data has {14 + (1 << 17)} bytes, more than edge adds settings to"),
    ("network-config", "version: 1\nconfig: []\n", "its network-config is not in netplan's version 2, to which edge adds a network"),
    ("network-config", "network: {config: disabled}\n", "its network-config is not in netplan's version 2, to which edge adds a network"),
    ("network-config", "version: 2\nwifis: [wlan0]\n", "the 'wifis' of its network-config is not a mapping"),
    ("meta-data", "just words\n", "its meta-data does not hold a mapping of keys to values"),
]


@pytest.mark.parametrize(("name", "text", "what"), REFUSED)
def test_what_cannot_be_merged_is_refused_by_name(name: str, text: str, what: str) -> None:
    with pytest.raises(EdgeError) as caught:
        told(FirstBoot("x", "ann", "$6$x", (), Wifi("n", "k")), {"user-data": "", name: text})
    assert str(caught.value) == f"card.img: {what} ({BY_HAND})"


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(EdgeError) as caught:
        cloud_init.files(FirstBoot("x"), {"user-data": b"#cloud-config\n\xff\xfe"}.get, "card.img")
    assert str(caught.value) == f"card.img: its user-data is not text ({BY_HAND})"


def test_a_password_in_a_list_of_lines() -> None:
    old = {"user-data": "#cloud-config\nchpasswd:\n  list: |\n    ann:x\n"}
    with pytest.raises(EdgeError) as caught:
        told(FirstBoot(user="ann", password="$6$x"), old)
    cure = "take that line out, or leave out the password"
    assert str(caught.value) == f"card.img: its user-data sets the password of ann in 'chpasswd' ({cure})"
    assert "ann:x" in told(ANN, old)["user-data"]


WORDS = st.text(string.ascii_letters + string.digits + " :#-'\"[]{}&*!|>%@`,\\~é", max_size=12)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 99), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)
OURS = {"hostname", "manage_etc_hosts", "users", "enable_ssh", "ssh_pwauth", "preserve_hostname", "fqdn", "chpasswd"}


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(WORDS.filter(lambda key: key not in OURS), VALUES, max_size=4), st.booleans(), st.sampled_from([FirstBoot("x"), ANN]))
def test_all_that_was_not_asked_about_stays(data: dict[str, object], flow: bool, config: FirstBoot) -> None:
    """Any mapping, in blocks or as JSON: it is read back with the new keys and nothing else changed."""
    spelled = {key: json.dumps(value, ensure_ascii=False) for key, value in data.items()}
    blocks = "".join(f"{json.dumps(key, ensure_ascii=False)}: {value}  # of {number}\n" for number, (key, value) in enumerate(spelled.items()))
    text = f"#cloud-config\n# comment\n{json.dumps(data, ensure_ascii=False) if flow else blocks}"
    found = read(told(config, {"user-data": text})["user-data"])
    before = read(text) or {}
    assert {key: found[key] for key in before} == before
    assert set(found) - set(before) <= OURS
