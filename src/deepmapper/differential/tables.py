"""Tables of the differential test: every comparison, the markers of every class, and columns for the ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows, blocks
from ..core.false_discovery import benjamini_hochberg
from ..features.kinds import may_be_same
from ..features.store import Features
from .contrasts import REST
from .results import RESULT_COLUMNS, Tested
from .units import sum_rows

_KEYS = ("feature", "within", "class", "versus")
_LEVELS = ("mean_class", "mean_versus", "detected_class", "detected_versus")
COLUMNS = (*_KEYS, *_LEVELS, *RESULT_COLUMNS)


@dataclass(frozen=True, eq=False)
class ClassLevels:
    """Mean and detection rate of every feature in every class.

    Attributes
    ----------
    mean
        (classes, p) mean of the normalised values; NaN for a class without samples.
    detected
        (classes, p) share of the samples with a value other than zero.
    sizes
        (classes,) number of samples.
    """

    mean: np.ndarray
    detected: np.ndarray
    sizes: np.ndarray


def class_levels(features: Features, rows: np.ndarray) -> ClassLevels:
    """Compute means and detection rates over some rows."""
    y, k = features.y[rows], len(features.classes)
    sizes = np.bincount(y, minlength=k)
    total, n_detected = np.zeros((2, k, features.X.shape[1]))
    for place, block in blocks(MappedRows(features.X, rows)):
        total += sum_rows(block, y[place], k)
        n_detected += sum_rows(block != 0, y[place], k)
    with np.errstate(invalid="ignore"):
        mean, detected = (sums[:, : features.n_features] / sizes[:, None] for sums in (total, n_detected))
    return ClassLevels(mean, detected, sizes)


def differential_rows(features: Features, tested: Tested, levels: ClassLevels, within: str) -> list[pd.DataFrame]:
    """Rows of differential.tsv, one table for each comparison, the smallest p first."""
    tables = []
    for (name, versus), result in zip(tested.pairs, tested.results, strict=True):
        code = features.classes.index(name)
        others = ~may_be_same(features.kinds, len(features.classes))[code]
        if versus != REST:
            others = np.arange(len(features.classes)) == features.classes.index(versus)
        others &= levels.sizes > 0
        weights = levels.sizes[others] / levels.sizes[others].sum()
        table = result.assign(
            feature=list(features.names),
            within=within,
            versus=versus,
            mean_class=levels.mean[code],
            mean_versus=weights @ levels.mean[others],
            detected_class=levels.detected[code],
            detected_versus=weights @ levels.detected[others],
            **{"class": name},
        )
        order = np.lexsort((-table["statistic"].abs().fillna(-1), table["p"].fillna(2)))
        tables.append(table.iloc[order][list(COLUMNS)])
    return tables


def no_rows() -> pd.DataFrame:
    """Contents of differential.tsv without a test."""
    numbers = dict.fromkeys((*_LEVELS, *RESULT_COLUMNS), pd.Series(dtype=float))
    return pd.DataFrame({**dict.fromkeys(_KEYS, pd.Series(dtype=object)), **numbers})


def marker_table(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """List for every class the features that are higher in it, at a false discovery rate.

    Parameters
    ----------
    table
        Contents of differential.tsv.
    level
        False discovery rate.

    Returns
    -------
    pandas.DataFrame
        The columns of differential.tsv with `order`, which counts from 1 in every class (and level of `within`): by p,
        then by the size of the statistic. A comparison of two classes lists markers of both.
    """
    found = table[table["q"] <= level]
    down = found[(found["log2_fold_change"] < 0) & (found["versus"] != REST)]
    swapped = down.rename(
        columns={
            "class": "versus", "versus": "class", "mean_class": "mean_versus", "mean_versus": "mean_class",
            "detected_class": "detected_versus", "detected_versus": "detected_class",
        }
    )  # fmt: skip
    for name in ("log2_fold_change", "log2_fold_change_shrunken", "statistic"):
        swapped[name] = -swapped[name]
    listed = pd.concat([found[found["log2_fold_change"] > 0], swapped[list(table.columns)]], ignore_index=True)
    listed = listed.assign(strength=-listed["statistic"].abs())
    listed = listed.sort_values(["within", "class", "versus", "p", "strength"], kind="stable").drop(columns="strength")
    order = listed.groupby(["within", "class", "versus"], sort=False).cumcount() + 1
    first = ["within", "class", "versus"]
    return listed.assign(order=order.astype(np.int64))[[*first, "order", "feature", *COLUMNS[len(_KEYS) :]]]


def _highest(tested: pd.DataFrame, best: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Fold change and class of the comparison that is shown: one in which the feature is higher in a named class."""
    upward = tested[(tested["log2_fold_change"] > 0) | (tested["versus"] != REST)]
    shown = upward.sort_values("p", kind="stable").drop_duplicates("feature").set_index("feature").reindex(best.index)
    change = shown["log2_fold_change"].to_numpy(dtype=float)
    up, down = shown["class"].to_numpy(dtype=object), shown["versus"].to_numpy(dtype=object)
    return change, np.where(np.isnan(change), "", np.where(change > 0, up, down))


def feature_columns(table: pd.DataFrame, features: Features, levels: ClassLevels) -> pd.DataFrame:
    """Columns of features.tsv: levels of every class, and the comparison with the smallest p.

    Parameters
    ----------
    table
        Contents of differential.tsv.
    features
        The features of the run.
    levels
        Means and detection rates over all samples with a label.

    Returns
    -------
    pandas.DataFrame
        One row per feature: `feature`, `mean[class]`, `detected[class]`, `log2_fold_change` and `higher_in` (of the
        comparison with the smallest p in which the feature is higher in a class, not in all others together),
        `differential_p` (the smallest p times the number of comparisons of the feature, at most 1: Bonferroni),
        `differential_q` (that of the comparison, if there is only one; otherwise Benjamini-Hochberg over the features)
        and `differential_strength` (the size of the fold change less its standard error; of rank sums, the size of the
        statistic).
    """
    columns: dict[str, object] = {"feature": list(features.names)}
    for code, name in enumerate(features.classes):
        columns[f"mean[{name}]"] = levels.mean[code]
        columns[f"detected[{name}]"] = levels.detected[code]
    tested = table[table["p"].notna()]
    best = tested.sort_values("p", kind="stable").drop_duplicates("feature").set_index("feature")
    n_tests = tested.groupby("feature").size()
    best = best.reindex(features.names)
    p = np.minimum(best["p"].to_numpy(dtype=float) * n_tests.reindex(features.names).to_numpy(dtype=float), 1.0)
    change = best["log2_fold_change"].to_numpy(dtype=float)
    columns["log2_fold_change"], columns["higher_in"] = _highest(tested, best)
    columns["differential_p"] = p
    single = len(tested) and not tested.duplicated("feature").any()
    columns["differential_q"] = best["q"].to_numpy(dtype=float) if single else benjamini_hochberg(p)
    error = best["standard_error"].to_numpy(dtype=float)
    size = best["statistic"].abs().to_numpy(dtype=float)
    columns["differential_strength"] = np.where(np.isnan(error), size, np.abs(change) - error)
    return pd.DataFrame(columns)
