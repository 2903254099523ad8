"""External programs: check that they are installed, and run them with a log and a time limit.

Every command is a list of arguments and is run without a shell, so paths may contain spaces, quotes or semicolons.
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

# Package of each program on bioconda and in Debian.
PACKAGES = {
    "hisat2": ("hisat2", "hisat2"),
    "hisat2-build": ("hisat2", "hisat2"),
    "samtools": ("samtools", "samtools"),
    "fastp": ("fastp", "fastp"),
    "Trinity": ("trinity", "trinityrnaseq"),
    "rnaspades.py": ("spades", "spades"),
    "minimap2": ("minimap2", "minimap2"),
    "gffread": ("gffread", "gffread"),
    "stringtie": ("stringtie", "stringtie"),
    "salmon": ("salmon", "salmon"),
    "multiqc": ("multiqc", ""),
    "prefetch": ("sra-tools", "sra-toolkit"),
    "fasterq-dump": ("sra-tools", "sra-toolkit"),
    "vdb-dump": ("sra-tools", "sra-toolkit"),
    "diamond": ("diamond", "diamond-aligner"),
    "hmmsearch": ("hmmer", "hmmer"),
    "nhmmer": ("hmmer", "hmmer"),
    "cmsearch": ("infernal", "infernal"),
    "kraken2": ("kraken2", "kraken2"),
}

# Lines of a program's output that an error message shows.
_LAST_LINES = 15

# How long to wait for the rest of a program's output after it has ended, in seconds; chosen by hand.
_LOG_TIMEOUT = 5.0

Argument = str | Path | int | float


def missing_tools(names: Iterable[str]) -> list[str]:
    """Programs among `names` that are not on PATH."""
    return [name for name in dict.fromkeys(names) if shutil.which(name) is None]


def require(*names: str) -> None:
    """Check that programs are on PATH.

    Raises
    ------
    BioToolUnavailable
        If any are missing; the message names them and how to install them.
    """
    missing = missing_tools(names)
    if not missing:
        return
    packages = [PACKAGES.get(name, (name, name)) for name in missing]
    conda = " ".join(dict.fromkeys(conda for conda, _ in packages))
    debian = " ".join(dict.fromkeys(debian for _, debian in packages if debian not in ("", "trinityrnaseq")))
    ways = [f"conda install -c conda-forge -c bioconda {conda}", "snakemake --sdm conda, which installs all programs"]
    if debian:
        ways.append(f"apt-get install {debian}")
    if {"Trinity", "multiqc"} & set(missing):
        ways.append("bash scripts/setup.sh in DeepMapper's repository")
    raise BioToolUnavailable(
        f"{', '.join(missing)}: not found on PATH, but needed for this step. Install "
        f"{'it' if len(missing) == 1 else 'them'} with one of: {'; '.join(ways)}."
    )


def run_tool(
    *commands: Sequence[Argument],
    stdout: str | Path | None = None,
    reader: Callable[[IO[bytes]], None] | None = None,
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
    folder: str | Path | None = None,
    log: IO[str] | None = None,
    advice: str = "",
) -> str:
    """Run a program, or several joined by pipes, until they end.

    Parameters
    ----------
    commands
        Name and arguments of each program; the output of each is piped into the next.
    stdout
        File for the output of the last program; None sends it to the log.
    reader
        Function that reads the output of the last program, instead of `stdout`. It must accept truncated output, since
        a program that failed is reported only after the reader returns.
    seconds
        Time limit, after which the programs and all their children are killed; None for no limit.
    environment
        Environment variables to set in addition to the current ones.
    folder
        Working directory of the programs.
    log
        Receives the commands and, line by line, their messages; None for standard error.
    advice
        What the user should do if a program fails; added to the message.

    Returns
    -------
    str
        The last lines of the programs' messages.

    Raises
    ------
    BioToolUnavailable
        If a program is missing.
    ToolFailed
        If a program fails or exceeds the time limit, with its last lines; or if the disk is full when it ends, which
        not every program notices.
    """
    require(*(str(command[0]) for command in commands))
    lines = [[str(argument) for argument in command] for command in commands]
    log = log or sys.stderr
    print(f"$ {' | '.join(shlex.join(line) for line in lines)}", file=log, flush=True)
    running: list[subprocess.Popen] = []
    done = False
    with (
        _kill_on_signal(running) as stopped,
        _copy_to_log(log) as (messages, last_lines),
        _open_output(stdout, messages) as target,
    ):
        try:
            for i, line in enumerate(lines):
                is_last = i == len(lines) - 1
                running.append(
                    subprocess.Popen(
                        line,
                        stdin=running[-1].stdout if running else subprocess.DEVNULL,
                        stdout=target if is_last and reader is None else subprocess.PIPE,
                        stderr=messages,
                        cwd=folder,
                        env={**os.environ, **(environment or {})},
                        start_new_session=True,
                    )
                )
                if i and (pipe := running[-2].stdout):
                    pipe.close()  # so that a program gets SIGPIPE when the next one ends
            if stopped:
                _kill(running)  # a program may have started just as the signal arrived
            _wait(running, lines, seconds, reader)
            done = not any(process.returncode for process in running)
        finally:
            if not done:
                _kill(running)
                for process in running:
                    process.wait()
    if stopped:
        raise SystemExit(128 + stopped[0])
    # checked before raising: handlers of the error may delete partial output, which frees space
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if free_space(folder or ".")[0] < MIN_FREE_BYTES else None
    _raise_failures(running, lines, last_lines, advice, full)
    if full:
        names = " | ".join(Path(line[0]).name for line in lines)
        raise ToolFailed(
            f"{names} ended without an error, but the disk is full: its output may be truncated."
        ) from full
    return "\n".join(last_lines)


def version(name: str, *arguments: str) -> str:
    """First line of what a program prints about its version."""
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
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
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
    if timed_out.is_set():
        raise ToolFailed(
            f"{' | '.join(Path(line[0]).name for line in lines)} exceeded its time limit of {seconds:g} s and was "
            f"killed. Allow it more time, or give it less data."
        )


def _kill(running: list[subprocess.Popen]) -> None:
    """Kill the programs and their children, so that nothing continues in the background after a failure."""
    for process in running:
        # also for programs that have ended: their children may still be in the group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _raise_failures(
    running: list[subprocess.Popen],
    lines: list[list[str]],
    last_lines: Iterable[str],
    advice: str,
    cause: OSError | None,
) -> None:
    """Raise an error that names every program that failed; SIGPIPE, when the next program ends early, is no failure."""
    failed = [
        (process.returncode, line)
        for process, line in zip(running, lines, strict=True)
        if process.returncode and process.returncode != -signal.SIGPIPE
    ]
    if not failed:
        return
    endings = " and ".join(f"{Path(line[0]).name} {_ending(status)}" for status, line in failed)
    shown = "\n".join(f"    {line}" for line in last_lines) or "    (none)"
    raise ToolFailed(
        f"{endings}.{' ' if advice else ''}{advice}\n  Its last lines:\n{shown}\n"
        f"  The command: {' | '.join(shlex.join(line) for line in lines)}",
        status=failed[-1][0],
    ) from cause


def _ending(status: int) -> str:
    if status > 0:
        return f"failed (exit status {status})"
    memory = " (perhaps out of memory)" if status == -signal.SIGKILL else ""
    return f"was killed by signal {-status}{memory}"


@contextmanager
def _copy_to_log(log: IO[str]) -> Iterator[tuple[int, deque[str]]]:
    """Yield a file descriptor whose lines are copied to the log as they arrive, and the last lines."""
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
        copying.join(_LOG_TIMEOUT)  # a child that outlives its program may keep the pipe open forever


@contextmanager
def _kill_on_signal(running: list[subprocess.Popen]) -> Iterator[list[int]]:
    """Kill the programs when this process is signalled to stop; yield a list that then holds the signal's number."""
    stopped: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread can handle signals
        return

    # raises no exception: it could come between the start of a program and its entry in `running`
    def stop(number: int, _frame: object) -> None:
        stopped.append(number)
        _kill(running)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _open_output(path: str | Path | None, messages: int):
    return nullcontext(messages) if path is None else Path(path).open("wb")
