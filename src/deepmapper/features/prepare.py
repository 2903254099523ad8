"""From an expression matrix to the feature store: normalised values, encoded labels, test split, confounders."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..core.arrays import take_rows
from ..core.blocks import MappedRows, in_memory
from ..core.missing import MISSING_WORDS
from ..core.words import did_you_mean
from ..errors import DeepMapperWarning, InputError
from ..io.labels import as_categories, describe_words, encode_labels, warn_similar
from ..io.layers import LAYERS_OF_COUNTS
from ..io.matrix_stats import scan
from ..io.normalize import normalize_lazily
from ..io.shared_features import LEFT_OUT
from ..io.value_checks import check_varies, empty_features_note, precision_note, tpm_caution, value_cautions
from .composition import composition_columns
from .confounded import check_confounders
from .confounder_tests import draw_null_strata, evaluate_confounders
from .confounder_types import describe_types
from .confounders import CELL_CYCLE, COMPUTED, confounder_columns
from .design import Design, make_design
from .label_checks import check_groups, check_labels, check_passes_can_split, unequal_class_cautions
from .splits import Scheme, check_class_sizes, set_test_aside
from .store import DEVELOPMENT, TEST, Features
from .unadjusted import find_unadjusted

# Above this share of non-zero values CSR needs more memory than a dense matrix.
_DENSE_FROM = 0.5

# Score of a phase of the cell cycle, and the option that lists its genes.
_PHASES = {"s_score": "s_genes", "g2m_score": "g2m_genes"}


def prepare_features(
    adata,
    *,
    label_column: str,
    exclude: list[str] | tuple = (),
    missing: str = "refuse",
    na_values: Sequence[str] = MISSING_WORDS,
    unlabelled: Sequence[str] = (),
    group_column: str = "",
    normalization: str = "log1p_median",
    split_scheme: str = "auto",
    test_size: float = 0.25,
    split_seed: int = 0,
    confounders: Mapping | None = None,
    signatures: Mapping[str, Sequence[str]] | None = None,
) -> Features:
    """Prepare the features of a run.

    Parameters
    ----------
    adata
        AnnData with the content of `results/expression.h5ad`: raw values in `X`, `layers["tpm"]` for "log1p_tpm". Or
        an `io.expression.Expression`, whose matrices stay in their file: the values are then normalised while the store
        is written.
    label_column
        Column of `obs` with the labels.
    exclude
        Labels to leave out.
    missing
        "refuse" or "drop" samples without a label, or take them as "unlabelled".
    na_values
        Words that are missing values, in labels, groups and confounders.
    unlabelled
        Labels of target samples, which are to be named. They are left out here, so that nothing that is drawn, fitted
        or measured depends on them; `target.prepare_target` collects them.
    group_column
        Column of `obs` with the groups, which are never split; "" for none.
    normalization
        "none", "log1p_median", "log1p_cp10k", "log1p_cpm" or "log1p_tpm".
    split_scheme
        "fixed" for a test split, "repeated" for none, "auto" for none in a small study (`splits.is_small`).
    test_size, split_seed
        Share and seed of the fixed test split.
    confounders
        What to adjust for: `columns` and `numeric` (columns of `obs`, by their type and as numbers), `depth`,
        `detected` and `cell_cycle` (whether to compute them), `s_genes` and `g2m_genes` (empty for the built-in human
        genes), `composition` (`shares`: columns of `obs` with the share of a cell type each). None for nothing. Depth
        and the number of detected features are evaluated in any case.
    signatures
        Name of a cell type -> its genes: scores that are adjusted for as the composition of the samples.

    Raises
    ------
    InputError
        If a column or a group is missing, or the data cannot be used.
    """
    if missing not in ("refuse", "drop", "unlabelled"):
        raise InputError(f"labels.missing is {missing!r}: expected 'refuse', 'drop' or 'unlabelled'")
    labels = column_of(adata.obs, label_column, "labels.column")
    codes, classes = encode_labels(labels, list(adata.obs_names), tuple(exclude), missing, na_values, unlabelled)
    kept = np.flatnonzero(codes >= 0)
    names, y = np.array(adata.obs_names, dtype=object)[kept].tolist(), codes[kept]
    note = "; samples without a label, or with an excluded one, do not count" if len(y) < len(codes) else ""
    check_labels(labels.iloc[kept], y, classes, label_column)
    check_class_sizes(y, 2, "one to train on and one to test on", classes, note)
    groups = group_codes(adata.obs, group_column, kept, na_values)
    if groups is not None:
        groups = check_groups(adata.obs[group_column].iloc[kept], groups, y, classes, group_column)
    scheme, split = divide_samples(y, groups, classes, (split_scheme, test_size, split_seed), note, group_column)
    development = np.flatnonzero(split == DEVELOPMENT)
    obs, options = adata.obs.iloc[kept], confounders or {}
    values, counts, is_counts, cautions = _normalise(adata, normalization, names, kept, development, groups)
    sources = counts, values, tuple(map(str, adata.var_names))
    adjusted, evaluated = _collect_confounders(obs, sources, options, signatures, is_counts, na_values)
    design = make_design(adjusted)
    asked = [*options.get("columns", ()), *options.get("numeric", ())]
    computed = [name for name in adjusted if name not in asked]
    apart = check_confounders(adjusted, design, y, classes, computed, group_column)
    unadjusted = find_unadjusted(obs, y, classes, label_column=label_column, group_column=group_column, adjusted=asked)
    left_out = [str(adata.uns[LEFT_OUT])] if LEFT_OUT in adata.uns else []
    cautions = [*left_out, *apart, *unadjusted.cautions, *unequal_class_cautions(y, classes), *cautions]
    for caution in cautions:
        warnings.warn(caution, DeepMapperWarning, stacklevel=2)
    summary, strata = _evaluate_confounders(adjusted, evaluated, design, y, development, groups, split_seed)
    metadata = {
        "label_column": label_column,
        "group_column": group_column,
        "normalization": normalization,
        "scheme": scheme.name,
        "why": scheme.why,
        "confounders": summary,
    }
    if cautions:
        metadata["cautions"] = cautions
    if unadjusted.confounded:
        metadata["confounded"] = unadjusted.confounded
    return Features(
        values,
        y,
        tuple(classes),
        tuple(map(str, adata.var_names)),
        tuple(names),
        split,
        groups,
        metadata,
        design=design.values if design.names else None,
        design_names=design.names,
        strata=strata,
        confounders=adjusted if len(adjusted.columns) else None,
    )


def divide_samples(y, groups, classes, settings: tuple, note: str, group_column: str) -> tuple[Scheme, np.ndarray]:
    """Set the test split aside, and check that passes can divide the rest: the scheme and `Features.split`."""
    name, test_size, seed = settings
    scheme, development, test = set_test_aside(y, name, test_size, seed, groups, classes)
    if scheme.name == "fixed":
        purpose = "one each for training, validation and the out-of-bag test, besides the test split"
        check_class_sizes(y[development], 3, purpose, classes, note)
    if groups is not None:
        inside = y[development], groups[development], classes
        check_passes_can_split(*inside, seed, group_column, scheme.name == "fixed")
    split = np.full(len(y), DEVELOPMENT, dtype=np.uint8)
    split[test] = TEST
    return scheme, split


def describe_features(features: Features) -> list[str]:
    """Summarise the result of `prepare_features` for the log: split, samples of each class, confounders."""
    lines = [features.metadata["why"]]
    for code, name in enumerate(features.classes):
        split = features.split[features.y == code]
        lines.append(f"{name}: {len(split)} samples, {(split == TEST).sum()} of them in the test split")
    confounders = features.metadata["confounders"]
    if "types" in confounders:
        lines.append(f"Confounders: {confounders['types']}.")
    return [*lines, f"{confounders['statement']} {confounders.get('null', '')}"]


def column_of(obs: pd.DataFrame, name: str, key: str) -> pd.Series:
    """Look up the column that the option `key` names."""
    if name not in obs.columns:
        known = ", ".join(map(str, obs.columns[:12])) or "none"
        raise InputError(
            f"{key}: there is no column '{name}' in the table of samples (obs); its columns: {known}."
            f"{did_you_mean(name, obs.columns)}"
        )
    return obs[name]


def group_codes(obs: pd.DataFrame, group_column: str, kept: np.ndarray, na_values: Sequence[str]) -> np.ndarray | None:
    """Encode the groups of the samples that are kept."""
    if not group_column:
        return None
    column = column_of(obs, group_column, "labels.group").iloc[kept]
    found = as_categories(column, na_values)
    if found.missing.any():
        missing = column.index[found.missing]
        words = f" ({describe_words(found.words)}: see labels.na_values)" if found.words else ""
        raise InputError(
            f"labels.group: column '{group_column}' is empty for {len(missing)} sample(s){words}, the first is "
            f"{missing[0]}: expected a group for every sample. Fill them in, or leave those samples out."
        )
    warn_similar(found.names, "groups", "groups", group_column)
    return pd.factorize(found.texts.astype(str), sort=True)[0].astype(np.int64)


def _normalise(
    adata, normalization: str, names: list[str], kept: np.ndarray, development: np.ndarray, groups: np.ndarray | None
):
    """Return the normalised values, the scan of the raw counts, whether these are counts, and cautions about them."""
    tpm = adata.layers.get("tpm")
    of_counts = [str(name) for name in adata.uns.get(LAYERS_OF_COUNTS, ())]
    rows, stats = normalize_lazily(
        adata.X, normalization, tpm, names=names, rows=kept, reference=development, layers_of_counts=of_counts
    )
    rows = replace(rows, dense=bool(rows.nnz > _DENSE_FROM * np.prod(rows.shape)))
    values = rows.to_memory() if in_memory(adata.X) else rows
    counts = scan(MappedRows(adata.X, kept).blocks()) if normalization == "log1p_tpm" else stats
    check_varies(stats)
    for note in filter(None, [empty_features_note(counts), precision_note(counts)]):
        warnings.warn(note, DeepMapperWarning, stacklevel=3)
    cautions = value_cautions(counts, normalization, names, adata.var_names, of_counts, groups)
    if normalization == "log1p_tpm":
        cautions = [*filter(None, [tpm_caution(stats)]), *cautions]
    return values, counts, normalization != "none" or stats.is_integer, cautions


def _collect_confounders(
    obs: pd.DataFrame, matrices: tuple, options: Mapping, signatures, is_counts: bool, na_values: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Collect the confounders to adjust for, and those with depth and detected features, if counts are known."""
    sets = {score: options.get(key) or CELL_CYCLE[score] for score, key in _PHASES.items()}
    computed = [name for name in COMPUTED if options.get(name)]
    if "depth" in computed and not is_counts:
        raise InputError(
            "confounders.depth: the matrix has values that are not counts (features.normalization is none): expected "
            "counts to sum. Name a column of the samples, such as n_counts, in confounders.columns."
        )
    counts, X, names = matrices
    sources = {"counts": counts, "X": X, "names": names, "gene_sets": sets}
    chosen = {"numeric": options.get("numeric", ()), "na_values": na_values}
    from_columns = confounder_columns(obs, options.get("columns", ()), **chosen)
    from_matrix = confounder_columns(obs[[]], computed, **sources)
    shares = (options.get("composition") or {}).get("shares", ())
    composition = composition_columns(obs, shares, signatures, na_values=na_values, X=X, names=names)
    repeated = sorted(set(from_columns) & set(from_matrix))
    if repeated:
        raise InputError(
            f"confounders.columns contains {', '.join(repeated)}, which is also to be computed: expected one of the "
            f"two. Remove it from the columns, or switch the computation off."
        )
    adjusted = pd.concat([from_columns, from_matrix, composition], axis=1)
    further = [name for name in ("depth", "detected") if is_counts and name not in adjusted]
    return adjusted, pd.concat([adjusted, confounder_columns(obs[[]], further, **sources)], axis=1)


def _evaluate_confounders(
    adjusted: pd.DataFrame,
    evaluated: pd.DataFrame,
    design: Design,
    y: np.ndarray,
    development: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> tuple[dict, np.ndarray | None]:
    """Evaluate confounders on the development part, and form the strata of control passes: summary and (n,) codes."""
    inside, labels = take_rows(groups, development), y[development]
    summary = evaluate_confounders(evaluated.iloc[development], list(adjusted), labels, groups=inside, seed=seed)
    if len(adjusted.columns):
        summary["types"] = describe_types(adjusted)
    if not design.names:
        return summary, None
    drawn, summary["null"] = draw_null_strata(design.values[development], labels, inside, seed=seed)
    if drawn is None:
        return summary, None
    strata = np.full(len(y), -1, dtype=np.int64)
    strata[development] = drawn
    return summary, strata
