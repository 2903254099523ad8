"""External programs: found or reported missing, run with a log and a time limit.

Every command is a list of arguments and never passes a shell, so a path may hold spaces, quotes or semicolons.
Standard library only.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

from ..errors import BioToolUnavailable, ToolFailed
from .files import MIN_FREE_BYTES, free_space

# Where each program comes from: its package on bioconda and in Debian.
PACKAGES = {
    "hisat2": ("hisat2", "hisat2"),
    "hisat2-build": ("hisat2", "hisat2"),
    "samtools": ("samtools", "samtools"),
    "fastp": ("fastp", "fastp"),
    "Trinity": ("trinity", "trinityrnaseq"),
    "rnaspades.py": ("spades", "spades"),
    "minimap2": ("minimap2", "minimap2"),
    "gffread": ("gffread", "gffread"),
    "salmon": ("salmon", "salmon"),
    "multiqc": ("multiqc", ""),
}

_LAST_LINES = 15

_PATIENCE = 5.0  # seconds

Argument = str | Path | int | float


def missing_tools(names: Iterable[str]) -> list[str]:
    """Those of the programs that are not on PATH."""
    return [name for name in dict.fromkeys(names) if shutil.which(name) is None]


def require(*names: str) -> None:
    """Refuse to start without a program.

    Raises
    ------
    BioToolUnavailable
        Naming all that are missing and how to get them.
    """
    missing = missing_tools(names)
    if not missing:
        return
    packages = [PACKAGES.get(name, (name, name)) for name in missing]
    conda = " ".join(dict.fromkeys(conda for conda, _ in packages))
    debian = " ".join(dict.fromkeys(debian for _, debian in packages if debian not in ("", "trinityrnaseq")))
    ways = [f"conda install -c conda-forge -c bioconda {conda}", "snakemake --sdm conda, which brings them by itself"]
    if debian:
        ways.append(f"apt-get install {debian}")
    if {"Trinity", "multiqc"} & set(missing):
        ways.append("bash scripts/setup.sh in DeepMapper's repository")
    raise BioToolUnavailable(
        f"{', '.join(missing)}: not found on PATH, expected for this step. Get {'it' if len(missing) == 1 else 'them'} "
        f"with one of: {'; '.join(ways)}."
    )


def run_tool(
    *commands: Sequence[Argument],
    stdout: str | Path | None = None,
    reader: Callable[[IO[bytes]], None] | None = None,
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
    folder: str | Path | None = None,
    log: IO[str] | None = None,
    refused: str = "",
) -> str:
    """Run a program, or several joined by pipes, to the end.

    Parameters
    ----------
    commands
        Arguments of each program, its name first; the output of each is the input of the next.
    stdout
        File that receives the last one's output; None sends it to the log.
    reader
        Called with the last one's output instead. It must bear an output that is cut short, since a program that
        fails is named only after the reader ends.
    seconds
        Longest time; then the programs and all they started are killed. None for no bound.
    environment
        Variables to set beside those at hand.
    folder
        Where the programs run.
    log
        Receives the commands and, line by line, what they say; None for this process's standard error.
    refused
        What the user should do when a program fails, as the end of the message.

    Returns
    -------
    str
        The last lines that the programs said.

    Raises
    ------
    BioToolUnavailable
        If a program is missing.
    ToolFailed
        If one fails or takes too long, with its last lines; or if the disk is full at its end, which not every program
        notices.
    """
    require(*(str(command[0]) for command in commands))
    lines = [[str(argument) for argument in command] for command in commands]
    log = log or sys.stderr
    print(f"$ {' | '.join(shlex.join(line) for line in lines)}", file=log, flush=True)
    running: list[subprocess.Popen] = []
    done = False
    with _ended_with_us(running) as stopped, _said(log) as (said, last_lines), _opened(stdout, said) as target:
        try:
            for i, line in enumerate(lines):
                last = i == len(lines) - 1
                running.append(
                    subprocess.Popen(
                        line,
                        stdin=running[-1].stdout if running else subprocess.DEVNULL,
                        stdout=target if last and reader is None else subprocess.PIPE,
                        stderr=said,
                        cwd=folder,
                        env={**os.environ, **(environment or {})},
                        start_new_session=True,
                    )
                )
                if i and (pipe := running[-2].stdout):
                    pipe.close()  # so that a program ends when its reader does
            if stopped:
                _kill(running)  # one may have started as the signal came
            _wait(running, lines, seconds, reader)
            done = not any(process.returncode for process in running)
        finally:
            if not done:
                _kill(running)
                for process in running:
                    process.wait()
    if stopped:
        raise SystemExit(128 + stopped[0])
    # judged now: whoever handles the error may have deleted what was half-written, and so made room
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if free_space(folder or ".")[0] < MIN_FREE_BYTES else None
    _blame(running, lines, last_lines, refused, full)
    if full:
        names = " | ".join(Path(line[0]).name for line in lines)
        raise ToolFailed(
            f"{names} ended without an error, but the disk is full: what it wrote may be cut short."
        ) from full
    return "\n".join(last_lines)


def version(name: str, *arguments: str) -> str:
    """First line of what a program says of its version."""
    require(name)
    done = subprocess.run(
        [name, *(arguments or ("--version",))], capture_output=True, text=True, errors="replace", check=False
    )
    return ((done.stdout or done.stderr).strip().splitlines() or ["unknown"])[0]


def _wait(
    running: list[subprocess.Popen],
    lines: list[list[str]],
    seconds: float | None,
    reader: Callable[[IO[bytes]], None] | None,
) -> None:
    over = threading.Event()

    def stop() -> None:
        over.set()
        _kill(running)

    timer = threading.Timer(seconds, stop) if seconds is not None else None
    if timer:
        timer.start()
    try:
        if reader is not None and (pipe := running[-1].stdout):
            with pipe:
                reader(pipe)
        for process in running:
            process.wait()
    finally:
        if timer:
            timer.cancel()
    if over.is_set():
        raise ToolFailed(
            f"{' | '.join(Path(line[0]).name for line in lines)} took longer than its bound of {seconds:g} s and "
            f"was ended. Give it more time, or less to do."
        )


def _kill(running: list[subprocess.Popen]) -> None:
    """Kill the programs and their children: what was told to stop, or failed, must not go on in the background."""
    for process in running:
        # a program that ended by itself may have left children in its group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _blame(
    running: list[subprocess.Popen],
    lines: list[list[str]],
    last_lines: Iterable[str],
    refused: str,
    cause: OSError | None,
) -> None:
    """Name every program that failed; one that lost its reader (SIGPIPE) is none of them."""
    failed = [
        (process.returncode, line)
        for process, line in zip(running, lines, strict=True)
        if process.returncode and process.returncode != -signal.SIGPIPE
    ]
    if not failed:
        return
    endings = " and ".join(f"{Path(line[0]).name} {_ending(status)}" for status, line in failed)
    said = "\n".join(f"    {line}" for line in last_lines) or "    (none)"
    raise ToolFailed(
        f"{endings}.{' ' if refused else ''}{refused}\n  Its last lines:\n{said}\n"
        f"  The command: {' | '.join(shlex.join(line) for line in lines)}",
        status=failed[-1][0],
    ) from cause


def _ending(status: int) -> str:
    if status > 0:
        return f"failed (exit status {status})"
    memory = " (out of memory, perhaps)" if status == -signal.SIGKILL else ""
    return f"was killed by signal {-status}{memory}"


@contextmanager
def _said(log: IO[str]) -> Iterator[tuple[int, deque[str]]]:
    """Give a file descriptor whose lines go to the log as they come, and the last of them."""
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    source, target = os.pipe()

    def copy() -> None:
        with os.fdopen(source, errors="replace") as file:
            for line in file:
                print(line.rstrip("\n"), file=log, flush=True)
                if line.strip():
                    last_lines.append(line.rstrip())

    copying = threading.Thread(target=copy, daemon=True)
    copying.start()
    try:
        yield target, last_lines
    finally:
        os.close(target)
        copying.join(_PATIENCE)  # not for ever: a child that outlives its program may still hold the pipe


@contextmanager
def _ended_with_us(running: list[subprocess.Popen]) -> Iterator[list[int]]:
    """Kill the programs when this process is asked to stop; gives a list that holds the signal then."""
    stopped: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread hears of signals
        return

    # no exception from here: it could come between the start of a program and our knowing of it
    def stop(number: int, _frame: object) -> None:
        stopped.append(number)
        _kill(running)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _opened(path: str | Path | None, said: int):
    return nullcontext(said) if path is None else Path(path).open("wb")
