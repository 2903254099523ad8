"""Cell Ranger output: .mtx folders and .h5 files."""

from __future__ import annotations

import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ..core.words import some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble, texts
from .open import is_10x, lines, opened_h5

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def read_10x_mtx(path: Path) -> AnnData:
    """Read a Cell Ranger (or STARsolo) folder; the matrix may lie deeper, its files may share a prefix."""
    import pandas as pd
    import scipy.io

    if not path.is_dir():
        raise InputError(f"{path}: a 10x folder is expected, this is a file.")
    found = sorted(file for pattern in ("*matrix.mtx", "*matrix.mtx.gz") for file in path.rglob(pattern))
    if not found:
        raise InputError(f"{path}: neither this folder nor one below it holds a matrix.mtx or matrix.mtx.gz.")
    if len(found) > 1:
        raise InputError(
            f"{path}: {len(found)} matrices lie here ({some(file.relative_to(path) for file in found)}); "
            "give the folder of the one to read."
        )
    prefix = found[0].name.split("matrix.mtx")[0]
    features = _beside(found[0], prefix, ("features.tsv", "genes.tsv"))
    barcodes = _beside(found[0], prefix, ("barcodes.tsv",))
    rows = [line.split("\t") for line in lines(features)]
    cells = [line.split("\t")[0] for line in lines(barcodes)]
    try:
        X = sparse.csr_matrix(scipy.io.mmread(found[0])).T
    except (OSError, EOFError, ValueError, zlib.error, OverflowError) as error:
        raise InputError(f"{found[0]}: the matrix is damaged or incomplete ({error}). Copy it again.") from error
    if X.shape != (len(cells), len(rows)):
        raise InputError(
            f"{found[0]}: the matrix is for {X.shape[1]} features and {X.shape[0]} cells, but {features.name} has "
            f"{len(rows)} lines and {barcodes.name} has {len(cells)}. The files are not of one run, or incomplete."
        )
    var = pd.DataFrame({"gene_ids": [row[0] for row in rows]}, index=[row[min(1, len(row) - 1)] for row in rows])
    if all(len(row) > 2 for row in rows):
        var["feature_types"] = [row[2] for row in rows]
    return assemble(*_gene_expression(X, pd.DataFrame(index=cells), var, path), str(path))


def _beside(matrix: Path, prefix: str, stems: Sequence[str]) -> Path:
    """Find the file of a 10x folder that goes with the matrix."""
    candidates = [matrix.with_name(f"{prefix}{stem}{ending}") for stem in stems for ending in ("", ".gz")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputError(f"{matrix.parent}: beside {matrix.name}, one of {some(c.name for c in candidates)} is expected.")


def read_10x_h5(path: Path) -> AnnData:
    """Read a Cell Ranger ``.h5`` (feature-barcode matrix of version 3 on, or one genome of the older layout)."""
    import pandas as pd

    with opened_h5(path) as file:
        if not is_10x(file):
            hint = " It looks like an AnnData file: set format to h5ad." if {"obs", "var"} <= set(file) else ""
            raise InputError(f"{path} is no 10x matrix: it holds {some(file)}.{hint}")
        if "matrix" in file:
            group, features = file["matrix"], file["matrix/features"]
            ids, symbols = texts(features["id"][:]), texts(features["name"][:])
        elif len(file) == 1:
            group = file[next(iter(file))]
            features, ids, symbols = {}, texts(group["genes"][:]), texts(group["gene_names"][:])
        else:
            raise InputError(f"{path} holds the genomes {some(file)}; write the one to analyse to a file of its own.")
        n_features, n_cells = group["shape"][:]
        # Columns are cells: what 10x stores as CSC of features x cells is CSR of cells x features.
        stored = (group["data"][:], group["indices"][:], group["indptr"][:])
        X = sparse.csr_matrix(stored, shape=(n_cells, n_features))
        obs = pd.DataFrame(index=texts(group["barcodes"][:]))
        var = pd.DataFrame({"gene_ids": ids}, index=symbols)
        if "feature_type" in features:
            var["feature_types"] = texts(features["feature_type"][:])
    return assemble(*_gene_expression(X, obs, var, path), str(path))


def _gene_expression(
    X: sparse.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame, path: Path
) -> tuple[sparse.csr_matrix, pd.DataFrame, pd.DataFrame]:
    """Leave out antibodies, guides and the like, where they stand beside gene expression."""
    counts = Counter(var.get("feature_types", ()))
    if len(counts) < 2 or "Gene Expression" not in counts:
        return X, obs, var
    others = ", ".join(f"{n} {kind}" for kind, n in counts.items() if kind != "Gene Expression")
    warnings.warn(
        f"{path}: only the {counts['Gene Expression']} features of type Gene Expression are used; left out: {others}.",
        DeepMapperWarning,
        stacklevel=3,
    )
    kept = np.flatnonzero(var["feature_types"] == "Gene Expression")
    return X[:, kept], obs, var.iloc[kept]
