"""`deepmapper rank`: from a matrix to a ranking in one call, without a study and without the workflow."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.files import atomic_write, unwritable
from ..errors import DeepMapperWarning, InputError
from .study import say, wrapped

if TYPE_CHECKING:
    from anndata import AnnData

    from ..features.store import Features

_NORMALIZATIONS = ("auto", "none", "log1p_median", "log1p_cp10k", "log1p_cpm")

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


@click.command("rank", short_help="Rank the features of a matrix in one call.")
@click.argument("matrix")
@click.option("--labels", "label", metavar="COLUMN", required=True, help="Column with the states to tell apart.")
@click.option("--group", default="", metavar="COLUMN", help="Column with what must stay together, such as the donor.")
@click.option("--labels-table", metavar="FILE", help="Table with these columns, if the matrix has none.")
@click.option("-o", "--output", default="ranking.csv", show_default=True, help="The ranking, .csv or .tsv.")
@click.option("--passes", "n_passes", type=click.IntRange(1), default=30, show_default=True, help="Passes to train.")
@click.option("--model", default="cnn_small", show_default=True, help="Kind of network.")
@click.option(
    "--epochs", type=click.IntRange(1), default=100, show_default=True, help="Largest number of epochs of a pass."
)
@click.option("--normalization", type=click.Choice(_NORMALIZATIONS), default="auto", show_default=True)
@click.option("--layer", default="", help="Matrix of an h5ad or zarr to read.  [default: the one with counts]")
@click.option("--transpose", is_flag=True, help="The table has features in rows.")
@click.option("--drop-unlabelled", is_flag=True, help="Leave out samples without a label.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the first pass.")
@click.option("--top", type=click.IntRange(0), default=10, show_default=True, help="Features to show.")
def command(matrix: str, label: str, group: str, output: str, top: int, **options: Any) -> None:
    """Rank the features of MATRIX: any file or folder that a study can start from.

    It trains the same passes as the workflow, one after the other in this process, with a line of progress on a
    terminal. Error rates, controls and a report need the workflow (deepmapper run).
    """
    from ..config import BackboneSpec, DeepMapperConfig
    from ..features.inputs import as_groups
    from ..findings.display import accuracy, first_features
    from ..runner import run

    out = Path(output)
    if out.suffix not in _SEPARATORS:
        raise click.UsageError(f"--output {output}: expected a name that ends in {' or '.join(_SEPARATORS)}.")
    if reason := unwritable(out.parent):
        raise InputError(f"{reason}. Choose another --output.")
    config = DeepMapperConfig(
        n_passes=options["n_passes"],
        epochs=options["epochs"],
        min_epochs=10,
        patience=10,
        seed=options["seed"],
        backbone=BackboneSpec(kind=options["model"]),
    )
    config.check()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        features = _prepare(matrix, label, group, options)
    told = _tell(caught, set())
    classes, samples = features.classes, len(features.y)
    say(f"{matrix}: {samples} samples × {len(features.names)} features, {len(classes)} classes of '{label}'")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        groups = as_groups(features.groups, samples)
        labels = [classes[code] for code in features.y]
        findings = run(features.X, labels, config, list(features.names), groups=groups)
    _tell(caught, told)
    table = findings.to_frame()
    with atomic_write(out) as temporary:
        table.to_csv(temporary, sep=_SEPARATORS[out.suffix], index=False)
    say(accuracy(findings))
    rows = first_features(findings, top)
    width = max((len(row[1]) for row in rows), default=0)
    for rank, name, share, importance, where in rows:
        say(f"{rank:>4}. {name:{width}}  {share:>5}  {importance:>7}  {where}".rstrip())
    say(f"All {len(table)} features: {out}")


def _prepare(matrix: str, label: str, group: str, options: dict[str, Any]) -> Features:
    """Read the matrix, and check and normalise it as the workflow does."""
    from ..check.propose import propose, proposed_transpose
    from ..features.prepare import prepare_features
    from ..io.layers import LAYERS_OF_COUNTS
    from ..io.peek import Peek

    if not options["transpose"]:
        columns = [name for name in (label, group) if name]
        options |= {"transpose": proposed_transpose(matrix, options["labels_table"], columns)}
    adata = _read(matrix, options["layer"] or "X", label, group, options)
    if not len(adata.obs.columns):
        raise InputError(f"{matrix} has no column of labels. Give a table with one as --labels-table FILE.")
    of_counts = list(adata.uns.get(LAYERS_OF_COUNTS, ()))
    if not options["layer"] and of_counts:
        adata = _read(matrix, str(of_counts[0]), label, group, options)
        say(f"Reading the counts in {of_counts[0]!r}.")
    proposal = propose(Peek(adata))
    method = options["normalization"]
    if method == "auto":
        method = proposal.normalization
        say(f"Values: {proposal.values}; normalization {method}.")
    return prepare_features(
        adata,
        label_column=label,
        group_column=group,
        missing="drop" if options["drop_unlabelled"] else "refuse",
        normalization=method,
        split_scheme="repeated",
    )


def _read(matrix: str, layer: str, label: str, group: str, options: dict[str, Any]) -> AnnData:
    from ..io.read import read_matrix

    columns = [name for name in (label, group) if name]
    return read_matrix(
        matrix,
        layer=layer,
        labels_table=options["labels_table"],
        transpose=options["transpose"],
        obs_columns=columns,
    )


def _tell(caught: list[warnings.WarningMessage], told: set[str]) -> set[str]:
    """Print what the package warned about and has not been told; return all that has been."""
    texts = [str(warning.message) for warning in caught if issubclass(warning.category, DeepMapperWarning)]
    for text in dict.fromkeys(texts):
        if text not in told:
            say(wrapped(text, "  - ", "    "), err=True)
    return told | set(texts)
