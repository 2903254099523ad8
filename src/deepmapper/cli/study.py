"""What the commands share: the folder of a study, the repository with the workflow, errors and terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from importlib.util import find_spec
from pathlib import Path

import click

from ..core.files import os_error_message, special_kind
from ..core.memory import out_of_memory_message
from ..core.words import printable
from ..errors import (
    AttributionUnavailable,
    BackboneUnavailable,
    BioToolUnavailable,
    DiskFull,
    InputError,
    ToolFailed,
)

CONFIG = "config/config.yaml"

# Exit statuses beside 0: faults were found or the run failed; the command line is wrong (as click has it); Ctrl-C.
FAULTY, INTERRUPTED = 1, 130

_KNOWN = (
    AttributionUnavailable,
    BackboneUnavailable,
    BioToolUnavailable,
    DiskFull,
    InputError,
    ToolFailed,
    ImportError,
)

_WIDEST = 110

study_argument = click.argument("study", default=".", type=click.Path(path_type=Path))


@contextmanager
def known_errors() -> Iterator[None]:
    """Turn errors with a message for the user into one of the command line, without a traceback."""
    try:
        yield
    except _KNOWN as error:
        raise click.ClickException(printable(str(error))) from error
    except MemoryError as error:
        raise click.ClickException(out_of_memory_message(error)) from error
    except OSError as error:
        if not (message := os_error_message(error)):
            raise
        raise click.ClickException(message) from error


@contextmanager
def inside(study: Path, config: str | Path = CONFIG) -> Iterator[Path]:
    """Work in the folder of a study, as Snakemake does: yield the path of its configuration file.

    Parameters
    ----------
    study
        The folder.
    config
        The configuration file, relative to the folder unless it was given on the command line.

    Raises
    ------
    click.UsageError
        If there is no such folder or no configuration in it.
    """
    if not study.is_dir():
        kind = special_kind(study) or ("a file" if study.exists() else "")
        found = f"{study} is {kind}, expected the folder of a study." if kind else f"There is no folder {study}."
        raise click.UsageError(f"{found} `{command_line('init', study)}` makes one.")
    folder = study.absolute()
    with chdir(study):
        if not Path(config).exists():
            raise click.UsageError(
                f"{folder} has no {config}. Give the folder of a study; `deepmapper init` makes one."
            )
        yield Path(config)


def repository() -> Path:
    """Find the folder with the workflow: the repository around this package, or what a wheel installs of it.

    Raises
    ------
    InputError
        If there is none, or Snakemake is not installed.
    """
    above = Path(__file__).resolve().parents
    folders = [above[3], *(folder / "share/deepmapper" for folder in above[2:])]
    root = next((folder for folder in folders if (folder / "workflow/Snakefile").is_file()), None)
    if root is None:
        raise InputError(
            f"the workflow of the package in {above[1]} was not found: expected it in {above[3] / 'workflow'}, or in "
            "share/deepmapper of the environment. Install the package again, or run bash scripts/setup.sh in a clone "
            "of its repository."
        )
    if find_spec("snakemake") is None:
        raise InputError(
            f"Snakemake, which runs the workflow, is not installed in the environment of {sys.executable}. Install it, "
            "with all else that the workflow needs: pip install 'deepmapper[workflow]'"
        )
    return root


@contextmanager
def own_tools() -> Iterator[None]:
    """Look for programs where scripts/setup.sh installs some of them first, as the workflow does."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(repository() / ".tools" / "bin"), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def schema() -> Path:
    """Find the schema of the configuration."""
    return repository() / "workflow/schemas/config.schema.yaml"


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Wrap text to the width of the terminal, each of its lines by itself."""
    width = min(_WIDEST, max(60, shutil.get_terminal_size((100, 24)).columns))
    lines = text.splitlines() or [""]
    wrapper = textwrap.TextWrapper(width, first, rest, break_long_words=False, break_on_hyphens=False)
    shown = []
    for line in lines:
        shown.append(wrapper.fill(line))
        wrapper.initial_indent = rest
    return "\n".join(shown)


def command_line(*arguments: object) -> str:
    """Write a call of the command as a shell takes it; it is not to be wrapped, since names may hold blanks."""
    return shlex.join(["deepmapper", *map(str, arguments)])


def say(text: object = "", *, err: bool = False) -> None:
    """Print a line; names of files, columns and classes cannot control the terminal."""
    click.echo(printable(str(text)), err=err)


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()
