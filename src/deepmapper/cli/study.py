"""What the commands share: the folder of a study, the repository with the workflow, errors and terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import chdir, contextmanager
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
        raise click.UsageError(f"{found} `deepmapper init {study}` makes one.")
    folder = study.absolute()
    with chdir(study):
        if not Path(config).exists():
            raise click.UsageError(
                f"{folder} has no {config}. Give the folder of a study; `deepmapper init` makes one."
            )
        yield Path(config)


def repository() -> Path:
    """Find the repository that this package is installed from, with the workflow.

    Raises
    ------
    InputError
        If the package was installed without it.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "workflow" / "Snakefile").is_file():
        raise InputError(
            f"the workflow was not found beside the package ({Path(__file__).resolve().parents[1]}): it is in "
            "DeepMapper's repository, not in the installed package. Clone the repository and run bash scripts/setup.sh "
            "there, or install the package from the clone with pip install --editable."
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


def say(text: object = "", *, err: bool = False) -> None:
    """Print a line; names of files, columns and classes cannot control the terminal."""
    click.echo(printable(str(text)), err=err)


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()
