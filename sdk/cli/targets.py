"""`edge targets [NAME] [--json]`: the devices to build for; with a name, every figure and where it comes from."""

from __future__ import annotations

import argparse
import json

from edge import targets
from edge.targets.profile import Profile, figures, to_dict


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="a target's name, or the path of a profile of your own (.toml)")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout and nothing else")


def run(args: argparse.Namespace) -> int:
    names = [args.name] if args.name else targets.names()
    profiles = [targets.load(name) for name in names]
    if args.json:
        described = [to_dict(profile) for profile in profiles]
        print(json.dumps(described[0] if args.name else described, indent=2))
    elif args.name:
        print("\n".join(page(profiles[0])))
    else:
        print("\n".join(line for profile in profiles for line in (f"{profile.name:<10}{profile.description}", f"{'':10}{summary(profile)}")))
    return 0


def summary(profile: Profile) -> str:
    return f"{profile.arch}, levels {' '.join(level.name for level in profile.levels)}"


def page(profile: Profile) -> list[str]:
    """One target: its levels, then a line for each figure."""
    lines = [f"{profile.name}: {profile.description}", summary(profile), f"runner {profile.runner}, library {profile.library}", ""]
    for level in profile.levels:
        proof = f"proven under qemu-x86_64 -cpu {level.qemu_cpu}" if level.qemu_cpu else "QEMU cannot run it"
        lines += [f"{level.name}: -mcpu={level.cpu}, {proof}", f"    needs {' '.join(level.features)}"]
    lines.append("")
    for key, figure in figures(profile):
        lines += [f"{key:<28}{figure}", f"    {figure.source}"]
    return lines
