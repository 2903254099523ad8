"""Cell Ranger output: folders with matrix.mtx, and .h5 files."""

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
from .assemble import assemble
from .feature_names import texts
from .open import is_10x, open_h5, read_lines

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def read_10x_mtx(path: Path) -> AnnData:
    """Read a Cell Ranger (or STARsolo) folder; files may be in a subfolder and share a prefix."""
    import pandas as pd
    import scipy.io

    if not path.is_dir():
        raise InputError(f"{path} is a file, expected a 10x folder.")
    found = sorted(file for pattern in ("*matrix.mtx", "*matrix.mtx.gz") for file in path.rglob(pattern))
    if not found:
        raise InputError(
            f"{path}: found no matrix.mtx or matrix.mtx.gz in this folder or its subfolders. Give the folder of a 10x "
            "matrix."
        )
    if len(found) > 1:
        raise InputError(
            f"{path}: found {len(found)} matrices ({some(file.relative_to(path) for file in found)}), expected one. "
            "Give the folder of the one to read."
        )
    prefix = found[0].name.split("matrix.mtx")[0]
    features = _companion(found[0], prefix, ("features.tsv", "genes.tsv"))
    barcodes = _companion(found[0], prefix, ("barcodes.tsv",))
    rows = [line.split("\t") for line in read_lines(features)]
    cells = [line.split("\t")[0] for line in read_lines(barcodes)]
    try:
        X = sparse.csr_matrix(scipy.io.mmread(found[0])).T
    except (OSError, EOFError, ValueError, zlib.error, OverflowError) as error:
        raise InputError(f"{found[0]}: the matrix is damaged or incomplete ({error}). Copy it again.") from error
    if X.shape != (len(cells), len(rows)):
        raise InputError(
            f"{found[0]}: the matrix has {X.shape[1]} features and {X.shape[0]} cells, but {features.name} has "
            f"{len(rows)} lines and {barcodes.name} has {len(cells)}. The files are incomplete or from different "
            "runs: copy all three again."
        )
    var = pd.DataFrame({"gene_ids": [row[0] for row in rows]}, index=[row[min(1, len(row) - 1)] for row in rows])
    if all(len(row) > 2 for row in rows):
        var["feature_types"] = [row[2] for row in rows]
    return assemble(*_gene_expression(X, pd.DataFrame(index=cells), var, path), str(path))


def _companion(matrix: Path, prefix: str, stems: Sequence[str]) -> Path:
    """Find the features or barcodes that belong to a matrix."""
    candidates = [matrix.with_name(f"{prefix}{stem}{ending}") for stem in stems for ending in ("", ".gz")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    expected = ", ".join(repr(candidate.name) for candidate in candidates)
    raise InputError(f"{matrix.parent}: found {matrix.name}, but none of {expected}. Copy the missing file there.")


def read_10x_h5(path: Path) -> AnnData:
    """Read a Cell Ranger ``.h5``: a feature-barcode matrix of version 3 or later, or the older layout of one genome."""
    import pandas as pd

    with open_h5(path) as file:
        if not is_10x(file):
            hint = " It looks like an AnnData file: set format to h5ad." if {"obs", "var"} <= set(file) else ""
            raise InputError(f"{path} is not a 10x matrix: it holds {some(file)}, expected a group 'matrix'.{hint}")
        if "matrix" in file:
            group, features = file["matrix"], file["matrix/features"]
            ids, symbols = texts(features["id"][:]), texts(features["name"][:])
        elif len(file) == 1:
            group = file[next(iter(file))]
            features, ids, symbols = {}, texts(group["genes"][:]), texts(group["gene_names"][:])
        else:
            raise InputError(
                f"{path}: found the genomes {some(file)}, expected one. Write the one to analyse to a separate file."
            )
        n_features, n_cells = group["shape"][:]
        # 10x stores CSC of features x cells, which is CSR of cells x features.
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
    """If there is gene expression, drop other features such as antibodies and guides, with a warning."""
    counts = Counter(var.get("feature_types", ()))
    if len(counts) < 2 or "Gene Expression" not in counts:
        return X, obs, var
    others = ", ".join(f"{n} {kind}" for kind, n in counts.items() if kind != "Gene Expression")
    warnings.warn(
        f"{path}: using the {counts['Gene Expression']} features of type Gene Expression; left out: {others}.",
        DeepMapperWarning,
        stacklevel=3,
    )
    kept = np.flatnonzero(var["feature_types"] == "Gene Expression")
    return X[:, kept], obs, var.iloc[kept]
