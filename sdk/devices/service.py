"""A systemd unit for an installed model: it checks itself at every start, so that `systemctl status` tells a board that computes wrongly."""

from __future__ import annotations

from edge.devices.device import Device, Say, silent
from edge.devices.install import HEALTH_SECONDS, Installed
from edge.devices.scripts import failed, key_values, script
from edge.errors import DeviceFailed, EdgeError

#: RequiresMountsFor: after the disk that it lies on.  It ends, so it is not restarted: a wrong answer stays to be seen.
UNIT = """[Unit]
Description=edge model {name}: check it against its test vectors
RequiresMountsFor={folder}
ConditionPathExists={folder}/current/model.edge

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec={seconds:.0f}
ExecStart="{folder}/current/model.edge" --verify
NoNewPrivileges=yes
{limits}
[Install]
WantedBy={target}
"""
#: of root's rights a model needs none but to read what another user has installed
ROOT_LIMITS = "CapabilityBoundingSet=CAP_DAC_READ_SEARCH\n"
#: -> user=root|other, whether systemd is there
WHO = 'command -v systemctl >/dev/null 2>&1 || exit 40; echo "uid=$(id -u)"; echo "home=$HOME"'
#: folder, unit, --user or --system; the unit on stdin.  A user's systemd runs without a login only when it may linger.
#: Not every login sets XDG_RUNTIME_DIR.
INSTALL = """
mkdir -p "$1" && cat >"$1/.$2.new" && mv -f "$1/.$2.new" "$1/$2" || exit 1
if [ "$3" = --user ]; then
  export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
  loginctl enable-linger >/dev/null 2>&1 || echo linger=no
fi
systemctl "$3" daemon-reload && systemctl "$3" enable "$2" && systemctl "$3" restart "$2"
"""
NO_SYSTEMD = 40
ENABLE_SECONDS = 60.0


def install_service(device: Device, made: Installed, say: Say = silent) -> str:
    """Writes, enables and starts `edge-NAME.service`; its name.  For root a system's unit, else the user's own."""
    say("installing the systemd unit")
    asked = device.run(script(WHO))
    told = key_values(asked.stdout)
    if asked.code == NO_SYSTEMD:
        raise DeviceFailed(device.uri, "has no systemd, so --service cannot be had", "start it by its own init; the model is installed")
    if asked.code or "uid" not in told:
        raise failed(device.uri, asked, "asking for systemd")
    root, unit = told["uid"] == "0", f"edge-{made.name}.service"
    folder = "/etc/systemd/system" if root else f"{told.get('home', '')}/.config/systemd/user"
    text = unit_text(made.name, made.folder, root)
    words = script(INSTALL, folder, unit, "--system" if root else "--user")
    ran = device.run(words, timeout=HEALTH_SECONDS + ENABLE_SECONDS, stdin=text.encode())
    if ran.code:
        raise failed(device.uri, ran, f"starting {unit}")
    if "linger" in key_values(ran.stdout):
        what, cure = f"{unit} is installed, but starts only when this user logs in", "sudo loginctl enable-linger there, with the user's name"
        raise DeviceFailed(device.uri, what, cure)
    return unit


def unit_text(name: str, folder: str, system: bool) -> str:
    """name, folder: of the model, as `Installed` has them; the name has letters, digits, '.', '_' and '-' only.  system: not a user's own unit."""
    target, limits = ("multi-user.target", ROOT_LIMITS) if system else ("default.target", "")
    return UNIT.format(name=name, folder=escaped(folder), seconds=HEALTH_SECONDS, target=target, limits=limits)


def escaped(folder: str) -> str:
    """A path inside a unit: % begins a specifier, and quotes end the word.  [systemd.unit(5), specifiers; systemd.syntax(7), quoting]"""
    if any(letter in folder for letter in "\"'\\$ "):
        raise EdgeError(f"path '{folder}'", "cannot stand in a systemd unit", "choose a --folder without blanks, quotes, '$' and backslashes")
    return folder.replace("%", "%%")
