"""Evidence ranking: differences between classes, supported by correlated features.

Networks share their attention out; features that each say little are hardly told from noise by it. Here every feature
is compared between every two classes (Welch's t), on Pearson residuals where there are counts. A weak feature that
belongs to a programme is backed by the others of it: within classes it moves with those that differ likewise. How much
each comparison says is learnt, by a monotone model that tells features from their shadows, the same features with other
samples' values. No error rate follows: a feature that says nothing, but moves with those that do, is raised.

Sources: Pearson residuals of counts, Lause, Berens & Kobak 2021 (doi 10.1186/s13059-021-02451-7); a score that is
learnt by telling targets from decoys, Käll et al. 2007 (doi 10.1038/nmeth1113).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import MappedRows
from ..features.design import orthonormal
from ..features.label_permutations import draw_source
from ..features.levels import MAX_VALUES, draw_samples, feature_levels, min_detected_samples
from ..features.store import Features
from .compare import class_moments, compare, comparisons
from .learn import learn
from .programmes import back, backing_weights, programmes
from .values import Values, estimate_dispersion

_LEAST = 6  # features to compare


@dataclass(frozen=True)
class SampledCounts:
    """What of a run is compared: the development part, or samples drawn from it.

    Attributes
    ----------
    rows
        (n,) rows of the features.
    X
        (n, p) counts, or values.
    depth
        As of `Values`.
    """

    rows: np.ndarray
    X: Any
    depth: np.ndarray | None


def rank_run(
    features: Features,
    expression,
    options: Mapping,
    *,
    min_detected: float = 0.05,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Weigh the features of a run on its development part, or samples drawn from it; its test split is not read.

    Parameters
    ----------
    features
        The features of a run.
    expression
        `matrix_files.Expression` of the same samples, whose counts are read unless the features are values as they came
        (normalisation "none").
    options
        The section `evidence` of the settings: enabled, draws, max_samples.
    min_detected
        Share of the samples in which a feature must be seen to be compared, as `calibration.least_detected` takes it.
    seed
        Of the samples that are drawn.
    progress
        Receives progress.

    Returns
    -------
    tuple
        As `weigh_features`; without evidence, and with the reason, where it is switched off.
    """
    if not options["enabled"]:
        return no_evidence(features.names, "the configuration asks for none (evidence.enabled)")
    read = sample_cells(features, expression, options["max_samples"], seed)
    n_all = len(features.development)
    progress(f"{len(read.rows)} of {n_all} samples of the development part are compared")
    table, about = rank_part(features, read, np.arange(len(read.rows)), options["draws"], min_detected, progress)
    return table, about | {"n_development": n_all}


def sample_cells(features: Features, expression, most: int, seed: int) -> SampledCounts:
    """Read the development part, or at most so many samples drawn from it: counts, or values that are none."""
    stored = features.X.nnz / features.X.shape[0] if sp.issparse(features.X) else features.X.shape[1]
    rows = draw_samples(features, min(most, int(MAX_VALUES / max(stored, 1))), seed)
    if features.about["normalization"] == "none":
        return SampledCounts(rows, features.X[rows], None)
    there = expression.rows_of(features.names_of(rows))
    X = MappedRows(expression.X, there).to_memory()
    return SampledCounts(rows, X, np.asarray(X.sum(1, dtype=np.float64)).ravel())


def rank_part(
    features: Features,
    read: SampledCounts,
    part: np.ndarray,
    draws: int,
    min_detected: float,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Weigh the features on some of the samples that were read: as `weigh_features`."""
    rows, X = read.rows[part], read.X[part]
    samples = features.select(rows)
    _, detected = feature_levels(X, np.arange(len(rows)), features.n_features)
    return rank_by_evidence(
        X,
        samples.labels,
        features.names,
        features.classes,
        tested=detected >= min_detected_samples(min_detected, samples.labels),
        depth=None if read.depth is None else read.depth[part],
        design=None if features.design is None else features.design[rows],
        groups=samples.group_codes,
        strata=samples.strata_codes,
        draws=draws,
        progress=progress,
    )


def rank_by_evidence(
    X,
    y: np.ndarray,
    names: Sequence[str],
    classes: Sequence[str],
    *,
    tested: np.ndarray | None = None,
    depth: np.ndarray | None = None,
    design: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    draws: int = 4,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Rank features by what they and those they move with say of the classes.

    Parameters
    ----------
    X
        (n, p) counts or values, CSC, CSR or dense.
    y
        (n,) class codes.
    names, classes
        Names of the features and of the classes.
    tested
        (p,) which features to compare; None for all.
    depth
        (n,) counts of each sample where `X` holds counts, or a choice of all that were counted; None for values.
    design
        (n, q) confounders that values are made free of.
    groups, strata
        (n,) codes within which shadows are dealt, as in `shadows.draw_source`.
    draws
        Draws of the shadows.
    progress
        Receives progress.

    Returns
    -------
    tuple
        A table with one row a feature, in their order, empty for those that are not compared: feature; evidence (the
        learnt score: log odds, drawn to 0, of not being a shadow); evidence_rank; evidence_between (the two sides of
        the comparison that says most, the higher one first); evidence_t (its t); evidence_backing (how strongly those
        that differ likewise move with the feature within classes, in standard errors). And what was done, with a
        `statement`.
    """
    n, p = X.shape
    kept = np.arange(p) if tested is None else np.flatnonzero(tested)
    present = np.flatnonzero(np.bincount(y) > 1)  # one sample has no variance
    if len(kept) < _LEAST:
        return no_evidence(names, f"fewer than {_LEAST} features are seen often enough to be compared")
    if len(present) < 2:
        return no_evidence(names, "fewer than two classes have more than one sample")
    X = X.tocsc() if sp.issparse(X) else X
    basis = None if design is None else orthonormal(np.column_stack([np.ones(n), design]))
    values = Values(X, kept, None if depth is None else np.asarray(depth, dtype=np.float64), basis=basis)
    if depth is not None:
        values = replace(values, dispersion=estimate_dispersion(values))
    sides = comparisons(present)
    sources = [np.arange(n), *(draw_source(y, groups, strata, draw) for draw in range(draws))]
    progress(f"{len(kept)} of {p} features in {len(sides)} comparison(s) of classes, beside {draws} draws of shadows")
    compared = compare(values, y, len(classes), sides, sources)
    progress("compared")
    scores = programmes(values, y, compared[0])
    backing = back(values, scores, compared, sources)
    progress("backed by one another")
    counted = [backing_weights(found.t, support) for found, support in zip(compared, backing, strict=True)]
    evidence = learn(counted[0], counted[1:])
    most = counted[0].argmax(0)
    t, support = compared[0].t[most, np.arange(len(kept))], backing[0][most, np.arange(len(kept))]
    labels = [
        " > ".join(class_moments(one, classes) for one in (sides[i] if up else sides[i][::-1]))
        for i, up in zip(most, t >= 0, strict=True)
    ]
    table = _table(names)
    rank = np.empty(len(kept), dtype=np.int64)
    rank[np.lexsort((-counted[0].max(0), -evidence))] = np.arange(1, len(kept) + 1)
    places = table.index[kept]
    table.loc[places, "evidence"] = evidence
    table.loc[places, "evidence_rank"] = rank
    table.loc[places, "evidence_between"] = labels
    table.loc[places, "evidence_t"] = np.abs(t)
    table.loc[places, "evidence_backing"] = support
    what = "values as they are" if depth is None else f"Pearson residuals of counts, dispersion {values.dispersion:.3g}"
    statement = (
        f"Evidence: {len(kept)} features of {n} samples in {len(sides)} comparison(s) of classes, by {what}, with the "
        f"features they move with; learnt against {draws} draws of shadows. A ranking without an error rate."
    )
    about = {
        "statement": statement,
        "n_samples": n,
        "n_compared": len(kept),
        "comparisons": [" against ".join(class_moments(one, classes) for one in side) for side in sides],
        "dispersion": values.dispersion if depth is not None else None,
        "draws": draws,
        "adjusted": design is not None,
    }
    return table, about


def no_evidence(names: Sequence[str], why: str) -> tuple[pd.DataFrame, dict]:
    """Give an empty table, and say why it is."""
    return _table(names), {"statement": f"No evidence beside the networks: {why}."}


def _table(names: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {"feature": list(names), "evidence": np.nan}
    columns |= {"evidence_rank": pd.array([pd.NA] * len(names), dtype="Int64"), "evidence_between": ""}
    return pd.DataFrame(columns | {"evidence_t": np.nan, "evidence_backing": np.nan})
