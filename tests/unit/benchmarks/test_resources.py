"""The table of what rules asked for and took, from benchmark files as Snakemake writes them."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks/resources.py"
HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
EXTENDED = "\tjobid\trule_name\twildcards\tparams\tthreads\tcpu_usage\tresources\tinput_size_mb"


def write(path: Path, memory: str, seconds: float, more: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    line = f"{seconds}\t0:00:01\t{memory}\t1\t1\t1\t0\t0\t99\t1"
    path.write_text(f"{HEAD}{EXTENDED if more else ''}\n{line}{more}\n")


def test_largest_job_of_a_rule_beside_what_was_asked_for(tmp_path):
    features = tmp_path / "results/features"
    features.mkdir(parents=True)
    (features / "matrix.npy").write_bytes(b"x" * 3_000_000)
    more = (
        "\t3\ttrain_pass\t{{}}\t{{'a': \"b's\"}}\t1\t9.0\t{{'mem_mb': {0}, 'runtime': 60}}\t{{'results/features': 0.0}}"
    )
    folder = tmp_path / "results/benchmarks"
    write(folder / "passes/linear/0.tsv", "900.0", 60, more.format(2000))
    write(folder / "passes/linear/1.tsv", "1700.0", 120, more.format(4000))  # at the second attempt
    write(folder / "import_matrix.tsv", "NA", 0.3)  # not extended, too short to be measured
    done = subprocess.run([sys.executable, SCRIPT, "results"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[2:] == [
        "| `import_matrix` | 1 | 0.0 | 0 |  |  | 0.01 |  |  |",
        "| `train_pass` | 2 | 3.0 | 1700 | 2000 | 85% ! | 2.00 | 60 | 3% |",
    ]
