"""What a run says about its target samples: numbers, and sentences with their rates and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.words import count, listed, percent
from ..errors import InputError
from .exchangeable import DIFFERENT, Comparison
from .model import Model
from .naming import AMBIGUOUS, ASSIGNED, EMPTY, NEW, Named
from .own_cells import own_caution
from .shift import SPREAD

# Shares of the importance that may lie on missing features before it is said loudly, and refused; chosen by hand.
LOUD, REFUSED = 0.2, 0.5

# Where no cell is new, the smallest q up to which strange cells are spoken of. Chosen by hand.
NEARLY = 0.25


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
    n, p, share = len(source["missing"]), len(model.features), percent(lost, 0)
    if lost > REFUSED:
        raise InputError(
            f"{source['source']}: {n} of {p} features of the model are missing, with {share} of the importance: its "
            f"samples cannot be named. Check that it is the same organism and that features are named in the same way; "
            f"if so, train a model of the features that both have."
        )
    if lost <= LOUD:
        return ""
    return (
        f"{source['source']} lacks {n} of {p} features of the model, with {share} of the importance: its labels are "
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
        The files: "source", "n_cells", "missing", "n_other", "n_own" (samples from which the model learned), and
        "units", what is to be said about how a file was normalised, if there is something.
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
        "statement": sentence(verdicts, model.signal, comparison, named.aligned is not None, level, named.complete),
        "rate": _rate(model, named, level),
        "coverage": _coverage(named, level),
        "cautions": [
            text
            for source, factor in zip(sources, factors, strict=True)
            for text in (
                _of_units(source),
                own_caution(source["source"], source["n_own"], source["n_cells"]),
                check_lost(model, source),
                _of_factors(source, *factor),
            )
            if text
        ]
        + (nearly_new(named, model.over, level) if model.signal is not False and not comparison.differs else []),
        "n_cells": len(table),
        "verdicts": verdicts,
        "labels": table.loc[table["verdict"].isin([ASSIGNED, AMBIGUOUS]), "label"].value_counts().to_dict(),
        "level": level,
        "calibrated_over": model.over,
        "rate_holds": False if comparison.differs else True if comparison.known and named.complete else None,
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
    """Comparison of the values by which samples were named."""
    return named.comparison if named.aligned is None else named.aligned.comparison


def _factors(named: Named, sources: Sequence[Mapping[str, Any]]) -> list[tuple[float | None, bool]]:
    """How much the factors of the features of every file vary, and whether they were removed."""
    if not named.spreads:
        return [(None, False)] * len(sources)
    return [
        (None if np.isnan(spread) else spread, named.aligned is not None and spread >= SPREAD)
        for spread in named.spreads
    ]


def _of_units(source: Mapping[str, Any]) -> str:
    return f"{source['source'] or 'The matrix'}: {source['units']}" if source.get("units") else ""


def _of_factors(source: Mapping[str, Any], spread: float | None, aligned: bool) -> str:
    if spread is None or spread < SPREAD:
        return ""
    text = (
        f"{source['source'] or 'The matrix'}: features differ from those of the reference by factors of their own "
        f"(typically {np.exp(spread):.1f}-fold, in cells of the same class)"
    )
    if not aligned:
        return (
            f"{text}; labels were given to the values as they are, because target and reference still differ without "
            f"these factors, or the shares of their classes do."
        )
    return f"{text}. Cells were named and judged after these factors were removed."


def nearly_new(named: Named, over: str, level: float) -> list[str]:
    """Return a caution if cells are strange and none is called new: what it would take; nothing otherwise.

    Parameters
    ----------
    named
        Result of `naming.name_samples`.
    over
        What the p-values are about, "cells" or "domain".
    level
        Level of the verdicts.
    """
    tested = ~np.isnan(named.p)
    best = float(named.q[tested].min()) if tested.any() else 1.0
    if not level < best <= NEARLY:
        return []
    n, strange = int(tested.sum()), named.q <= best * (1 + 1e-9)
    n_strange, p = int(strange.sum()), float(named.p[strange].max())
    if p > level:
        return []  # that is not strange, however many there are
    # by the same factor more of them, or smaller p
    needed, allowed = int(np.ceil(n_strange * best / level - 1e-9)), p * level / best
    text = (
        f"No cell is new at this level, but {count(n_strange, 'cell')} of {n:,} "
        f"{'is' if n_strange == 1 else 'are'} nearly so (q ≤ {best:.2g} and p ≤ {p:.2g})"
    )
    more = f"at least {needed:,} cells would have to be as strange"
    n_labelled = round(1 / named.min_p) - 1
    if over != "cells":
        return [f"{text}: with this p {more}. Look at q, and at their genes."]
    if p <= named.min_p * (1 + 1e-9):
        return [
            f"{text}: they are stranger than all labelled cells, but p cannot be smaller with {n_labelled:,} of these. "
            f"To be new, {more}, or {int(np.ceil(1 / allowed - 1e-9)) - 1:,} cells be labelled, none of them as "
            f"strange. Look at q, and at their genes."
        ]
    n_as_strange = f"about {round(p * (n_labelled + 1)) - 1:,} of {n_labelled:,} labelled cells are as strange"
    return [
        f"{text}: {n_as_strange}. To be new, {more}, or p be at most {allowed:.2g}. Look at q, and at the genes of "
        f"these cells; also whether the labelled cells with the least probability of their label are mislabelled."
    ]


def sentence(
    verdicts: Mapping[str, int],
    signal: bool | None,
    comparison: Comparison,
    aligned: bool,
    level: float,
    complete: bool = True,
) -> str:
    """Return the one sentence of the summary page.

    Parameters
    ----------
    verdicts
        Number of cells by verdict; without signal all are of none of these.
    signal
        Whether the model has any; None if that is not known.
    comparison
        Of target and reference, in the values as they came.
    aligned
        Whether factors of features were removed.
    level
        Level of the verdicts.
    complete
        Whether the files have the features that matter.
    """
    if signal is False:
        return "No signal: the passes are no better than on permuted labels, so no cell is named."
    n_one, n_several, n_new, n_empty = (verdicts[word] for word in (ASSIGNED, AMBIGUOUS, NEW, EMPTY))
    total = count(n_one + n_several + n_new + n_empty, "unlabelled cell", separator=",")
    empty = f" ({n_empty:,} without counts {_is(n_empty)} not named)" if n_empty else ""
    has = "has" if n_one == 1 else "have"
    text = f"Of {total}{empty}, {n_one:,} {has} one label, {n_several:,} several that cannot be told apart, and "
    text += f"{n_new:,} {_is(n_new)} new"
    if comparison.differs:
        why = (
            "the target had to be aligned first"
            if aligned
            else f"target and reference differ in cells of the same class (AUC {comparison.auc:.2f})"
        )
        what = "how many of the new ones are false" if n_new else "how many of the known ones would be called new"
        return f"{text}; {what} is not known, because {why}."
    if not n_new:
        return f"{text}."
    text += f". At most {percent(level)} of the new ones are expected to be cells of a known class"
    if not comparison.known:
        text += ", provided that target and reference do not differ"
        if n_new <= n_one + n_several:
            return f"{text}; too few cells have a class that is certain enough to check that."
        return (
            f"{text}. Too few of the others are left to check that: if all cells come from another technology or "
            f"study, or were normalised in another way, all of them may be of known classes."
        )
    return f"{text}." if complete else f"{text}, provided that the missing features make no difference."


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def _rate(model: Model, named: Named, level: float) -> str:
    """What the rates are, and on what condition."""
    comparison = named.comparison
    of = "a further sample" if model.over == "domain" else "the same samples"
    if comparison.differs:
        interval = f"{comparison.low:.2f} to {comparison.high:.2f}"
        text = (
            f"Rates are withheld: a classifier tells cells of the target from cells of the reference of the same class "
            f"with an AUC of {comparison.auc:.2f} ({interval}; above {DIFFERENT} it matters)"
        )
        if named.aligned is not None:
            return (
                f"{text}. Once the factors of the features are removed it no longer does, and p and q are those of "
                f"these values; but the factors were estimated from the same cells, and noise is not removed with them."
            )
        return (
            f"{text}. p and q would hold for cells of {of}; here cells of known classes may be called new far more "
            f"often than {percent(level)}."
        )
    text = (
        f"A cell of a known class has p ≤ {level:g} with a probability of about {percent(level)} (at most twice that "
        f"in theory, since p is averaged over rounds of passes); of the cells with the verdict new (q ≤ {level:g}), at "
        f"most {percent(level)} are expected to be of a known class. Both hold for cells of {of}"
    )
    if not comparison.known:
        text += (
            "; whether target and reference are alike could not be checked, since too few of the cells that are not "
            "strange have a class that is certain"
        )
    else:
        interval = f"{comparison.low:.2f} to {comparison.high:.2f}"
        text += f"; target and reference could hardly be told apart (AUC {comparison.auc:.2f}, {interval})"
    if not named.complete:
        text += (
            f". Yet labelled cells have features with {percent(named.lost, 0)} of the importance that a file lacks, "
            f"so more of its cells than that may have a small p or be called new"
        )
    if named.aligned is None:
        return f"{text}."
    return (
        f"{text}. The factors that were removed were estimated from the same cells, which the rates do not allow for."
    )


def _coverage(named: Named, level: float) -> str:
    share = percent(1 - level)
    text = f"In every class, the set of labels of a cell contains the true one with a probability of about {share}"
    if not named.marginal:
        return f"{text}."
    class_, verb, own = ("class", "has", "its") if len(named.marginal) == 1 else ("classes", "have", "their")
    few = f"the {class_} {listed(named.marginal)} {verb} too few cells for a coverage of {own} own"
    return f"{text}; {few}, and {verb} that of all classes together."
