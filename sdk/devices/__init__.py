"""Where an artifact runs, behind one interface: `open_device("ssh://pi@board")`; `find_devices()` lists what is attached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from edge.devices.device import Device, Facts, Found, Ran, Say, silent
from edge.devices.uri import GRAMMARS, parse_uri, where
from edge.errors import EdgeError

__all__ = ["Device", "Facts", "Found", "Ran", "emulated", "find_devices", "kinds", "open_device", "opened"]


def kinds() -> list[str]:
    """The modules here that open devices: the schemes' first words."""
    return [name for name in dict.fromkeys(scheme.split("+")[0] for scheme in GRAMMARS) if find_spec(f"edge.devices.{name}")]


def open_device(uri: str, say: Say = silent) -> Device:
    """The device at that URI, ready.  EdgeError for a URI that is none, DeviceFailed when it cannot be reached.  say: told what takes time."""
    kind = parse_uri(uri).scheme.split("+")[0]
    if kind not in kinds():
        raise EdgeError(where(uri), "not supported yet", f"use one of: {', '.join(kinds())}")
    device: Device = import_module(f"edge.devices.{kind}").open(uri, say)
    return device


def emulated(uri: str) -> bool:
    """Whether what that URI leads to is played by an emulator, without opening it: its module says so."""
    kind = parse_uri(uri).scheme.split("+")[0]
    return kind in kinds() and bool(getattr(import_module(f"edge.devices.{kind}"), "EMULATED", False))


@contextmanager
def opened(uri: str, say: Say = silent) -> Iterator[Device]:
    """The same, closed at the end."""
    device = open_device(uri, say)
    try:
        yield device
    finally:
        device.close()


def find_devices() -> Iterator[Found]:
    """What is attached to this machine, kind by kind; nothing on the network is looked for."""
    for kind in kinds():
        yield from import_module(f"edge.devices.{kind}").find()
