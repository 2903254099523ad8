"""What every script of the workflow does around its work. Standard library only, so that it costs a job nothing."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from .errors import BackboneUnavailable, BioToolUnavailable, InputError, ToolFailed


@contextmanager
def job(snakemake) -> Iterator[None]:
    """Run a rule's work: its threads and no more, its output in its log, one clear message when its input is at fault.

    Must be entered before numpy or torch are imported, which read the number of threads then.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that wait must not take the cores of other jobs
    screen = sys.stderr
    with Path(snakemake.log[0]).open("w", buffering=1) as log, redirect_stdout(log), redirect_stderr(log):
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, category, *_: print(f"{category.__name__}: {message}", file=log)
        try:
            yield
        except (InputError, BackboneUnavailable, BioToolUnavailable, ToolFailed) as error:
            for stream in (log, screen):
                print(f"Error in {snakemake.rule}: {error}", file=stream)
            sys.exit(1)
        except BaseException:
            traceback.print_exc(file=log)
            traceback.print_exc(file=screen)
            sys.exit(1)
