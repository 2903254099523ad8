"""Environment of every rule script: threads, log, error messages and exit status. Standard library only."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

from ..core.files import disk_full_message, is_disk_full, os_error_message
from ..core.memory import out_of_memory_message
from ..errors import BackboneUnavailable, BioToolUnavailable, DiskFull, InputError, ToolFailed
from .failures import INTERRUPTED, message_start


@contextmanager
def job(snakemake) -> Iterator[None]:
    """Run the body of a rule: limit its threads, send its output to its log, turn known errors into one clear message.

    Must be entered before numpy or torch are imported, since they read the number of threads at import.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # waiting threads must not use the cores of other jobs
    screen = sys.stderr
    with _log(snakemake) as log, redirect_stdout(log), redirect_stderr(log):
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, category, *_: print(f"{category.__name__}: {message}", file=log)
        try:
            yield
        except BaseException as error:
            message = _message(error, snakemake)
            details = "" if message else "".join(traceback.format_exception(error))
            message = message or (
                f"unexpected {type(error).__name__}: {str(error).strip()}\nThis is an error of the workflow or of a "
                f"program that it uses; the log has the details: {snakemake.log[0]}"
            )
            message = f"{message_start(snakemake.rule)}{message}"
            for stream, text in ((screen, message), (log, details + message)):
                with suppress(OSError):  # the log may be on the disk that is full
                    print(text, file=stream)
            sys.exit(1)


@contextmanager
def _log(snakemake) -> Iterator[TextIO]:
    """Open the log of a rule, line-buffered; an error on closing it (a full disk) is ignored."""
    try:
        log = Path(snakemake.log[0]).open("w", buffering=1)  # noqa: SIM115 (closed below)
    except OSError as error:
        sys.exit(f"{message_start(snakemake.rule)}{os_error_message(error) or error}")
    try:
        yield log
    finally:
        with suppress(OSError):
            log.close()


def _message(error: BaseException, snakemake) -> str:
    """One clear message if the cause is known, else empty text."""
    places = [Path(snakemake.log[0]).parent, Path(tempfile.gettempdir())]
    if not isinstance(error, DiskFull) and is_disk_full(error, places):
        # incomplete files have been deleted by now, so the disk may have free space again
        message = disk_full_message(f"running {snakemake.rule}, whose temporary files are deleted now", places)
        cause = f"\n{error}" if isinstance(error, ToolFailed) else ""
        return f"{message}{cause}"
    if isinstance(error, MemoryError):
        return out_of_memory_message(error)
    if isinstance(error, (InputError, BackboneUnavailable, BioToolUnavailable, ToolFailed, DiskFull)):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return os_error_message(error)
