"""Run the commands of a file, one per line, several at a time: `python -I run_parallel.py FILE AT_A_TIME`.

Ends with the first failure: what that command said is printed, the rest is not started, and the exit status is 1.
"""

import subprocess
import sys
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path


def _run(command: str) -> None:
    done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, errors="replace")
    if done.returncode:
        raise RuntimeError(f"{done.stdout}{done.stderr}\nexit status {done.returncode}: {command}")


def main(path: str, at_a_time: str) -> int:
    """Run them all; 0 if all went well."""
    with ThreadPoolExecutor(int(at_a_time)) as pool:
        runs = [pool.submit(_run, line) for line in Path(path).read_text().splitlines() if line.strip()]
        ended, _ = wait(runs, return_when=FIRST_EXCEPTION)
        failures = [error for run in ended if (error := run.exception())]
        pool.shutdown(cancel_futures=bool(failures))
    print(*failures[:1], sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
