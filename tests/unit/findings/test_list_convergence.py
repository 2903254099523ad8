"""How well passes agree on the first features of the list to report."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.findings.convergence import make_top_sets, mean_agreement
from deepmapper.findings.list_convergence import ListPasses, assess_list
from deepmapper.findings.recommended import normal_scores

P, K, N = 400, 20, 24
NAMES = [f"g{i}" for i in range(P)]


def passes(seed=0, n=N, noise=1.0):
    """Scores of passes: effects that fall slowly, and noise."""
    rng = np.random.default_rng(seed)
    return (np.linspace(2, 0, P) + noise * rng.normal(size=(n, P))).astype(np.float32)


def listed(scores, **others):
    parts = {"networks": normal_scores(np.abs(scores.mean(0))), **others}
    score = np.mean(list(parts.values()), axis=0)
    table = pd.DataFrame({"feature": NAMES, "score": score}).sample(frac=1, random_state=0)
    return table, NAMES, {"cnn": scores}, parts, K


def test_all_passes_together_give_the_order_of_the_list():
    scores, other = passes(), normal_scores(np.random.default_rng(1).normal(size=P))
    table, *_ = listed(scores, test=other)
    units = (tuple(np.array([i]) for i in range(N)),)
    together = ListPasses((scores,), units, other, 2, np.arange(P), K).top(np.arange(N))
    first = table.sort_values("score", ascending=False)["feature"].head(K)
    assert {NAMES[i] for i in np.flatnonzero(together)} == set(first)


def test_agreement_without_other_parts_is_that_of_the_order_by_the_networks():
    scores = passes()
    curve, summary = assess_list(*listed(scores))
    rng, shared = np.random.default_rng(0), []
    for _ in range(40):
        halves = np.split(rng.permutation(N), 2)
        one, two = (set(np.argsort(-scores[half].mean(0))[:K]) for half in halves)
        shared.append(len(one & two) / K)
    observed = curve.loc[curve["m"] == N // 2, "mean"].iloc[0]
    assert observed == pytest.approx(np.mean(shared), abs=0.05)
    assert summary["n_accepted"] == N and summary["top_k"] == K
    assert summary["statement"].startswith("The first 20 features of the list are")
    assert summary["statement"].endswith("Counted are all passes, those with shadow features among them.")


def test_parts_that_passes_do_not_change_make_the_list_more_stable():
    scores, test = passes(noise=3.0), normal_scores(np.linspace(2, 0, P))
    _, alone = assess_list(*listed(scores))
    _, beside = assess_list(*listed(scores, test=test))
    assert beside["agreement"] > alone["agreement"] + 0.1
    own = make_top_sets(np.abs(scores), K)
    single = mean_agreement(own, np.arange(N), np.array([N // 2]), 20, np.random.default_rng(0))[0]
    assert beside["agreement"] > single


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_what_is_expected_of_other_passes_is_what_other_passes_do(noise, others):
    parts = {"test": normal_scores(np.random.default_rng(9).normal(np.linspace(2, 0, P), 1))} if others else {}
    firsts = []
    for seed in range(40):
        table, *_ = listed(passes(100 + seed, noise=noise), **parts)
        firsts.append(set(table.sort_values("score", ascending=False)["feature"].head(K)))
    truth = np.mean([len(one & two) / K for one, two in zip(firsts[::2], firsts[1::2], strict=True)])
    found = [assess_list(*listed(passes(seed, noise=noise), **parts))[1] for seed in range(4)]
    assert np.mean([each["agreement"] for each in found]) == pytest.approx(truth, abs=0.06)
    assert sum(each["agreement_low"] <= truth <= each["agreement_high"] for each in found) >= 3


def test_models_with_unequal_numbers_of_passes_are_drawn_in_equal_shares():
    table, names, _, parts, k = listed(passes())
    _, summary = assess_list(table, names, {"cnn": passes(), "linear": passes(1, 10)}, parts, k)
    assert summary["n_accepted"] == 10 and "of each of 2 models" in summary["statement"]


@pytest.mark.parametrize("scores", [{}, {"cnn": np.zeros((0, P), dtype=np.float32)}])
def test_a_list_without_networks_is_the_same_with_any_passes(scores):
    table, names, _, parts, k = listed(passes())
    curve, summary = assess_list(table, names, scores, parts, k)
    assert curve.empty and "the same with any passes" in summary["statement"]


def test_few_passes_give_the_observed_agreement_and_say_so():
    table, names, _, parts, k = listed(passes(n=4))
    curve, summary = assess_list(table, names, {"cnn": passes(n=4)}, parts, k)
    assert curve["kind"].eq("observed").all() and "too few to estimate" in summary["statement"]
