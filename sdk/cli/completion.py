"""What Tab offers as values: targets, networks of the zoo, devices, files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Items = list[CompletionItem[Any]]


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Names, and the files of profiles."""
    from edge.targets import names

    return beginning(incomplete, names()) or files(incomplete)


def buildable_targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Those that can be built for, and the files of profiles."""
    from edge.targets import names

    return beginning(incomplete, names("cpu")) or files(incomplete)


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The networks of the zoo for those who begin with a z, else files."""
    from edge.models import names

    return (incomplete and beginning(incomplete, (f"zoo:{name}" for name in names()))) or files(incomplete)


def devices(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """What is attached or switched on, and the boards that QEMU plays."""
    from edge.devices import find_devices
    from edge.targets import names

    boards = [f"virtual://{name}" for name in names() if name.startswith("rpi")]
    return beginning(incomplete, dict.fromkeys([*(found.uri for found in find_devices()), *boards]))


def beginning(incomplete: str, words: Iterable[str]) -> Items:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def files(incomplete: str) -> Items:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]
