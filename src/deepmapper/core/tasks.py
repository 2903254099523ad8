"""One job in several processes: tasks of Slurm, on one machine or several, or processes of this machine.

`run_in_tasks` starts them for a function that finds the other processes itself (`models.distributed.join`). Each runs
the module of the function as a program, which ends with `as_task`. Standard library only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError, ToolFailed

_ARGUMENTS = "arguments.json"


def run_in_tasks(function: Callable[..., None], arguments: Mapping[str, Any], n_tasks: int, folder: str | Path) -> None:
    """Call a function in several processes at once, with the same arguments, and wait for all of them.

    Parameters
    ----------
    function
        What the module of this function passes to `as_task`. It must do nothing that two processes cannot do at a
        time, such as writing a file.
    arguments
        Its arguments, which JSON can hold.
    n_tasks
        Number of processes; 1 for a call in this process.
    folder
        Folder that all machines of the job see; a temporary one is made in it.

    Raises
    ------
    InputError
        With the message of a process that refused its input.
    ToolFailed
        If a process failed in another way.
    """
    if n_tasks == 1:
        function(**arguments)
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="tasks") as shared:
        (Path(shared) / _ARGUMENTS).write_text(json.dumps(dict(arguments)))
        command = [*launcher(n_tasks, os.environ), function.__module__, shared]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, stdout=sys.stdout, stderr=subprocess.STDOUT, check=False)
        refused = sorted(Path(shared).glob("refused*"))
        if refused:
            raise InputError(refused[0].read_text())
        if done.returncode:
            raise ToolFailed(
                f"One of {n_tasks} processes failed ({Path(command[0]).name}: exit status {done.returncode}); what it "
                "said is in the log of the job.",
                done.returncode,
            )


def launcher(n_tasks: int, environment: Mapping[str, str]) -> list[str]:
    """Return a command that starts a Python module several times.

    Slurm starts the tasks if this is a job of so many, over all its machines; otherwise they run on this machine.
    """
    if int(environment.get("SLURM_NTASKS", "0")) == n_tasks:
        # every task sees all GPUs of its node, and takes the one of its number
        return ["srun", f"--ntasks={n_tasks}", "--kill-on-bad-exit=1", "--gpu-bind=none", sys.executable, "-m"]
    local = ["--standalone", f"--nproc-per-node={n_tasks}", "--module"]
    return [sys.executable, "-m", "torch.distributed.run", *local]


def as_task(function: Callable[..., None]) -> None:
    """Call a function as one of the processes that `run_in_tasks` has started."""
    shared = Path(sys.argv[1])
    try:
        function(**json.loads((shared / _ARGUMENTS).read_text()))
    except InputError as error:
        rank = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))
        (shared / f"refused{rank}").write_text(str(error))
        sys.exit(1)
