"""`deepmapper run`: check a study, then run its workflow with a line of progress, everything else in a log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click

from ..core.files import unwritable
from ..errors import InputError
from .check import check
from .progress import Progress, spell_time
from .study import FAULTY, INTERRUPTED, command_line, inside, repository, say, study_argument, wrapped

# Words in the arguments for Snakemake with which it runs nothing, or jobs get their programs from elsewhere.
_NOTHING_RUNS = {"-n", "--dry-run", "--dryrun", "--help", "-h", "--version", "-v", "--lint", "--list", "-l", "--unlock"}
_NOTHING_RUNS |= {"--dag", "--rulegraph", "--filegraph", "--summary", "-S", "--report", "--touch", "-t"}
_PROGRAMS_FROM = {"--sdm", "--software-deployment-method", "--use-conda", "--use-singularity", "--use-apptainer"}

_EVERY = 0.5  # seconds between looks at the log

_LAST_LINES = 12  # of the log, if a run ends without a message of its own


_HELP = """Check a study, then run it. After an interruption or a change, the same command continues.

Finished results are kept: after Ctrl-C or a crash, and after a change of the configuration, only what is missing or
out of date is run. Arguments after -- are passed on to snakemake:

\b
  deepmapper run blood -- --dry-run     what would run
  deepmapper run rna -- --sdm conda     conda installs all programs (or --use-conda)

Exit status: 0 if all results are there, 1 after a fault or a failed job, 2 for a wrong command, 130 after Ctrl-C.
"""


class _Run(click.Command):
    """The command; an unknown option is probably one of Snakemake."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.possibilities:
                raise
            hint = f"Options of Snakemake follow two dashes: deepmapper run STUDY -- {error.option_name}"
            raise click.NoSuchOption(error.option_name, f"{error.message} {hint}", ctx=ctx) from error


@click.command("run", cls=_Run, help=_HELP, short_help="Check a study, then run it or what is missing of it.")
@study_argument
@click.option("--cores", type=click.IntRange(1), help="Cores to use.  [default: all]")
@click.option("--no-check", is_flag=True, help="Do not check the study first.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- SNAKEMAKE ARGUMENTS]")
def command(study: Path, cores: int | None, no_check: bool, arguments: tuple[str, ...]) -> None:
    """Check a study, then run it."""
    if study.name.startswith("-"):
        raise click.UsageError(
            f"Found {study} in place of a folder. `{command_line('run', '.', '--', study)}` passes it on."
        )
    root, cores = repository(), cores or len(os.sched_getaffinity(0))
    options = {argument.partition("=")[0] for argument in arguments}
    settings = None
    if not no_check:
        settings = check(study, None, cores, bool(options & _PROGRAMS_FROM), brief=True)
        if settings is None:
            raise SystemExit(FAULTY)
    with inside(study):
        call = [*snakemake(root), "--cores", str(cores), *arguments]
        if options & _NOTHING_RUNS:
            raise SystemExit(subprocess.run(call, check=False).returncode)
        raise SystemExit(_run(call, study, settings or _settings(root)))


def snakemake(root: Path) -> list[str]:
    """Start of a call of Snakemake on the workflow of a repository."""
    profile = root / "workflow/profiles/default"
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")),
        *("--workflow-profile", str(profile)),
    ]


def _settings(root: Path) -> dict:
    """Read the settings as the workflow does, if they were not checked."""
    from ..workflow.run_settings import read_settings
    from .study import CONFIG, schema

    import yaml  # isort: skip

    return read_settings(yaml.safe_load(Path(CONFIG).read_text(encoding="utf-8-sig")), schema())


def _run(call: Sequence[str], study: Path, settings: dict) -> int:
    """Run Snakemake with its output in a log, show the progress, and end with what to look at or the reason."""
    results = Path(settings["results"])
    if reason := unwritable(results):
        raise InputError(f"{reason}. Nothing was run.")
    log = results / "logs" / f"run-{time.strftime('%Y-%m-%d_%H-%M-%S')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"\nRunning. Ctrl-C is safe. All output: {study / log}")
    started = time.monotonic()
    with log.open("wb") as output, _on_stop() as stop:
        process = subprocess.Popen(
            call,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # so that Ctrl-C reaches it once, from here
        )
        stop(process)
        with Progress(log, settings) as progress:
            while process.poll() is None:
                time.sleep(_EVERY)
                progress.update()
    seconds = time.monotonic() - started
    text = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode == 0:
        _show_results(study, results, seconds, nothing="Nothing to be done" in text)
        return 0
    was_stopped = "Terminating processes on user request" in text or process.returncode < 0 or stop.asked
    if was_stopped and "failed; finished results are kept." not in text:
        say("Interrupted; finished results are kept. The same command continues.", err=True)
        return INTERRUPTED
    say(f"\n{final_message(text, study)}\n\nAll output: {study / log}", err=True)
    return FAULTY


class _Stop:
    """Passes signals on to a process and its jobs."""

    def __init__(self) -> None:
        self.asked = False
        self._process: subprocess.Popen | None = None

    def __call__(self, process: subprocess.Popen) -> None:
        """Name the process."""
        self._process = process
        if self.asked:
            self.handle(signal.SIGINT, None)

    def handle(self, number: int, _: FrameType | None) -> None:
        """Interrupt the process as Ctrl-C in a terminal does."""
        if not self.asked:
            say("\nStopping; jobs that run are ended.", err=True)
        self.asked = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGINT)


@contextmanager
def _on_stop() -> Iterator[_Stop]:
    """Handle what stops a run, until the block ends."""
    stop = _Stop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, stop.handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def final_message(text: str, study: Path) -> str:
    """Find what Snakemake's output ends with for the person to read: the messages of failed jobs, or the last lines.

    The logs of the jobs, which Snakemake names from the folder of the study, are named from where the person is.
    """
    from ..workflow.failures import find_description

    if "LockException" in text:
        return (
            "Another run is at work in this folder: wait until it has ended. If none is, here or on another machine, "
            f"remove the lock with: {command_line('run', study, '--', '--unlock')}"
        )
    lines = [line for line in text.rstrip().splitlines() if line.strip()]
    return find_description(text, study) or "\n".join(lines[-_LAST_LINES:]) or "Snakemake ended without a message."


def _show_results(study: Path, results: Path, seconds: float, nothing: bool) -> None:
    """Say where to look, and the first line of the answer."""
    done = "Nothing to do: all results are up to date." if nothing else f"Done in {spell_time(seconds)}."
    say(f"\n{done}")
    for path in sorted(results.glob("findings/*/summary.json"))[:3]:
        say(wrapped(_statement(path), f"{path.parent.name}: ", "  "))
    if listed := _statement(results / "findings/recommended.json"):
        say(wrapped(listed, "", "  "))
    named = [path for path in sorted(results.glob("findings/*/target.json"))[:3] if _statement(path)]
    for path in named:
        say(wrapped(_statement(path), f"{path.parent.name}: ", "  "))
    if predicted := _statement(results / "predict/target.json"):
        say(wrapped(predicted, "", "  "))
    shown: list[tuple[str, Callable[[Path], bool], str]] = [
        ("predict/target.tsv", Path.is_file, "labels, verdicts and error rates of the cells"),
        ("predict/target.json", Path.is_file, "the error rates with their conditions"),
        ("findings/recommended.tsv", Path.is_file, "all features in one order, those to report first"),
        *(
            (f"findings/{path.parent.name}/target.tsv", Path.is_file, "the cells without a label, named")
            for path in named
        ),
        ("findings", Path.is_dir, "tables and figures"),
        ("model", Path.is_dir, "models that name later cells (deepmapper predict)"),
        ("index.html", Path.is_file, f"the answer, with figures: open this first ({command_line('open', study)})"),
    ]
    if (results / "index.html").is_file():
        say(f"All tables and figures in one file to send: {command_line('report', study)}")
    else:
        shown.append(("expression.h5ad", Path.is_file, "the matrix, as the passes will read it"))
    rows = [(str(study / results / name), what) for name, is_there, what in shown if is_there(results / name)]
    width = max((len(place) for place, _ in rows), default=0)
    for place, what in rows:
        say(f"  {place:{width}}  {what}")


def _statement(path: Path) -> str:
    """First sentence of an answer."""
    import json

    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(found.get("statement") or found.get("ranking", {}).get("statement") or "")
    return ""
