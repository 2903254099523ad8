"""What a run says about its target samples: numbers, and sentences with their rates and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.words import count, listed
from ..errors import InputError
from .exchangeable import DIFFERENT, Comparison
from .model import Model
from .naming import AMBIGUOUS, ASSIGNED, EMPTY, NEW, Named
from .shift import SPREAD

# Shares of the importance that may lie on missing features before it is said loudly, and refused; chosen by hand.
LOUD, REFUSED = 0.2, 0.5


def lost_importance(model: Model, missing: Sequence[str]) -> float:
    """Return the share of the importance that lies on missing features."""
    gone = np.isin(np.array(model.features, dtype=object), list(missing))
    total = float(model.importance.sum())
    return float(model.importance[gone].sum() / total) if total > 0 else 0.0


def check_lost(model: Model, source: Mapping[str, Any]) -> str:
    """Return a caution about the missing features of a file; "" if they matter little.

    Raises
    ------
    InputError
        If most of the importance lies on features that it lacks.
    """
    lost = lost_importance(model, source["missing"])
    n, p = len(source["missing"]), len(model.features)
    if lost > REFUSED:
        raise InputError(
            f"{source['source']}: {n} of {p} features of the model are missing, with {lost:.0%} of the importance: its "
            f"samples cannot be named. Check that it is the same organism and that features are named in the same way."
        )
    if lost <= LOUD:
        return ""
    return (
        f"{source['source']} lacks {n} of {p} features of the model, with {lost:.0%} of the importance: its labels are "
        f"less certain than their probabilities say."
    )


def describe_target(
    named: Named,
    table: pd.DataFrame,
    model: Model,
    level: float,
    sources: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return `target.json`.

    Parameters
    ----------
    named, table
        Results of `naming.name_samples` and `naming.verdict_table`.
    model
        The model.
    level
        Level of the verdicts.
    sources
        The files: "source", "n_cells", "missing", "n_other".
    """
    comparison = named.comparison
    verdicts = {word: int((named.verdict == word).sum()) for word in (ASSIGNED, AMBIGUOUS, NEW, EMPTY)}
    factors = _factors(named, sources)
    lost = [
        {
            **source,
            "importance_lost": lost_importance(model, source["missing"]),
            "missing": len(source["missing"]),
            "spread": spread,
            "aligned": aligned,
        }
        for source, (spread, aligned) in zip(sources, factors, strict=True)
    ]
    given = table["given"].notna() & table["given"].isin(model.classes) & table["label"].notna()
    agreement = float((table["label"] == table["given"])[given].mean()) if given.any() else None
    return {
        "statement": _statement(verdicts, model, comparison, level, len(table)),
        "rate": _rate(model, comparison, level),
        "coverage": _coverage(named, level),
        "cautions": [
            text
            for source, factor in zip(sources, factors, strict=True)
            for text in (check_lost(model, source), _of_factors(source, *factor))
            if text
        ],
        "n_cells": len(table),
        "verdicts": verdicts,
        "labels": table.loc[table["verdict"].isin([ASSIGNED, AMBIGUOUS]), "label"].value_counts().to_dict(),
        "level": level,
        "calibrated_over": model.over,
        "rate_holds": None if not comparison.known else not comparison.differs,
        "comparison": {
            "n": comparison.n,
            "auc": comparison.auc,
            "auc_low": comparison.low,
            "auc_high": comparison.high,
            "classes": list(comparison.classes),
        },
        "temperature": model.temperature,
        "neighbours": model.neighbours.k if _for_labels(named).differs else 0,
        "shares": dict(zip(model.classes, named.shares.tolist(), strict=True)),
        "signal": model.signal,
        "n_passes": len(model.members),
        "agrees_with_given": agreement,
        "sources": lost,
    }


def _for_labels(named: Named) -> Comparison:
    """Comparison of the values by which labels were given."""
    return named.comparison if named.aligned is None else named.aligned.comparison


def _factors(named: Named, sources: Sequence[Mapping[str, Any]]) -> list[tuple[float | None, bool]]:
    """How much the factors of the features of every file vary, and whether they were removed."""
    if not named.spreads:
        return [(None, False)] * len(sources)
    return [
        (None if np.isnan(spread) else spread, named.aligned is not None and spread >= SPREAD)
        for spread in named.spreads
    ]


def _of_factors(source: Mapping[str, Any], spread: float | None, aligned: bool) -> str:
    if spread is None or spread < SPREAD:
        return ""
    text = (
        f"{source['source'] or 'The matrix'}: features differ from those of the reference by factors of their own "
        f"(typically {np.exp(spread):.1f}-fold, in cells of the same class)"
    )
    if not aligned:
        return (
            f"{text}; labels were given to the values as they are: without these factors, target and reference "
            f"still differ, or the shares of their classes do."
        )
    return (
        f"{text}. Labels were given after these factors were removed; p, q and the verdict new are those of the values "
        f"as they came, so cells of known classes may be called new far more often than the level says."
    )


def _statement(verdicts: Mapping[str, int], model: Model, comparison: Comparison, level: float, n: int) -> str:
    """The one sentence of the summary page."""
    if model.signal is False:
        return f"No signal: the passes are no better than on permuted labels, so none of {count(n, 'cell')} is named."
    of = f"Of {count(n, 'unlabelled cell', separator=',')}, {verdicts[ASSIGNED]:,} have one label"
    parts = [of, f"{verdicts[AMBIGUOUS]:,} several that cannot be told apart", f"{verdicts[NEW]:,} are new"]
    text = f"{parts[0]}, {parts[1]}, and {parts[2]}"
    if verdicts[EMPTY]:
        text += f" ({verdicts[EMPTY]:,} without counts are not named)"
    if comparison.differs:
        return (
            f"{text}; how many of the new ones are false is not known, because target and reference differ in cells of "
            f"the same class (AUC {comparison.auc:.2f})."
        )
    if not verdicts[NEW]:
        return f"{text}."
    return f"{text}, of which at most {level:.0%} are expected to be cells of a known class{_unless(comparison)}."


def _unless(comparison: Comparison) -> str:
    return "" if comparison.known else ", if target and reference do not differ, which too few cells could tell"


def _rate(model: Model, comparison: Comparison, level: float) -> str:
    """What the rates are, and on what condition."""
    of = "a further sample" if model.over == "domain" else "the same samples"
    if comparison.differs:
        interval = f"{comparison.low:.2f} to {comparison.high:.2f}"
        return (
            f"Rates are withheld: a classifier tells cells of the target from cells of the reference of the same class "
            f"with an AUC of {comparison.auc:.2f} ({interval}; above {DIFFERENT} it matters). p and q would hold for "
            f"cells of {of}; here cells of known classes may be called new far more often than {level:.0%}."
        )
    text = (
        f"A cell of a known class has p ≤ {level:g} with a probability of about {level:.0%} (at most twice that in "
        f"theory, since p is averaged over rounds of passes); of the cells with the verdict new (q ≤ {level:g}), at "
        f"most {level:.0%} are expected to be of a known class. Both hold for cells of {of}"
    )
    if not comparison.known:
        return f"{text}; too few cells are beyond question to check whether target and reference are alike."
    return (
        f"{text}; target and reference could not be told apart by much (AUC {comparison.auc:.2f}, {comparison.low:.2f} "
        f"to {comparison.high:.2f})."
    )


def _coverage(named: Named, level: float) -> str:
    text = f"In every class, the set of labels of a cell has the true one with a probability of about {1 - level:.0%}"
    if not named.marginal:
        return f"{text}."
    verb = "has" if len(named.marginal) == 1 else "have"
    return f"{text}; {listed(named.marginal)} {verb} too few cells, and the coverage of all classes together."
