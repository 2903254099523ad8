"""Evidence ranking: differences between classes, supported by correlated features.

Networks spread their attention, and weak features are hardly distinguished from noise. Here every feature is compared
between every two classes (Welch's t), on Pearson residuals if there are counts. A weak feature that belongs to a gene
programme is supported by the rest of it: within classes it correlates with other features that differ in the same way.
How much each comparison counts is learnt by a monotone model that separates features from their shadows, the same
features with the values of other samples. The ranking has no error rate: a feature that does not differ, but correlates
with features that do, is raised.

Sources: Pearson residuals of counts, Lause, Berens & Kobak 2021 (doi 10.1186/s13059-021-02451-7); a score learnt by
separating targets from decoys, Käll et al. 2007 (doi 10.1038/nmeth1113).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.arrays import take_rows
from ..core.blocks import MappedRows
from ..core.words import count
from ..features.design import orthonormal
from ..features.kinds import may_be_same
from ..features.label_permutations import draw_shadow_rows
from ..features.levels import draw_development_samples, feature_levels, max_rows_in_memory, min_detected_share
from ..features.store import Features
from .scores import compare_classes, comparisons, learn_scores, programme_support, side_name, supported_size
from .values import Values, estimate_dispersion

_MIN_FEATURES = 6  # with fewer there is nothing to learn a score from; chosen by hand


@dataclass(frozen=True)
class SampledCounts:
    """The samples of a run that are compared: the development part, or some drawn from it.

    Attributes
    ----------
    rows
        (n,) rows of the features.
    X
        (n, p) counts, or values if the run has no counts.
    depth
        (n,) total counts of every sample, over all features; None for values.
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
    """Rank the features of a run on its development part, or samples drawn from it; the test split is not read.

    Parameters
    ----------
    features
        The features of a run.
    expression
        `io.expression.Expression` of the same samples, whose counts are read unless the run takes values as they are
        (normalisation "none").
    options
        The section `evidence` of the configuration: enabled, draws, max_samples.
    min_detected
        Share of the samples in which a feature must be detected to be compared, as in `min_detected_share`.
    seed
        Seed of the sample.
    progress
        Receives progress.

    Returns
    -------
    tuple
        As `rank_by_evidence`; without evidence, and with the reason, if it is switched off.
    """
    if not options["enabled"]:
        return no_evidence(features.names, "it is switched off (evidence.enabled)")
    sampled = sample_cells(features, expression, options["max_samples"], seed)
    n_development = len(features.development)
    progress(f"comparing {len(sampled.rows)} of {n_development} samples of the development part")
    everything = np.arange(len(sampled.rows))
    table, summary = rank_part(features, sampled, everything, options["draws"], min_detected, progress)
    return table, summary | {"n_development": n_development}


def sample_cells(features: Features, expression, max_samples: int, seed: int) -> SampledCounts:
    """Read the counts (or values) of the development part, or of at most `max_samples` drawn from it."""
    rows = draw_development_samples(features, min(max_samples, max_rows_in_memory(features.X)), seed)
    if features.metadata["normalization"] == "none":
        return SampledCounts(rows, features.X[rows], None)
    X = MappedRows(expression.X, expression.rows_of(features.names_of(rows))).to_memory()
    return SampledCounts(rows, X, np.asarray(X.sum(1, dtype=np.float64)).ravel())


def rank_part(
    features: Features,
    sampled: SampledCounts,
    part: np.ndarray,
    draws: int,
    min_detected: float,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Rank the features on some of the samples that were read, at positions `part`: as `rank_by_evidence`."""
    rows, X = sampled.rows[part], sampled.X[part]
    samples = features.select(rows)
    _, detected = feature_levels(X, np.arange(len(rows)), features.n_features)
    return rank_by_evidence(
        X,
        samples.labels,
        features.names,
        features.classes,
        tested=detected >= min_detected_share(min_detected, samples.labels),
        depth=take_rows(sampled.depth, part),
        design=take_rows(features.design, rows),
        groups=samples.group_codes,
        strata=samples.strata_codes,
        kinds=features.kinds,
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
    kinds: np.ndarray | None = None,
    draws: int = 4,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Rank features by how they, and the features that they correlate with, differ between classes.

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
        (n,) total counts of each sample, over all features that were counted, if `X` holds counts; None for values.
    design
        (n, q) confounders that are regressed out of the values.
    groups, strata
        (n,) codes within which shadows are permuted, as in `draw_shadow_rows`.
    kinds
        (C, C) which classes are kinds of others (`features.samples.Samples.kinds`): these are not compared.
    draws
        Number of draws of the shadows.
    progress
        Receives progress.

    Returns
    -------
    tuple
        A table with one row per feature, in their order, empty for those that are not compared: feature; evidence (the
        learnt score: log odds, shrunk to 0, of not being a shadow); evidence_rank; evidence_between (the two sides of
        the comparison in which the feature differs most, the higher one first); evidence_t (its t); evidence_backing
        (how strongly other features that differ correlate with it within classes, in standard errors). And a summary,
        with a `statement`.
    """
    n, p = X.shape
    kept = np.arange(p) if tested is None else np.flatnonzero(tested)
    present = np.flatnonzero(np.bincount(y) > 1)  # a class of one sample has no variance
    if len(kept) < _MIN_FEATURES:
        return no_evidence(names, f"fewer than {_MIN_FEATURES} features are detected often enough to be compared")
    if len(present) < 2:
        return no_evidence(names, "fewer than two classes have more than one sample")
    sides = comparisons(present, may_be_same(kinds, len(classes)))
    if not sides:
        return no_evidence(names, "samples of any two classes may be of the same kind (labels.ontology)")
    values = _values_to_compare(X, kept, depth, design)
    sources = [np.arange(n), *(draw_shadow_rows(y, groups, strata, draw) for draw in range(draws))]
    progress(
        f"comparing {len(kept)} of {p} features in {count(len(sides), 'comparison')} of classes, "
        f"and {count(draws, 'draw')} of shadows"
    )
    differences = compare_classes(values, y, len(classes), sides, sources)
    progress("compared; computing the support by correlated features")
    support = programme_support(values, y, differences, sources)
    progress("support computed; learning the score")
    sizes = [supported_size(found.t, backing) for found, backing in zip(differences, support, strict=True)]
    evidence = learn_scores(sizes[0], sizes[1:])
    clearest = sizes[0].argmax(0), np.arange(len(kept))
    t = differences[0].t[clearest]
    table = _empty_table(names)
    rank = np.empty(len(kept), dtype=np.int64)
    rank[np.lexsort((-sizes[0].max(0), -evidence))] = np.arange(1, len(kept) + 1)
    rows = table.index[kept]
    table.loc[rows, "evidence"] = evidence
    table.loc[rows, "evidence_rank"] = rank
    table.loc[rows, "evidence_between"] = _between(sides, clearest[0], t >= 0, classes)
    table.loc[rows, "evidence_t"] = np.abs(t)
    table.loc[rows, "evidence_backing"] = support[0][clearest]
    return table, _summary(values, sides, classes, draws, design is not None, kinds is not None)


def no_evidence(names: Sequence[str], reason: str) -> tuple[pd.DataFrame, dict]:
    """Return an empty table, and the reason in a statement."""
    return _empty_table(names), {"statement": f"No evidence ranking: {reason}."}


def _empty_table(names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feature": list(names),
            "evidence": np.nan,
            "evidence_rank": pd.array([pd.NA] * len(names), dtype="Int64"),
            "evidence_between": "",
            "evidence_t": np.nan,
            "evidence_backing": np.nan,
        }
    )


def _values_to_compare(X, kept: np.ndarray, depth: np.ndarray | None, design: np.ndarray | None) -> Values:
    """Choose the values of the kept features: Pearson residuals, with the dispersion estimated, if there are counts."""
    X = X.tocsc() if sp.issparse(X) else X
    basis = None if design is None else orthonormal(np.column_stack([np.ones(X.shape[0]), design]))
    if depth is None:
        return Values(X, kept, basis=basis)
    values = Values(X, kept, np.asarray(depth, dtype=np.float64), basis=basis)
    return replace(values, dispersion=estimate_dispersion(values))


def _between(sides, comparison: np.ndarray, first_higher: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Name the two sides of each feature's comparison, the side with the higher values first."""
    labels = []
    for i, rising in zip(comparison, first_higher, strict=True):
        first, second = (side_name(side, classes) for side in sides[i])
        labels.append(f"{first} > {second}" if rising else f"{second} > {first}")
    return labels


def _summary(values: Values, sides, classes: Sequence[str], draws: int, adjusted: bool, overlapping: bool) -> dict:
    n, n_compared = values.X.shape[0], len(values.features)
    dispersion = None if values.depth is None else values.dispersion
    source = (
        "values as they are" if dispersion is None else f"Pearson residuals of counts (dispersion {dispersion:.3g})"
    )
    return {
        "statement": (
            f"Evidence ranking of {n_compared} features on {n} samples in {count(len(sides), 'comparison')} of "
            f"classes, from {source} and the support by correlated features; the score is learnt against "
            f"{count(draws, 'draw')} of shadow features. A ranking without an error rate."
            + (" Labels above others are not compared with those below them." if overlapping else "")
        ),
        "n_samples": n,
        "n_compared": n_compared,
        "comparisons": [" against ".join(side_name(side, classes) for side in pair) for pair in sides],
        "dispersion": dispersion,
        "draws": draws,
        "adjusted": adjusted,
    }
