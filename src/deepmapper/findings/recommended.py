"""The one list to report: the networks, the test of single features and the evidence in one order with one error rate.

No single column orders features best in every study (benchmarks/README.md, "One order"): the size of a fold change does
in few bulk samples, the networks' z where features depend on each other, the evidence among cells. The order is
therefore by the mean of their normal scores. The error rate comes from one of them, the one whose rate holds:

- samples, or sums of the cells of a donor, are independent observations: the q of the test of single features;
- cells without donors: the q of the networks, whose shadow features share what cells have in common. The rank-sum test
  of cells calls more false features (composition of the libraries, for example), and gives the rate only if the
  networks have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.words import at_most_about, count, listed
from ..reads.denovo import is_denovo

# Tests whose observations are independent samples.
_OF_SAMPLES = ("deseq2", "linear")


@dataclass(frozen=True, eq=False)
class NetworkResult:
    """What the networks of one model say about the features.

    Attributes
    ----------
    name
        Name of the model.
    signal
        Whether the model found signal; None if that is undecided.
    table
        One row per feature: `feature`, `median_importance` and, with shadow passes, `z` and `q`. Empty if no pass was
        accepted.
    min_q
        The smallest q-value that a single feature can have; infinite without shadow passes.
    """

    name: str
    signal: bool | None
    table: pd.DataFrame
    min_q: float


@dataclass(frozen=True, eq=False)
class Recommendation:
    """The list to report.

    Attributes
    ----------
    table
        Contents of recommended.tsv, best first.
    summary
        Contents of recommended.json, which begins with a statement in words.
    parts
        The parts whose mean orders the features, by name: (p,) normal scores, in the order of the matrix.
    """

    table: pd.DataFrame
    summary: dict
    parts: dict[str, np.ndarray]


def network_result(
    name: str, ranking: pd.DataFrame, ranking_summary: Mapping, significance: pd.DataFrame, error_rates: Mapping
) -> NetworkResult:
    """Collect what the networks of a model say from its ranking and significance, tables and summaries."""
    table = ranking[["feature", "median_importance"]]
    min_q = np.inf
    if len(table) and "z" in significance:
        table = table.merge(significance[["feature", "z", "q"]], on="feature", how="left")
        min_q = error_rates["min_p"] * error_rates["n_tested"]
    return NetworkResult(name, ranking_summary["signal"], table, min_q)


def recommend(
    names: Sequence[str],
    models: Sequence[NetworkResult],
    differential: pd.DataFrame,
    about_test: Mapping,
    evidence: pd.DataFrame,
    level: float,
) -> Recommendation:
    """Order all features and say which to report.

    Parameters
    ----------
    names
        Names of all features, in the order of the matrix.
    models
        Results of every model.
    differential
        Contents of differential_features.tsv; its numbers are missing if nothing was tested.
    about_test
        Contents of differential.json: "test" ("deseq2", "linear", "wilcoxon" or ""), "method", which is the test in
        words, "withheld", whether it gives no list because other divisions of the samples differ as much, and
        "confounded", a sentence on a column that nothing tells from the classes, or "".
    evidence
        Contents of evidence.tsv: `feature` and `evidence`.
    level
        False discovery rate up to which features are reported.
    """
    names = list(names)
    single, test = differential.set_index("feature").reindex(names), about_test["test"]
    used = [model for model in models if len(model.table) and model.signal is not False]
    used = used or [model for model in models if len(model.table)]
    order = _network_score(used, names)
    parts = {"networks": order} if used else {}
    if single["differential_strength"].notna().any():
        parts["test"] = normal_scores(single["differential_strength"].to_numpy(dtype=float))
    weighed = evidence.set_index("feature").reindex(names)["evidence"].to_numpy(dtype=float)
    if test not in _OF_SAMPLES and np.isfinite(weighed).any():
        parts["evidence"] = normal_scores(weighed)
    score = np.mean(list(parts.values()), axis=0) if parts else np.zeros(len(names))
    test_q = single["differential_q"].to_numpy(dtype=float)
    network_q = _network_q(used, names)
    source, q = "test", np.full(len(names), np.nan)
    if not about_test["withheld"]:
        source, q = _choose_rate(test, test_q, network_q, [model for model in used if model.min_q <= level])
    reported = q <= level
    table = pd.DataFrame(
        {
            "feature": names,
            "reported": reported,
            "q": q,
            "found_by": _found_by(test_q <= level, network_q <= level),
            "higher_in": single["higher_in"].fillna("").to_numpy(dtype=object),
            "log2_fold_change": single["log2_fold_change"].to_numpy(dtype=float),
            "differential_q": test_q,
            "network_q": network_q,
            "score": score,
            "is_denovo": [is_denovo(name) for name in names],
        }
    )
    place = np.lexsort((-score, ~reported))
    table = table.iloc[place].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return Recommendation(table, _summary(table, source, about_test, list(parts), used, models, level), parts)


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Quantiles of the normal distribution at the ranks of the values; missing values come last, ties are averaged."""
    from scipy.stats import norm, rankdata

    filled = np.where(np.isnan(values), -np.inf, values)
    return norm.ppf((rankdata(filled) - 0.5) / len(filled))


def _network_score(models: Sequence[NetworkResult], names: Sequence[str]) -> np.ndarray:
    """Mean over the models of the normal scores of z, or of the importance without shadow passes."""
    if not models:
        return np.full(len(names), np.nan)
    scores = []
    for model in models:
        table = model.table.set_index("feature").reindex(names)
        values = table["median_importance"].to_numpy(dtype=float)
        if "z" in table:
            # features that were not tested have z = 0 and follow by importance
            values = table["z"].to_numpy(dtype=float) + 1e-9 * normal_scores(values)
        scores.append(normal_scores(values))
    return np.mean(scores, axis=0)


def _network_q(models: Sequence[NetworkResult], names: Sequence[str]) -> np.ndarray:
    """Smallest q of the models times their number (Bonferroni); NaN where none was tested."""
    tested = [model.table.set_index("feature").reindex(names)["q"] for model in models if "q" in model.table]
    if not tested:
        return np.full(len(names), np.nan)
    smallest = np.stack([q.to_numpy(dtype=float) for q in tested])
    known = ~np.isnan(smallest)
    smallest = np.where(known, smallest, np.inf).min(axis=0)
    return np.where(known.any(axis=0), np.minimum(smallest * len(tested), 1.0), np.nan)


def _choose_rate(
    test: str, test_q: np.ndarray, network_q: np.ndarray, with_room: Sequence[NetworkResult]
) -> tuple[str, np.ndarray]:
    """Choose whose q-values the list has: "test", "networks", or "" if there are none."""
    has_test = bool(np.isfinite(test_q).any())
    if has_test and test in _OF_SAMPLES:
        return "test", test_q
    if with_room:
        return "networks", network_q
    if has_test:
        return "test", test_q
    has_networks = bool(np.isfinite(network_q).any())
    return ("networks", network_q) if has_networks else ("", np.full(len(test_q), np.nan))


def _found_by(by_test: np.ndarray, by_networks: np.ndarray) -> np.ndarray:
    return np.select(
        [by_test & by_networks, by_test, by_networks], ["test and networks", "test", "networks"], default=""
    ).astype(object)


_PARTS = {"networks": "the networks' z", "test": "the test of single features", "evidence": "the evidence"}


def _order(parts: Sequence[str]) -> str:
    """Say what the order rests on."""
    if len(parts) < 2:
        return f"Ordered by {parts[0]}." if parts else ""
    return f"Each feature is placed by its mean rank in {', '.join(parts[:-1])} and {parts[-1]}."


def _summary(
    table: pd.DataFrame,
    source: str,
    about_test: Mapping,
    parts: Sequence[str],
    used: Sequence[NetworkResult],
    models: Sequence[NetworkResult],
    level: float,
) -> dict:
    n = int(table["reported"].sum())
    rate = {"test": about_test["method"], "networks": f"shadow features, {listed([model.name for model in used])}"}.get(
        source, ""
    )
    if about_test["withheld"]:
        statement = f"No feature to report. {about_test['statement']}"
    elif not source:
        statement = "There is no error rate, so no feature is reported; the order gives hypotheses only."
        statement = f"{statement} {about_test['confounded']}".rstrip()
    elif n and about_test["confounded"]:
        statement = (
            f"{count(n, 'feature', separator=',')} {'differs' if n == 1 else 'differ'} between the classes at a false "
            f"discovery rate of {level:g} ({rate}), whatever the cause: {at_most_about(n * level)} expected to differ "
            f"by chance only. {about_test['confounded']}"
        )
    elif n:
        statement = (
            f"{count(n, 'feature', separator=',')} to report at a false discovery rate of {level:g} ({rate}): "
            f"{at_most_about(n * level)} expected to be false."
        )
    else:
        statement = f"No feature to report at a false discovery rate of {level:g} ({rate})."
        n_of_test = int((table["differential_q"] <= level).sum())
        if source == "networks" and n_of_test and all(model.signal is False for model in used):
            statement += (
                f" {count(n_of_test, 'feature', separator=',')} {'differs' if n_of_test == 1 else 'differ'} when each "
                f"is tested alone; networks without signal can neither confirm nor refute that."
            )
    alone = {
        who: int((table["found_by"] == text).sum())
        for who, text in (("both", "test and networks"), ("test", "test"), ("networks", "networks"))
    }
    left_out = [model.name for model in models if model not in used]
    return {
        "statement": statement,
        "order": _order([_PARTS[part] for part in parts]),
        "level": level,
        "rate_from": source,
        "n_reported": n,
        "n_found_by": alone,
        "models": [model.name for model in used],
        "models_left_out": left_out,
    }
