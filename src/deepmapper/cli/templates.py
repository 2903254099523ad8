"""The files that `deepmapper init` writes: only the keys that matter, with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.words import yaml_text

_PLAIN_PATH = re.compile(r"[\w./-]*[\w/]")


@dataclass(frozen=True)
class Answers:
    """What the person said, and what was found.

    Attributes
    ----------
    matrix
        Path of the matrix; "" for a study that starts from reads.
    labels_table
        Path of a table of labels, or "".
    label, group
        Columns, or "".
    layer, normalization, transpose
        Settings of the matrix.
    reference
        Paths of genome, transcripts and annotation.
    n_passes
        Passes of each model.
    label_candidates, group_candidates
        Names of columns, for comments.
    """

    matrix: str = ""
    labels_table: str = ""
    label: str = ""
    group: str = ""
    layer: str = "X"
    normalization: str = "log1p_median"
    transpose: bool = False
    reference: Mapping[str, str] = field(default_factory=dict)
    n_passes: int = 30
    label_candidates: str = ""
    group_candidates: str = ""


def config_text(answers: Answers) -> str:
    """Write the configuration."""
    sections = [
        "# What to analyse, and how. Options that are left out take their defaults (config/README.md of\n"
        "# the repository has them all); unknown ones are errors. Paths are relative to the folder of the study.",
        _input(answers),
        _labels(answers),
        _normalization(answers),
        f"# One pass per seed, and per model. More passes later run only what is missing.\npasses:\n"
        f"  n_passes: {answers.n_passes}\n  seed: 0",
        "# The models, side by side. Each may override any option of `training`.\n"
        "models:\n  cnn_small:\n    kind: cnn_small",
    ]
    return "\n\n".join(sections) + "\n"


def _input(answers: Answers) -> str:
    if answers.matrix:
        lines = ["# The matrix.", "matrix:", f"  path: {_path(answers.matrix)}"]
        if answers.layer != "X":
            lines.append(f"  layer: {yaml_text(answers.layer)}  # instead of X")
        if answers.transpose:
            lines.append("  transpose: true  # features in rows")
        return "\n".join(lines)
    lines = ["# The samples, one row each, with their reads.", "sample_sheet: config/samples.tsv", ""]
    lines += ["# The reference. Without a genome, reads are aligned to the transcripts.", "reference:"]
    lines += [f"  {key}: {_path(answers.reference.get(key, ''))}" for key in ("genome", "transcripts", "annotation")]
    return "\n".join(lines)


def _labels(answers: Answers) -> str:
    lines = [
        "# The states to tell apart. Samples of one `group` are never divided between training and test.",
        "labels:",
    ]
    hint = f"  # one of: {answers.label_candidates}" if answers.label_candidates and not answers.label else ""
    lines.append(f"  column: {_text(answers.label)}{hint}")
    if answers.labels_table:
        lines.append(f"  table: {_path(answers.labels_table)}")
    if answers.group:
        lines.append(f"  group: {_text(answers.group)}")
    else:
        hint = f", perhaps {answers.group_candidates}" if answers.group_candidates else ""
        lines.append(f"  # group: donor  # a column with donors, patients or animals, if there is one{hint}")
    return "\n".join(lines)


def _normalization(answers: Answers) -> str:
    why = {
        "none": "Logarithms or other normalised values are used as they are; counts need log1p_median.",
        "log1p_median": "Counts are scaled to the median total, then log1p; `none` for values that are normalised.",
        "log1p_tpm": "log1p of transcripts per million.",
    }[answers.normalization]
    return f"# {why}\nfeatures:\n  normalization: {answers.normalization}"


def sheet_text(answers: Answers) -> str:
    """Write a sample sheet to fill in, with two rows as an example."""
    columns = ["sample", answers.label, *([answers.group] if answers.group else []), "fq1", "fq2"]
    lines = [
        "# One row per sample (several for lanes, with a column `unit`). Leave fq2 empty for single-end reads. More",
        "# columns that describe the samples may follow. Lines that start with # are skipped: these two are examples.",
        "\t".join(columns),
    ]
    for name, label in (("ctrl_1", "ctrl"), ("stim_1", "stim")):
        cells = [f"# {name}", label, *(["d1"] if answers.group else []), f"fastq/{name}_R1.fastq.gz"]
        lines.append("\t".join([*cells, f"fastq/{name}_R2.fastq.gz"]))
    return "\n".join(lines) + "\n"


def _text(name: str) -> str:
    return yaml_text(name) if name else '""'


def _path(path: str) -> str:
    """Write a path as YAML."""
    return path if _PLAIN_PATH.fullmatch(path) else json.dumps(path, ensure_ascii=False)
