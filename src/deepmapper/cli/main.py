"""The command `deepmapper` and the list of its commands.

A new command is a module with a `click.Command` named `command`, and a line in `COMMANDS`. Modules import what takes
long to import within their functions, so that `deepmapper --help` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from .. import __version__
from .study import known_errors

# Each command with its module.
COMMANDS = {
    "init": "init",
    "fetch": "fetch",
    "check": "check",
    "run": "run",
    "report": "report",
    "open": "open_summary",
    "rank": "rank",
    "predict": "predict",
}


class Commands(click.Group):
    """The commands of `COMMANDS`, in this order, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        return import_module(f".{COMMANDS[name]}", __package__).command if name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; name the nearest one if there is none."""
        from ..core.words import did_you_mean

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"There is no command {args[0]!r}.{did_you_mean(args[0], COMMANDS)}", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; known errors end it with their message alone."""
        with known_errors():
            return super().invoke(ctx)


_HELP = """Find the features that tell biological states apart, without filtering any of them out.

\b
A study of your own takes three commands:
  deepmapper init blood --matrix cells.h5ad --labels cell_type
  deepmapper check blood
  deepmapper run blood
"""


@click.group(cls=Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="deepmapper")
def main() -> None:
    """Call a command."""
