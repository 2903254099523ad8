"""Matrices of single cells: folders of Cell Ranger and other programs with .mtx files, and .h5 files of 10x."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..core.words import some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble, column_index, unique_names, whole_numbers
from .feature_names import ids_of, texts
from .guards import check_memory
from .market import (
    barcode_column,
    check_declared,
    feature_table,
    oriented,
    read_market,
    read_rows,
    spliced_and_ambiguous,
    without_quotes,
)
from .mtx_files import MTX, MtxFiles, find_mtx
from .open import is_10x, open_h5
from .text_ends import first_bytes

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def read_10x_mtx(path: Path) -> AnnData:
    """Read the matrices of Cell Ranger, STARsolo, kb-python or alevin-fry in a folder and its subfolders.

    Parameters
    ----------
    path
        A folder, a ``.mtx``, or the start of the names of the files of a sample, such as ``GSE1/GSM2_``.

    Returns
    -------
    AnnData
        The cells of all samples on the features that all have. With several samples ``obs["sample"]`` names them, and
        cells are named ``<barcode>-<sample>``.

    Raises
    ------
    InputError
        If there is no matrix, one is damaged, or its lists of names do not fit it.
    """
    if path.is_file() and not MTX.search(path.name) and first_bytes(path, 14) != b"%%MatrixMarket":
        raise InputError(f"{path} is a file, expected a 10x folder.")
    found = find_mtx(path)
    parts = [_read_mtx(files) if files.features and files.barcodes else read_10x_h5(files.matrix) for files in found]
    return parts[0] if len(parts) == 1 else _stack([files.sample for files in found], parts, str(path))


def _read_mtx(files: MtxFiles) -> AnnData:
    """Read one matrix with its features and barcodes."""
    import pandas as pd

    assert files.features and files.barcodes
    source = str(files.matrix.parent) if files.matrix.name.startswith("matrix.mtx") else str(files.matrix)
    features, barcodes = read_rows(files.features), read_rows(files.barcodes)
    check_declared(files, features, barcodes)
    X = read_market(files.matrix)
    X, features, barcodes = oriented(X, features, barcodes, files)
    var = feature_table(features, files.features)
    obs = pd.DataFrame(index=barcode_column(barcodes))
    X, var = spliced_and_ambiguous(X, var, source)
    return assemble(*_gene_expression(X, obs, var, source), source)


def _stack(names: list[str], parts: list[AnnData], source: str) -> AnnData:
    """Stack the matrices of several samples on the features that all have."""
    import pandas as pd

    features = [_joining_names(part, source) for part in parts]
    shared = features[0]
    if any(other != shared for other in features[1:]):
        others = [set(other) for other in features[1:]]
        shared = [name for name in features[0] if all(name in other for other in others)]
        n_all = len(set(features[0]).union(*others))
        if not shared:
            raise InputError(
                f"{source}: the {len(parts)} matrices share no feature ({names[0]}: {some(features[0])}; {names[1]}: "
                f"{some(features[1])}). They are not samples of one study: give the path of one, or the start of the "
                "names of its files."
            )
        warnings.warn(
            f"{source}: {n_all - len(shared)} of {n_all} features are left out, since not all samples have them.",
            DeepMapperWarning,
            stacklevel=4,
        )
    columns = [[column[name] for name in shared] for column in map(column_index, features)]
    X = sparse.vstack([sparse.csr_matrix(part.X)[:, c] for part, c in zip(parts, columns, strict=True)], format="csr")
    obs = pd.concat(
        [
            part.obs.assign(sample=name).set_axis([f"{cell}-{name}" for cell in part.obs_names])
            for name, part in zip(names, parts, strict=True)
        ]
    )
    same = all(list(part.obs_names) == list(parts[0].obs_names) for part in parts[1:])
    caution = (
        " All have the same barcodes: if they are not samples but matrices of the same cells, give the path of one."
        if same
        else ""
    )
    warnings.warn(
        f"{source}: read {len(parts)} samples ({some(names, 6)}); obs['sample'] names them, and cells are named "
        f"<barcode>-<sample>, such as {obs.index[0]!r}.{caution}",
        DeepMapperWarning,
        stacklevel=4,
    )
    return assemble(X, obs, parts[0].var.iloc[columns[0]], source)


def _joining_names(part: AnnData, source: str) -> list[str]:
    """Unique names of the features, by which samples are joined: their ids where there are ids."""
    ids = ids_of(part.var)
    if ids is not None and len(set(ids)) == len(ids):
        return ids
    return unique_names(part.var_names, "feature", source, "by_id")


def read_10x_h5(path: Path) -> AnnData:
    """Read a Cell Ranger ``.h5``: a feature-barcode matrix of version 3 or later, or the older layout by genome.

    In the older layout several genomes of the same cells are read side by side, with the genome before each name.
    """
    import pandas as pd

    with open_h5(path) as file:
        if not is_10x(file):
            hint = " It looks like an AnnData file: set format to h5ad." if {"obs", "var"} <= set(file) else ""
            raise InputError(f"{path} is not a 10x matrix: it holds {some(file)}, expected a group 'matrix'.{hint}")
        check_memory(file, path)
        if "matrix" in file:
            group, features = file["matrix"], file["matrix/features"]
            X, barcodes = _h5_matrix(group)
            var = pd.DataFrame({"gene_ids": _plain(features["id"])}, index=_plain(features["name"]))
            if "feature_type" in features:
                var["feature_types"] = _plain(features["feature_type"])
        else:
            X, barcodes, var = _h5_genomes(file, path)
        obs = pd.DataFrame(index=barcodes)
    return assemble(*_gene_expression(X, obs, var, path), str(path))


def _h5_matrix(group: Any) -> tuple[sparse.csr_matrix, list[str]]:
    n_features, n_cells = group["shape"][:]
    # 10x stores CSC of features x cells, which is CSR of cells x features.
    indices, indptr = (whole_numbers(group[name][:], group.file.filename) for name in ("indices", "indptr"))
    stored = (group["data"][:], indices, indptr)
    return sparse.csr_matrix(stored, shape=(n_cells, n_features)), _plain(group["barcodes"])


def _h5_genomes(file: Any, path: Path) -> tuple[sparse.csr_matrix, list[str], pd.DataFrame]:
    """Read the groups of a version before 3, one for each genome."""
    import pandas as pd

    genomes = list(file)
    read = {genome: _h5_matrix(file[genome]) for genome in genomes}
    barcodes = read[genomes[0]][1]
    if any(cells != barcodes for _, cells in read.values()):
        raise InputError(
            f"{path}: found the genomes {some(genomes)} with different cells, expected one. Write the one to analyse "
            "to a separate file."
        )
    prefixes = {genome: f"{genome}_" if len(genomes) > 1 else "" for genome in genomes}
    if len(genomes) > 1:
        warnings.warn(
            f"{path}: found the genomes {some(genomes)}; the names of their features start with the genome.",
            DeepMapperWarning,
            stacklevel=3,
        )
    tables = [
        pd.DataFrame(
            {"gene_ids": [prefixes[genome] + id_ for id_ in _plain(file[genome]["genes"])]},
            index=[prefixes[genome] + name if name else "" for name in _plain(file[genome]["gene_names"])],
        )
        for genome in genomes
    ]
    return sparse.hstack([X for X, _ in read.values()], format="csr"), barcodes, pd.concat(tables)


def _plain(dataset: Any) -> list[str]:
    """Names as text, without the quotes that R may have written around them."""
    return without_quotes(texts(dataset[:]))


def _gene_expression(
    X: sparse.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame, path: str | Path
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
