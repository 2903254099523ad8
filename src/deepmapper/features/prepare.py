"""From an expression matrix to the feature store: coded labels, normalised values, a test split where samples suffice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows, in_memory
from ..errors import InputError
from ..io.labels import encode_labels
from ..io.matrix_stats import scan
from ..io.normalize import normalize_lazily
from .confounders import CELL_CYCLE, COMPUTED, confounder_columns
from .confounding import draw_null_strata, evaluate_confounders
from .design import make_design
from .splits import check_class_sizes, set_test_aside
from .store import DEVELOPMENT, TEST, Features

# Above this share of non-zero values CSR takes more room than a dense matrix.
_DENSE_FROM = 0.5

# Score of a phase of the cell cycle, and the option that lists its genes.
_PHASES = {"s_score": "s_genes", "g2m_score": "g2m_genes"}


def prepare_features(
    adata,
    *,
    label_column: str,
    exclude: list[str] | tuple = (),
    missing: str = "refuse",
    group_column: str = "",
    normalization: str = "log1p_median",
    split_scheme: str = "auto",
    test_size: float = 0.25,
    split_seed: int = 0,
    confounders: Mapping | None = None,
) -> Features:
    """Make the features of a run.

    Parameters
    ----------
    adata
        AnnData as `results/expression.h5ad` holds it: raw values in `X`, `layers["tpm"]` for "log1p_tpm". Or a
        `matrix_files.Expression`, whose matrices stay in their file: then the features are normalised when the store is
        written.
    label_column
        Column of `obs` that tells the states.
    exclude
        Labels to leave out.
    missing
        "refuse" or "drop" samples without a label.
    group_column
        Column of `obs` whose groups stay on one side of every split; "" for none.
    normalization
        "none", "log1p_median", "log1p_cp10k", "log1p_cpm" or "log1p_tpm".
    split_scheme
        "fixed" sets a test split aside, "repeated" none; "auto" none where samples are few (`splits.few_samples`).
    test_size, split_seed
        Share and seed of the fixed test split.
    confounders
        What to adjust for: `columns` (of `obs`), `depth`, `detected` and `cell_cycle` (whether to compute them),
        `s_genes` and `g2m_genes` (empty for the human ones). None for nothing. How well depth and detected features
        tell the classes is said either way.

    Raises
    ------
    InputError
        If a column is missing, a group is missing, or the data cannot be used.
    """
    if missing not in ("refuse", "drop"):
        raise InputError(f"labels.missing is {missing!r}: expected 'refuse' or 'drop'")
    labels = _column(adata.obs, label_column, "labels.column")
    codes, classes = encode_labels(labels, names=list(adata.obs_names), exclude=tuple(exclude), missing=missing)
    kept = np.flatnonzero(codes >= 0)
    names = np.array(adata.obs_names, dtype=object)[kept].tolist()
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
    tpm = adata.layers.get("tpm")
    made, seen = normalize_lazily(adata.X, normalization, tpm, names=names, rows=kept, reference=development)
    made = replace(made, dense=bool(made.nnz > _DENSE_FROM * np.prod(made.shape)))
    X = made.to_memory() if in_memory(adata.X) else made
    counts = seen if normalization != "log1p_tpm" else scan(MappedRows(adata.X, kept).blocks())
    adjusted, looked_at = _confounders(
        adata.obs.iloc[kept], counts, X, adata.var_names, confounders or {}, normalization != "none" or seen.is_integer
    )
    inside = None if groups is None else groups[development]
    told = evaluate_confounders(
        looked_at.iloc[development], list(adjusted), y[development], groups=inside, seed=split_seed
    )
    design, strata = make_design(adjusted), np.full(len(y), -1, dtype=np.int64)
    drawn = None
    if design.names:
        drawn, told["null"] = draw_null_strata(design.values[development], y[development], inside, seed=split_seed)
        if drawn is not None:
            strata[development] = drawn
    about = {
        "label_column": label_column,
        "group_column": group_column,
        "normalization": normalization,
        "scheme": scheme.name,
        "why": scheme.why,
        "confounders": told,
    }
    return Features(
        X,
        y,
        tuple(classes),
        tuple(map(str, adata.var_names)),
        tuple(names),
        split,
        groups,
        about,
        design=design.values if design.names else None,
        design_names=design.names,
        strata=None if drawn is None else strata,
        confounders=adjusted if len(adjusted.columns) else None,
    )


def describe_features(features: Features) -> list[str]:
    """Say in a few lines what `prepare_features` made: the split, the samples of each class, the confounders."""
    lines = [features.about["why"]]
    for code, name in enumerate(features.classes):
        split = features.split[features.y == code]
        lines.append(f"{name}: {len(split)} samples, {(split == TEST).sum()} of them in the test split")
    confounders = features.about["confounders"]
    return [*lines, f"{confounders['statement']} {confounders.get('null', '')}"]


def _confounders(obs, counts, X, names, asked: Mapping, counted: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Collect what is adjusted for, and that with depth and detected features, where there are counts to sum."""
    sets = {score: asked.get(key) or CELL_CYCLE[score] for score, key in _PHASES.items()}
    computed = [name for name in COMPUTED if asked.get(name)]
    if "depth" in computed and not counted:
        raise InputError(
            "confounders.depth: the matrix holds values that are not counts (features.normalization is none): expected "
            "counts to sum. Give a column of the samples, such as n_counts, under confounders.columns."
        )
    given = confounder_columns(obs, asked.get("columns", ()))
    options = {"counts": counts, "X": X, "names": tuple(map(str, names)), "gene_sets": sets}
    made = confounder_columns(obs[[]], computed, **options)
    twice = sorted(set(given) & set(made))
    if twice:
        raise InputError(
            f"confounders.columns names {', '.join(twice)}, which is to be computed as well: expected one of them. "
            f"Leave it out of the columns, or do not ask for it."
        )
    adjusted = pd.concat([given, made], axis=1)
    beside = [name for name in ("depth", "detected") if counted and name not in adjusted]
    return adjusted, pd.concat([adjusted, confounder_columns(obs[[]], beside, **options)], axis=1)


def _column(obs: pd.DataFrame, name: str, key: str) -> pd.Series:
    if name not in obs.columns:
        listed = ", ".join(map(str, obs.columns[:12])) or "none at all"
        raise InputError(f"{key}: there is no column '{name}' in the sample sheet (obs); it has {listed}")
    return obs[name]
