"""`read_matrix`, the entry point for every file format, and the joining of populations."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy import sparse

from ..core.prefixes import files_of_prefix
from ..core.words import did_you_mean, some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble, unique_names
from .feature_names import drop_special_rows, ids_of, warn_of_spreadsheet_names
from .formats import COUNTS, FORMATS, SEPARATORS
from .h5ad import read_anndata
from .layers import LAYERS_OF_COUNTS
from .open import OPENERS, existing_path
from .quantifiers import STRANDEDNESS, read_counts
from .recognise import recognise
from .shared_features import LEFT_OUT, columns_by_name_of
from .tenx import read_10x_h5, read_10x_mtx
from .text import join_labels, read_table
from .unpack import unpacked

if TYPE_CHECKING:
    from anndata import AnnData


def read_matrix(
    path: str | Path | None = None,
    format: str = "auto",
    layer: str = "X",
    labels_table: str | Path | None = None,
    populations: Iterable[tuple[str | Path, str]] = (),
    duplicate_names: str = "refuse",
    transpose: bool = False,
    strandedness: str = "auto",
    empty_cells: str = "refuse",
    obs_columns: Iterable[str] = (),
) -> AnnData:
    """Read a matrix in any supported format and check it.

    Parameters
    ----------
    path
        An ``.h5ad``; a ``.zarr`` folder of AnnData; a 10x ``.h5``; a folder with matrices of single cells (``.mtx``
        with lists of features and barcodes, of one sample or several, in subfolders or with prefixes, of Cell Ranger,
        STARsolo, kb-python or alevin-fry), a ``.mtx``, or the start of the names of the files of a sample; a file or
        folder of featureCounts, HTSeq, STAR, Salmon, kallisto or RSEM; or a ``.csv`` or ``.tsv`` with samples in rows,
        features in columns, and sample names in the first column; columns of text go to ``obs``. Compressed
        or in an archive, too. None if ``populations`` are given. config/README.md lists what is recognised and what is
        taken.
    format
        One of ``FORMATS``; "auto" recognises the format from name and content.
    layer
        Matrix to read from an h5ad or zarr: "X", "raw" (``adata.raw``) or the name of a layer.
    labels_table
        A csv or tsv with a row for each sample; its columns are added to ``obs`` as text. The names of the samples are
        in the first column or another one, or a column has the values of ``obs["sample"]``. Names that are written
        differently are matched where it is one-to-one (`core.match_names`), with a warning; rows are never matched by
        position. Rows for samples that are not in the matrix are ignored, samples without a row have missing values,
        both with a warning.
    populations
        Pairs (path, label) instead of ``path``: joined on their shared features, with the labels in
        ``obs["population"]`` and the samples renamed to ``<name>-<label>``. Names of features that are written
        differently (versions of Ensembl ids, R's dots) are matched where it is one-to-one, or by gene ids, with a
        warning.
    duplicate_names
        What to do with duplicate names of samples, and of features without ids: "refuse", or "make_unique", which
        appends "-1", "-2", ..., and warns. Features that share a name and have ids in a column such as ``gene_ids``
        always become ``<name>_<id>``, with a warning.
    transpose
        Whether the csv or tsv has features in rows and samples in columns.
    strandedness
        Which counts of STAR's ``ReadsPerGene.out.tab`` to read: "unstranded", "forward", "reverse", or "auto", which
        infers it from the totals if they are clear.
    empty_cells
        What empty cells and words such as NA mean in a csv or tsv: "refuse", or "zero" (with a warning).
    obs_columns
        Columns of a csv or tsv (rows, if ``transpose``) that describe the samples even if they hold numbers, such as
        labels: they go to ``obs`` as text.

    Returns
    -------
    AnnData
        ``X`` as CSR float32 with finite values, ``obs``, ``var``, and ``layers["tpm"]`` if the file has it; nothing
        else of the file is kept. ``var["gene_ids"]`` holds the ids of a 10x file, ``obs["sample"]`` the samples of a
        folder of several, and ``uns["layers_of_counts"]`` names the matrices of an h5ad or zarr that hold counts, if
        the one read does not, and ``uns["unscaled_layers"]`` others without values below 0, if the one read has some.
        Rows of totals, such as ``__no_feature``, are left out with a warning.

    Raises
    ------
    InputError
        If the matrix or the table cannot be used; the message says which file, where in it, and what to do.
    """
    populations = list(populations)
    if bool(populations) == bool(path):
        raise InputError("Expected either the path of one matrix or a list of populations (path, label), not both.")
    if format not in FORMATS:
        expected = ", ".join(FORMATS)
        raise InputError(f"format {format!r} is unknown.{did_you_mean(format, FORMATS)} Expected one of {expected}.")
    if strandedness not in STRANDEDNESS:
        raise InputError(f"strandedness is {strandedness!r}, expected one of {', '.join(STRANDEDNESS)}.")
    if populations:
        if format != "auto" or transpose:
            raise InputError(
                f"format is {format!r} and transpose {transpose}; for populations, expected format 'auto' and "
                "transpose False, since the format is recognised from each name."
            )
        adata, source = join_populations(populations, layer, feature_rule(duplicate_names)), "The joined populations"
    else:
        table = {"empty_cells": empty_cells, "obs_columns": tuple(obs_columns)}
        adata, source = _read_one(located(path), format, layer, transpose, strandedness, **table), str(path)
        rule = feature_rule(duplicate_names)
        adata.var_names = unique_names(adata.var_names, "feature", source, rule, ids_of(adata.var))
    warn_of_spreadsheet_names(adata.var_names, source)
    adata.obs_names = unique_names(adata.obs_names, "sample", source, duplicate_names)
    adata.X = sparse.csr_matrix(adata.X)
    if labels_table:
        join_labels(adata, existing_path(labels_table), source)
    return adata


def located(path: str | Path | None) -> Path:
    """Return a path that exists, or that is the start of the names of the files of a 10x matrix."""
    return Path(path) if path and files_of_prefix(path) else existing_path(path)


def feature_rule(duplicate_names: str) -> str:
    """Rule of `unique_names` for features: names with ids in the file are made unique by them, whatever is set."""
    return "by_id" if duplicate_names == "refuse" else duplicate_names


def _read_one(
    path: Path, format: str, layer: str, transpose: bool = False, strandedness: str = "auto", **table: Any
) -> AnnData:
    """Read one matrix of any format, unpacked if it is an archive, without rows of totals.

    `table` has the arguments of `read_table` that are not for other formats.
    """
    with unpacked(path) as content:
        return _read_unpacked(content, format, layer, transpose, strandedness, table)


def _read_unpacked(
    path: Path, format: str, layer: str, transpose: bool, strandedness: str, table: dict[str, Any]
) -> AnnData:
    if format == "auto":
        format = recognise(path)
    if strandedness != "auto" and format != "star":
        raise InputError(
            f"{path}: strandedness is {strandedness!r}, which is only for ReadsPerGene.out.tab of STAR, and this is "
            f"{format}. Leave it out."
        )
    if format in COUNTS and layer == "X":  # features are in rows, which is what transpose says
        adata = read_counts(path, format, strandedness)
    else:
        adata = _read_any(path, format, layer, transpose, table)
    return drop_special_rows(adata, str(path))


def _read_any(path: Path, format: str, layer: str, transpose: bool, table: dict[str, Any]) -> AnnData:
    if format in OPENERS:
        if transpose:
            raise InputError(
                f"{path}: transpose is only for csv and tsv tables, found {format}. Set transpose to false."
            )
        return read_anndata(path, format, layer)
    if layer != "X":
        raise InputError(
            f"{path}: layer is {layer!r}, but only h5ad and zarr have layers, and this is {format}. Set layer to 'X'."
        )
    if format in SEPARATORS:
        return read_table(path, format, transpose, **table)
    if transpose:
        raise InputError(
            f"{path}: transpose is only for csv and tsv tables, found {format}, which is transposed as needed. Set "
            f"transpose to false."
        )
    return read_10x_mtx(path) if format == "10x_mtx" else read_10x_h5(path)


def join_populations(specs: Iterable[tuple[str | Path, str]], layer: str, duplicate_names: str) -> AnnData:
    """Read one matrix per population and stack them on their shared features, in the order of the first."""
    import pandas as pd

    parts = []
    unique: dict[tuple, list[str]] = {}
    for spec in specs:
        if not isinstance(spec, tuple | list) or len(spec) != 2 or not str(spec[1]).strip():
            raise InputError(f"populations: found {spec!r}, expected pairs (path, label).")
        path, label = located(spec[0]), str(spec[1])
        part = _read_one(path, "auto", layer)
        ids = ids_of(part.var)
        given = (tuple(part.var_names), None if ids is None else tuple(ids))
        if given not in unique:  # so that populations of one reference give one warning
            unique[given] = unique_names(part.var_names, "feature", path, duplicate_names, ids)
        part.var_names = unique[given]
        if "population" in part.obs:
            raise InputError(f"{path}: obs already has a column 'population', which the labels need. Rename it.")
        part.obs["population"] = label
        part.obs_names = [f"{name}-{label}" for name in part.obs_names]
        parts.append((path, part))
    if not parts:
        raise InputError("populations: found none, expected a list of pairs (path, label).")

    first = parts[0][1]
    columns = [columns_by_name_of(first.var, part.var, path) for path, part in parts]
    shared = [name for name in first.var_names if all(name in column for column in columns)]
    if not shared:
        shown = "; ".join(f"{path}: {some(part.var_names)}" for path, part in parts[:2])
        raise InputError(
            f"The {len(parts)} populations share no feature ({shown}). Check that they use the same reference and the "
            "same kind of names."
        )
    n_all, note = len(set().union(*columns)), ""
    if n_all > len(shared):
        note = f"{n_all - len(shared):,} of {n_all:,} features are left out, since not all populations have them."
        warnings.warn(note, DeepMapperWarning, stacklevel=3)
    X = sparse.vstack(
        [
            sparse.csr_matrix(part.X)[:, [column[name] for name in shared]]
            for (_, part), column in zip(parts, columns, strict=True)
        ],
        format="csr",
    )
    obs = pd.concat([part.obs for _, part in parts])
    joined = assemble(X, obs, first.var.loc[shared], "The joined populations")
    of_counts = [list(part.uns.get(LAYERS_OF_COUNTS, ())) for _, part in parts]
    if common := [name for name in of_counts[0] if all(name in names for names in of_counts)]:
        joined.uns[LAYERS_OF_COUNTS] = common
    if note:
        joined.uns[LEFT_OUT] = note
    return joined
