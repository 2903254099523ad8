"""The frame of every rule script: threads, log, messages and exit status. Standard library only."""

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

from ..core.files import disk_full_message, is_disk_full
from ..errors import BackboneUnavailable, BioToolUnavailable, DiskFull, InputError, ToolFailed


@contextmanager
def job(snakemake) -> Iterator[None]:
    """Run a rule's work: its threads and no more, its output in its log, one clear message when its input is at fault.

    Must be entered before numpy or torch are imported, which read the number of threads then.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that wait must not take the cores of other jobs
    screen = sys.stderr
    with _log(snakemake) as log, redirect_stdout(log), redirect_stderr(log):
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, category, *_: print(f"{category.__name__}: {message}", file=log)
        try:
            yield
        except BaseException as error:
            said = _said_of(error, snakemake)
            for stream in (screen, log):
                with suppress(OSError):  # the disk of the log may be the one that is full
                    print(said, file=stream)
            sys.exit(1)


@contextmanager
def _log(snakemake) -> Iterator[TextIO]:
    """Open the log of a rule, line by line; what a full disk kept out of it is no error of its own."""
    log = Path(snakemake.log[0]).open("w", buffering=1)  # noqa: SIM115 (closed below)
    try:
        yield log
    finally:
        with suppress(OSError):
            log.close()


def _said_of(error: BaseException, snakemake) -> str:
    """One clear message where the cause is known, else the whole traceback."""
    places = [Path(snakemake.log[0]).parent, Path(tempfile.gettempdir())]
    if not isinstance(error, DiskFull) and is_disk_full(error, places):
        # what was half-written is deleted by now, and its room free again
        said = disk_full_message(f"running {snakemake.rule}, whose temporary files are deleted now", places)
        cause = f"\n{error}" if isinstance(error, ToolFailed) else ""
        return f"Error in {snakemake.rule}: {said}{cause}"
    if isinstance(error, (InputError, BackboneUnavailable, BioToolUnavailable, ToolFailed, DiskFull)):
        return f"Error in {snakemake.rule}: {error}"
    return "".join(traceback.format_exception(error)).rstrip("\n")
