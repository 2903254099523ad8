"""CPU of this package's own code beside that of the programs, per pair of reads, of the jobs that see every read.

    python benchmarks/reads_cpu.py READS_1 READS_2 --genome FASTA --transcripts FASTA [--times N]

Trims, aligns and counts one sample whose files are repeated N times (default 10), on one thread. Indices are built
first and not measured. Standard output: a row per job with microseconds of CPU a pair, of this process and of its
children.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from deepmapper.reads.alignment import align_reads, build_hisat2_index, index_prefix  # noqa: E402
from deepmapper.reads.quantification import index_salmon, quantify_sample  # noqa: E402
from deepmapper.reads.samples import Unit  # noqa: E402
from deepmapper.reads.trimming import trim_reads, trimmed_units  # noqa: E402


def cpu(who: int) -> float:
    """Seconds of CPU of this process, or of its children that have ended."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def measure(job: str, n_pairs: int, run: Callable[[], object]) -> None:
    """Run a job and print its row."""
    before = cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN)
    run()
    own, programs = cpu(resource.RUSAGE_SELF) - before[0], cpu(resource.RUSAGE_CHILDREN) - before[1]
    print(f"{job}\t{own / n_pairs * 1e6:.2f}\t{programs / n_pairs * 1e6:.2f}", flush=True)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reads", nargs=2, type=Path)
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--transcripts", type=Path, required=True)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as log:
        work = Path(folder)
        files = [work / f"reads_{i}.fastq.gz" for i in (1, 2)]
        for given, made in zip(options.reads, files, strict=True):
            made.write_bytes(given.read_bytes() * options.times)  # gzip files can be joined
        unit = Unit("lane", *map(str, files))
        build_hisat2_index(options.genome, work / "hisat2", threads=2, log=log)
        index_salmon(options.transcripts, work / "salmon", threads=2, log=log)
        report = work / "report"
        trim_reads([unit], report=report, sample="s", log=log)
        facts = json.loads(next(report.glob("*.json")).read_text())
        n_pairs = facts["summary"]["before_filtering"]["total_reads"] // 2
        print(f"{n_pairs} pairs\njob\tthis package, µs a pair\tprograms, µs a pair")
        trimmed = work / "trimmed"
        measure(
            "trim_reads",
            n_pairs,
            lambda: trim_reads([unit], report=work / "report2", trimmed=trimmed, sample="s", log=log),
        )
        measure(
            "align_reads",
            n_pairs,
            lambda: align_reads(
                trimmed_units(trimmed),
                index=index_prefix(work / "hisat2"),
                folder=work / "captured",
                sample="s",
                bam=work / "s.bam",
                log=log,
            ),
        )
        measure(
            "quantify_sample",
            n_pairs,
            lambda: quantify_sample(
                trimmed_units(trimmed),
                index=work / "salmon",
                folder=work / "counted",
                sample="s",
                captured=work / "captured",
                log=log,
            ),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
