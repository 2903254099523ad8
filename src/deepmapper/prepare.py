"""From an expression matrix to what every pass reads: labels coded, values normalised, the test split drawn if any."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .errors import InputError
from .io import encode_labels, normalize_matrix
from .splits import check_class_sizes, set_test_aside
from .store import DEVELOPMENT, TEST, Features

# Above this share of non-zero values CSR takes more room than a dense matrix.
_DENSE_FROM = 0.5


def prepare_features(
    adata,
    *,
    label_column: str,
    exclude: list[str] | tuple = (),
    missing: str = "refuse",
    group_column: str = "",
    normalization: str = "log1p_cp10k",
    split_scheme: str = "auto",
    test_size: float = 0.25,
    split_seed: int = 0,
) -> Features:
    """Make the features of a run.

    Parameters
    ----------
    adata
        AnnData as `results/expression.h5ad` holds it: raw values in `X`, `layers["tpm"]` for "log1p_tpm".
    label_column
        Column of `obs` that tells the states.
    exclude
        Labels to leave out.
    missing
        "refuse" or "drop" samples without a label.
    group_column
        Column of `obs` whose groups stay on one side of every split; "" for none.
    normalization
        "none", "log1p_cp10k", "log1p_cpm" or "log1p_tpm".
    split_scheme
        "fixed" sets a test split aside, "repeated" none; "auto" none where samples are few (`splits.few_samples`).
    test_size, split_seed
        Share and seed of the fixed test split.

    Raises
    ------
    InputError
        If a column is missing, a group is missing, or the data cannot be used.
    """
    labels = _column(adata.obs, label_column, "labels.column")
    codes, classes = encode_labels(labels, names=list(adata.obs_names), exclude=tuple(exclude), missing=missing)
    kept = np.flatnonzero(codes >= 0)
    names = np.array(adata.obs_names, dtype=object)[kept].tolist()
    X = adata.X[kept]
    tpm = adata.layers["tpm"][kept] if "tpm" in adata.layers else None
    X = normalize_matrix(X, normalization, layer_tpm=tpm, names=names)
    if X.nnz > _DENSE_FROM * np.prod(X.shape):
        X = X.toarray()
    y = codes[kept]
    groups = None
    if group_column:
        column = _column(adata.obs, group_column, "labels.group").iloc[kept]
        if column.isna().any():
            lacking = column.index[column.isna()]
            raise InputError(
                f"labels.group: column '{group_column}' is empty for {len(lacking)} sample(s), the first {lacking[0]}: "
                f"expected a group for every sample. Fill it in, or leave those samples out."
            )
        groups = pd.factorize(column.astype(str), sort=True)[0].astype(np.int64)
    scheme, development, test = set_test_aside(y, split_scheme, test_size, split_seed, groups, classes)
    if scheme.name == "fixed":
        beside_test = "one each to train, validate and judge out of bag, besides the test split"
        check_class_sizes(y[development], 3, beside_test, classes)
    split = np.full(len(y), DEVELOPMENT, dtype=np.uint8)
    split[test] = TEST
    about = {
        "label_column": label_column,
        "group_column": group_column,
        "normalization": normalization,
        "scheme": scheme.name,
        "why": scheme.why,
    }
    return Features(X, y, tuple(classes), tuple(map(str, adata.var_names)), tuple(names), split, groups, about)


def _column(obs: pd.DataFrame, name: str, key: str) -> pd.Series:
    if name not in obs.columns:
        listed = ", ".join(map(str, obs.columns[:12])) or "none at all"
        raise InputError(f"{key}: there is no column '{name}' in the sample sheet (obs); it has {listed}")
    return obs[name]
