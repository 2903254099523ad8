"""`deepmapper report`: all tables and figures of a study in one page."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click

from ..errors import InputError
from .open_summary import results_of
from .run import final_message, snakemake
from .study import FAULTY, command_line, inside, repository, say, study_argument


@click.command("report", short_help="Write all tables and figures into one page.")
@study_argument
@click.option("-o", "--output", default="results/report.html", show_default=True, help="The page, within the study.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- SNAKEMAKE ARGUMENTS]")
def command(study: Path, output: str, arguments: tuple[str, ...]) -> None:
    """Write all tables and figures of a finished study into one page (snakemake --report)."""
    root = repository()
    with inside(study) as config:
        page = Path(results_of(config)) / "index.html"
        if not page.is_file():
            raise InputError(
                f"{study / page} does not exist yet: the report is made from a finished run. First: "
                f"{command_line('run', study)}"
            )
        call = [*snakemake(root), "--cores", "1", "--report", output, *arguments]
        done = subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode or not Path(output).is_file():
            say(final_message(done.stdout + done.stderr, study), err=True)
            say(f"\nNo report was written. Is the study finished? {command_line('run', study)}", err=True)
            raise SystemExit(FAULTY)
    say(study / output)
