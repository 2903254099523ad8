"""`deepmapper check`: every fault of the configuration and the inputs, before any job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import count
from .study import CONFIG, FAULTY, inside, own_tools, say, schema, study_argument, wrapped

if TYPE_CHECKING:
    from ..check.outcome import Outcome


@click.command("check", short_help="Find every fault of a study before any job.")
@study_argument
@click.option("--config", help=f"Another configuration file, relative to here.  [default: STUDY/{CONFIG}]")
@click.option("--cores", type=click.IntRange(1), help="Cores for the estimate of the time.  [default: all]")
@click.option("--conda", is_flag=True, help="Programs will come from conda (--sdm conda): do not look for them.")
def command(study: Path, config: str | None, cores: int | None, conda: bool) -> None:
    """Find every fault of a study before any job: of its configuration, and of its data.

    Names, labels, groups and confounders are checked for all samples, values as far as a few seconds allow; the
    summary says what was not checked. Nothing is written.

    Exit status: 0 without faults, 1 with faults, 2 if there is nothing to check.
    """
    if not check(study, config, cores, conda):
        raise SystemExit(FAULTY)


def check(study: Path, config: str | None, cores: int | None, conda: bool, brief: bool = False) -> dict | None:
    """Check a study and print what was found; return its settings, None with faults.

    `brief` leaves out what the run itself will say.
    """
    from ..check.study import check_study

    given = CONFIG if config is None else Path(config).absolute()
    with inside(study, given) as path, own_tools():
        outcome, settings = check_study(
            path, schema(), cores=cores or len(os.sched_getaffinity(0)), own_programs=not conda
        )
    show(outcome, str(config or path), brief)
    return settings if settings and not outcome.faults else None


def show(outcome: Outcome, config: str, brief: bool = False) -> None:
    """Print faults, cautions, what was read and what would run."""
    for i, fault in enumerate(outcome.faults, 1):
        say(wrapped(fault, f"{i:>3}. ", "     "))
    if outcome.faults:
        say()
    if outcome.cautions and not brief:
        say("Worth knowing:")
        for caution in outcome.cautions:
            say(wrapped(caution, "  - ", "    "))
        say()
    width = max((len(word) for word, _ in outcome.lines), default=0) + 2
    for word, text in outcome.lines:
        say(wrapped(text, f"{word:{width}}", " " * width))
    if outcome.unread:
        say(wrapped(f"{'; '.join(outcome.unread)}. The run checks these.", f"{'Unread':{width}}", " " * width))
    if outcome.faults:
        say(f"\n{config}: {count(len(outcome.faults), 'fault')} found (above). Nothing was run.")
    else:
        notes = f", {count(len(outcome.cautions), 'thing')} worth knowing" if outcome.cautions else ""
        where = " (shown by `deepmapper check`)" if outcome.cautions and brief else ""
        say(f"\n{config}: no fault found{notes}{where}.")
