"""Messages of failed jobs: written to the log of a job, and repeated by the main process. Standard library only.

Snakemake prints much after a job failed, so what a person needs would stand far above the last line. `describe` gives
the text that the main process prints when everything else has been said.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Failed jobs that are described; the others are counted. Chosen by hand.
MOST = 5

INTERRUPTED = "interrupted"

_KEPT = "finished results are kept."

_INTERRUPTED_RUN = "Interrupted; finished results are kept. The same command continues."


class FailedJob(NamedTuple):
    """A job that failed: its rule, and its log files, that of its script first."""

    rule: str
    logs: tuple[str, ...]


def message_start(rule: str) -> str:
    """Start of the line with which the message of a failed job begins, in its log and on the screen."""
    return f"Error in {rule}: "


def message_in(log: str | Path, rule: str) -> str:
    """Return the message of a failed job, which is the end of its log; empty if the job ended without one."""
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    first = next((i for i, line in enumerate(lines) if line.startswith(message_start(rule))), len(lines))
    return "\n".join(lines[first:]).strip()


def describe(failed: Sequence[FailedJob]) -> str:
    """Describe failed jobs: each message once with the log, the first `MOST` of them.

    Parameters
    ----------
    failed
        The jobs, in the order in which they failed.

    Returns
    -------
    str
        Empty if there is nothing to say: no job failed, or all were interrupted.
    """
    logs_of: dict[str, list[str]] = {}
    for job in failed:
        log = job.logs[0] if job.logs else ""
        message = message_in(log, job.rule) if log else ""
        if message == message_start(job.rule) + INTERRUPTED:
            continue
        message = message or (
            f"{message_start(job.rule)}it ended without a message. Something killed it; a common reason is that it "
            "needed more memory than there was."
        )
        logs_of.setdefault(message, []).append(", ".join(job.logs))
    if not logs_of:
        return ""
    parts = [f"{message}\n{_logs(logs)}" for message, logs in list(logs_of.items())[:MOST]]
    if len(logs_of) > MOST:
        rest = [log for logs in list(logs_of.values())[MOST:] for log in logs]
        parts.append(f"{len(rest)} more failed; their logs: {', '.join(rest[:MOST])}{', ...' * (len(rest) > MOST)}")
    n = sum(map(len, logs_of.values()))
    return "\n\n".join([f"{n} job{'s' * (n > 1)} failed; {_KEPT}", *parts])


def find_description(output: str, folder: Path = Path()) -> str:
    """Find the last text by `describe` in the output of a run, which it ends; empty if there is none.

    `folder` is where the run was at work, as seen from where the text is read: the logs are named from there.
    """
    found = list(re.finditer(rf"^\d+ jobs? failed; {re.escape(_KEPT)}", output, re.MULTILINE))
    text = output[found[-1].start() :].strip() if found else ""

    def seen_from_here(line: re.Match) -> str:
        return line[1] + ", ".join(name if name == "..." else str(folder / name) for name in line[2].split(", "))

    return re.sub(r"^(Log: |\d+ more failed; their logs: )(.+)$", seen_from_here, text, flags=re.MULTILINE)


def _logs(logs: Sequence[str]) -> str:
    more = f" (and {len(logs) - 1} more with the same message)" if len(logs) > 1 else ""
    return f"Log: {logs[0]}{more}"


class FailedJobs:
    """The jobs of a run that have failed and have not succeeded since, by their number."""

    def __init__(self) -> None:
        self._jobs: dict[int, FailedJob] = {}
        self._interrupted = False

    def failed(self, number: int, job: FailedJob) -> None:
        """Note that a job failed."""
        self._jobs[number] = job

    def succeeded(self, number: int) -> None:
        """Note that a job succeeded, perhaps after it had failed."""
        self._jobs.pop(number, None)

    def interrupted(self) -> None:
        """Note that the person who started the run stopped it, so that its jobs did not fail by themselves."""
        self._interrupted = True

    def print_all(self) -> None:
        """Describe the failed jobs on the screen, or say that the run was interrupted."""
        text = _INTERRUPTED_RUN if self._interrupted else describe(list(self._jobs.values()))
        if text:
            print(f"\n{text}", file=sys.stderr)
