"""What every rule asked for and what it took, from the benchmark files of a run.

    python benchmarks/resources.py results

One line a rule: its jobs, the most memory and time that one of them took, what was asked for at the first attempt, and
the share of it. The size of the input is that of Snakemake's benchmark file, or of the folders in it. Rules over 80 %
of what they asked for are marked: give them more with ``--set-resources RULE:mem_mb=...``, or in the configuration
where `resources` has an option for it. Short jobs are measured twice a second, so their memory may be missed (0).
"""

from __future__ import annotations

import argparse
import ast
import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

NEAR = 0.8


@dataclass(frozen=True)
class Job:
    """One line of a benchmark file: MB and minutes taken, and asked for (None where the file does not say)."""

    memory: float
    minutes: float
    asked_memory: float | None
    asked_minutes: float | None
    input_mb: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of results")
    results = parser.parse_args().results
    rules = read(results)
    if not rules:
        raise SystemExit(f"{results}/benchmarks holds no benchmark file: expected the results of a run")
    print("| rule | jobs | input, MB | MB taken | asked | share | minutes taken | asked | share |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, jobs in sorted(rules.items()):
        memory, minutes = max(job.memory for job in jobs), max(job.minutes for job in jobs)
        asked = (least(job.asked_memory for job in jobs), least(job.asked_minutes for job in jobs))
        print(
            f"| `{name}` | {len(jobs)} | {max(job.input_mb for job in jobs):.1f} | {memory:.0f} | {amount(asked[0])} | "
            f"{share(memory, asked[0])} | {minutes:.2f} | {amount(asked[1])} | {share(minutes, asked[1])} |"
        )


def read(results: Path) -> dict[str, list[Job]]:
    """Jobs by rule; where Snakemake did not write the rule's name, by the file's place."""
    rules: dict[str, list[Job]] = defaultdict(list)
    folder = results / "benchmarks"
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                name = row.get("rule_name") or "/".join(path.relative_to(folder).parts[:-1]) or path.stem
                rules[name].append(job_of(row))
    return rules


def job_of(row: dict[str, str]) -> Job:
    """Read one line; Snakemake writes NA for what it could not measure."""
    asked = ast.literal_eval(row["resources"]) if row.get("resources") else {}
    inputs = ast.literal_eval(row["input_size_mb"]) if row.get("input_size_mb") else {}
    return Job(
        memory=number(row["max_rss"]),
        minutes=number(row["s"]) / 60,
        asked_memory=asked.get("mem_mb"),
        asked_minutes=asked.get("runtime"),
        input_mb=sum(folder_mb(path) or mb for path, mb in inputs.items()),
    )


def folder_mb(path: str) -> float:
    """Size of a folder with all that is in it, MB; 0 of a file, or where it is gone."""
    return sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file()) / 1e6


def number(text: str) -> float:
    return 0.0 if text in ("", "NA", "-") else float(text)


def least(values) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if known else None


def amount(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def share(taken: float, asked: float | None) -> str:
    if not asked:
        return ""
    return f"{taken / asked:.0%}{' !' if taken > NEAR * asked else ''}"


if __name__ == "__main__":
    main()
