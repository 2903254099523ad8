"""`deepmapper init`: a folder for a study with a short configuration, from a few flags or questions."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import did_you_mean, listed
from ..errors import DeepMapperWarning, InputError
from .study import CONFIG, FAULTY, command_line, is_terminal, say, wrapped
from .templates import Answers, config_text, sheet_text

if TYPE_CHECKING:
    from ..check.propose import Column, Proposal
    from ..io.peek import Peek

SHEET = "config/samples.tsv"

_MOST_SHOWN = 15  # columns


@click.command("init", short_help="Make the folder of a study, with its configuration.")
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--matrix", help="Start from a matrix: .h5ad, .zarr, 10x folder or .h5, .csv, .tsv, folder of counts.")
@click.option("--reads", is_flag=True, help="Start from raw reads: writes a sample sheet to fill in.")
@click.option("--labels", "label", metavar="COLUMN", help="Column with the states to tell apart.")
@click.option("--group", metavar="COLUMN", help="Column with what must stay together, such as the donor.")
@click.option("--labels-table", metavar="FILE", help="Table of labels, if the matrix has none: a row per sample.")
@click.option("--layer", help="Matrix of an h5ad or zarr to read.  [default: the one with counts]")
@click.option("--transpose", is_flag=True, help="The table has features in rows.")
@click.option("--genome", metavar="FILE", help="From reads: FASTA of the genome.")
@click.option("--transcripts", metavar="FILE", help="From reads: FASTA of the transcripts.")
@click.option("--annotation", metavar="FILE", help="From reads: GTF or GFF3.")
@click.option("--passes", "n_passes", type=click.IntRange(1), default=30, show_default=True, help="Passes per model.")
def command(study: Path, matrix: str | None, reads: bool, **options) -> None:
    """Make the folder STUDY with a short configuration, which `deepmapper check` and `run` read.

    It looks into the matrix for columns that may be labels, and whether its values are counts. On a terminal it asks
    for what is missing; elsewhere this is left empty, with a comment on what was found. Nothing is overwritten.
    """
    _refuse_existing(study)
    if matrix and reads:
        raise click.UsageError("--matrix and --reads are both given: a study starts from one of them.")
    if not matrix and not reads:
        if not is_terminal():
            raise click.UsageError("Say what the study starts from: --matrix FILE, or --reads.")
        matrix = click.prompt(
            "Matrix (.h5ad, 10x folder, .csv, ...; empty to start from reads)", "", show_default=False
        )
    if matrix:
        _from_matrix(study, matrix, **options)
    else:
        _from_reads(study, **options)


def _refuse_existing(study: Path) -> None:
    if study.exists() and not study.is_dir():
        raise click.UsageError(f"{study} is a file, expected the name of a folder.")
    for name in (CONFIG, SHEET):
        if (study / name).exists():
            raise click.UsageError(f"{study / name} exists already. Choose another folder, or edit this file.")


def _from_matrix(
    study: Path,
    matrix: str,
    label: str | None,
    group: str | None,
    labels_table: str | None,
    layer: str | None,
    transpose: bool,
    n_passes: int,
    **_: str | None,
) -> None:
    from ..check.propose import look, proposed_transpose
    from ..io.peek import Peek

    columns = [name for name in (label, group) if name]
    found, proposal, fault = Peek(None), None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        transpose = transpose or proposed_transpose(matrix, labels_table, columns)
        try:
            found, proposal = look(
                matrix, layer or "", labels_table=labels_table, transpose=transpose, obs_columns=columns
            )
        except InputError as error:
            if not all(Path(path).expanduser().exists() for path in (matrix, labels_table) if path):
                raise  # most likely a slip on the command line
            fault = str(error)
    told = [str(warning.message) for warning in caught if issubclass(warning.category, DeepMapperWarning)]
    for text in dict.fromkeys(told):
        say(wrapped(text, "  - ", "    "))
    if found.left:
        say(wrapped(f"Not looked at: {found.left}."))
    if proposal:
        _check_columns({"--labels": label, "--group": group}, found)
        say(f"{matrix}: {proposal.n_samples} samples × {proposal.n_features} features; {proposal.values}.")
        label = label or _ask("Column with the states to tell apart", proposal.labels)
        others = [column for column in proposal.groups if column.name != label]
        group = group if group is not None else _ask("Column with the donors, if there is one", others, optional=True)
    answers = Answers(
        matrix=_place(matrix, study),
        labels_table=_place(labels_table, study) if labels_table else "",
        label=label or "",
        group=group or "",
        layer=layer or (proposal.layer if proposal else "X"),
        normalization=proposal.normalization if proposal else "log1p_median",
        transpose=transpose,
        n_passes=n_passes,
        label_candidates=_names(proposal.labels if proposal else ()),
        group_candidates=_names(proposal.groups if proposal else ()),
    )
    _write(study, {CONFIG: config_text(answers)})
    if fault:
        say(wrapped(fault, "Fault: ", "  "))
        say(f"Wrote {study / CONFIG}. Mend the fault in this file or in the data. Then: {command_line('check', study)}")
        raise SystemExit(FAULTY)
    _say_next(study, answers.label == "" and proposal is not None and _listed(proposal))


def _check_columns(given: dict[str, str | None], found: Peek) -> None:
    """Refuse names of columns that the samples do not have, with the nearest that they have."""
    known = list(map(str, found.data.obs.columns))
    for option, name in given.items():
        if name and name not in known and found.has_all_samples:
            there = f"only {listed(known, _MOST_SHOWN)}" if known else "nor any other: give a table with --labels-table"
            raise click.UsageError(
                f"{option} {name}: the samples have no such column, {there}.{did_you_mean(name, known)}"
            )


def _from_reads(
    study: Path,
    label: str | None,
    group: str | None,
    genome: str | None,
    transcripts: str | None,
    annotation: str | None,
    n_passes: int,
    **_: str | bool | None,
) -> None:
    asks = is_terminal()
    label = label or (click.prompt("Column with the states to tell apart", "condition") if asks else "condition")
    reference = {"genome": genome, "transcripts": transcripts, "annotation": annotation}
    if asks and not any(reference.values()):
        titles = {
            "genome": "FASTA of the genome",
            "transcripts": "FASTA of the transcripts",
            "annotation": "GTF or GFF3",
        }
        reference = {
            key: click.prompt(f"{title} (empty: none)", "", show_default=False) for key, title in titles.items()
        }
    answers = Answers(
        label=label,
        group=group or "",
        normalization="log1p_tpm",
        reference={key: _place(path, study) if path else "" for key, path in reference.items()},
        n_passes=n_passes,
    )
    _write(study, {CONFIG: config_text(answers), SHEET: sheet_text(answers)})
    say(f"Fill in {study / SHEET}: one row per sample.")
    _say_next(study, "")


def _place(path: str, study: Path) -> str:
    """Path as the configuration needs it: relative to the study if it is in there, else absolute."""
    place, folder = Path(path).expanduser().absolute(), study.absolute()
    return str(place.relative_to(folder)) if place.is_relative_to(folder) else os.path.normpath(place)


def _ask(question: str, columns: tuple[Column, ...] | list[Column], optional: bool = False) -> str:
    """Ask for one of the columns on a terminal; "" elsewhere."""
    if not columns or not is_terminal():
        return ""
    say()
    for column in columns[:_MOST_SHOWN]:
        say(f"  {column.name:24} {column.n_classes:>3} classes: {column.examples}")
    default = "" if optional else columns[0].name
    return click.prompt(f"{question}{' (empty: none)' if optional else ''}", default, show_default=not optional).strip()


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(column.name for column in columns[:_MOST_SHOWN])


def _listed(proposal: Proposal) -> str:
    """What may be the column of labels, for a person who has not said it."""
    if not proposal.labels:
        return "No column looks like labels: give a table of them with --labels-table, or labels.column in the file."
    rows = [f"  {column.name:24} {column.n_classes:>3} classes: {column.examples}" for column in proposal.labels]
    return "\n".join(["Set labels.column to the states to tell apart. These columns may be:", *rows[:_MOST_SHOWN]])


def _write(study: Path, files: dict[str, str]) -> None:
    from ..core.files import atomic_write

    for name, text in files.items():
        with atomic_write(study / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _say_next(study: Path, missing: str | bool) -> None:
    say(f"Wrote {study / CONFIG}.")
    if missing:
        say(missing)
    say(f"Next: {command_line('check', study)}, then {command_line('run', study)}")
