"""Run the commands in a file, one per line, several at a time: `python -I run_parallel.py FILE AT_A_TIME`.

It stops at the first failure: prints the output of that command, starts no others, and exits with status 1.
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
    """Run the commands; return 0 if all succeed, else 1."""
    with ThreadPoolExecutor(int(at_a_time)) as pool:
        runs = [pool.submit(_run, line) for line in Path(path).read_text().splitlines() if line.strip()]
        finished, _ = wait(runs, return_when=FIRST_EXCEPTION)
        failures = [error for run in finished if (error := run.exception())]
        pool.shutdown(cancel_futures=bool(failures))
    print(*failures[:1], sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
