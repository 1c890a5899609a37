"""`edge` itself: a click group that imports a command's file only when that command is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from edge import __version__
from edge.cli import help_page, not_yet
from edge.cli.commands import GROUPS, VERBS
from edge.cli.output import complain, put
from edge.cli.verb import help_option, quiet, show_help, verbose
from edge.cli.words import GIVEN, check, hyphenated, wrong_value
from edge.errors import EdgeError, did_you_mean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP = ("-h", "--help")


class Lazy(click.Group):
    """Commands by name from the table; nothing but the one that is used is imported, for help and completion too."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command_of(cmd_name) if cmd_name in VERBS else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its words, which are checked here as a whole."""
        name, *words = args
        if ctx.resilient_parsing:  # a shell completes
            return name, self.get_command(ctx, name), words
        if name == "help":
            show_help(ctx, self.params[0], not words)
            name, words = words[0], ["--help"]
        if name not in VERBS:
            raise unknown(name)
        command = command_of(name)
        if set(HELP) & set(words[: words.index("--")] if "--" in words else words):
            return name, command, ["--help"]
        given = check(name, command, words)
        if {"quiet", "verbose"} <= set(given):
            raise EdgeError(name, "takes -q or -v, not both", "leave one out")
        ctx.meta[GIVEN] = given
        return name, command, words

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("edge", "COMMAND …        (edge COMMAND --help for its options)", prefix="usage: ")
        for group, title in GROUPS.items():
            formatter.write_paragraph()
            formatter.write(f"{title}:\n")
            for name, entry in VERBS.items():
                if entry.group == group:
                    formatter.write(f"  {name:<10}{entry.text}\n")
        with formatter.section("Options"):
            formatter.write_dl(help_page.options(self))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=entry.text) for name, entry in VERBS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def command_of(name: str) -> click.Command:
    command: click.Command = import_module(f"edge.cli.{name}").command
    return command


def unknown(name: str) -> EdgeError:
    if name in not_yet.COMMANDS:
        return not_yet.refusal(name, not_yet.COMMANDS[name])
    kind = "option" if name.startswith("-") else "command"
    return EdgeError(name, f"unknown {kind}", did_you_mean(name, [*VERBS, "--help", "--version"]) or "edge --help lists the commands")


def show_version(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    if given and not ctx.resilient_parsing:
        put(f"edge {__version__}")
        ctx.exit()


@click.group("edge", cls=Lazy, add_help_option=False, no_args_is_help=False, context_settings={"token_normalize_func": hyphenated})
@quiet()
@verbose()
@help_option()
@click.option("-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=show_version, help="show the version")
def root() -> None:
    """Does nothing before the command."""


def run(words: list[str]) -> int:
    """Runs one command line; click's own exceptions become exit codes and EdgeErrors."""
    try:
        context = root.make_context("edge", [*words])
        code: int = root.invoke(context)
        return code
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.BadParameter as error:
        raise wrong_value(error) from None
    except click.NoSuchOption as error:
        raise unknown(error.option_name) from None
    except click.UsageError:  # no command at all
        complain(root.get_help(click.Context(root)))
        return EdgeError.exit_code
