"""`deepmapper predict`: name the cells of files with a model, without a study and without the workflow."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from ..core.words import percent
from ..errors import DeepMapperWarning
from .study import say, wrapped


@click.command("predict", short_help="Name the cells of files with a trained model.")
@click.argument("model")
@click.argument("matrix", nargs=-1, required=True)
@click.option("-o", "--output", default="predicted", show_default=True, help="Folder of the results.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, True, True),
    default=0.05,
    show_default=True,
    help="Error rate of verdicts and label sets.",
)
@click.option("--layer", default="X", show_default=True, help="Matrix of an h5ad or zarr to read.")
@click.option("--given", default="", metavar="COLUMN", help="Column with known labels, for comparison.")
@click.option("--domain", default="", metavar="COLUMN", help="Column with the donor, study or technology.")
@click.option(
    "--embedding", multiple=True, metavar="FOLDER", help="Embedding of a run to place the cells in; can be repeated."
)
@click.option("--allow", multiple=True, metavar="TERM", help="Term to which labels are restricted; can be repeated.")
def command(
    model: str,
    matrix: tuple[str, ...],
    output: str,
    level: float,
    layer: str,
    given: str,
    domain: str,
    embedding: tuple[str, ...],
    allow: tuple[str, ...],
) -> None:
    """Name the cells of one MATRIX or several with MODEL, a folder that `deepmapper run STUDY -- model` made.

    Writes target.tsv, target.json, new_identities.tsv, target_genes.tsv and target.h5ad: labels, verdicts and their
    error rates, and the genes that speak for the labels.
    """
    from ..transfer.predict import predict_file

    columns = [name for name in (given, domain) if name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = predict_file(
                model,
                matrix,
                output,
                layer=layer,
                level=level,
                obs_columns=columns,
                label_column=given,
                domain_column=domain,
                allowed_terms=allow,
                embeddings=embedding,
            )
        finally:  # they may say why cells cannot be named
            for warning in caught:
                if issubclass(warning.category, DeepMapperWarning):
                    say(wrapped(str(warning.message), "Note: ", "  "), err=True)
    say(wrapped(found.summary["statement"]))
    say(wrapped(found.summary["rate"]))
    if (agrees := found.summary["agrees_with_given"]) is not None:
        say(f"Of the cells whose given label is a class of the model, {percent(agrees, 1)} get this label.")
    say(Path(output) / "target.tsv")
