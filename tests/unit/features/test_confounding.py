"""How well confounders alone predict the classes, and strata that preserve this in control passes."""

import numpy as np
import pandas as pd

from deepmapper.features.confounder_tests import (
    confounder_accuracy,
    draw_null_strata,
    evaluate_confounders,
    evaluate_design,
)
from deepmapper.features.confounders import confounder_columns
from deepmapper.features.design import Design, make_design
from deepmapper.features.label_permutations import shuffle_labels
from deepmapper.features.samples import Samples
from deepmapper.findings import ranking, signal_test
from deepmapper.passes.train import train_pass


def test_a_confounder_of_the_label_predicts_it_and_noise_does_not():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    informative = evaluate_design(Design((y + rng.normal(0, 0.6, 200))[:, None] - 0.5, ("depth",)), y)
    noises = [evaluate_design(Design(rng.normal(size=(200, 1)), ("noise",)), y) for _ in range(9)]
    none = evaluate_design(Design(np.zeros((200, 0)), ()), y)
    assert informative.macro_auc_low > 0.7 and informative.accuracy > 0.7 > informative.majority_accuracy
    assert abs(np.median([noise.macro_auc for noise in noises]) - 0.5) < 0.05
    assert sum(noise.macro_auc_low > 0.5 for noise in noises) <= 1
    assert none.macro_auc == 0.5 and none.accuracy == none.majority_accuracy
    assert evaluate_design(Design(np.zeros((200, 0)), ()), y) == none


def test_folds_do_not_split_groups():
    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(10), 20)
    y = donor % 2
    marks = Design(np.eye(10)[donor] + rng.normal(0, 0.01, (200, 10)), tuple(f"donor={i}" for i in range(10)))
    assert evaluate_design(marks, y).accuracy > 0.95
    assert evaluate_design(marks, y, groups=donor).accuracy < 0.7


def test_every_confounder_is_evaluated_and_the_statement_is_about_those_adjusted_for():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    columns = pd.DataFrame({"depth": y + rng.normal(0, 0.6, 200), "batch": rng.choice(["a", "b"], 200), "same": 1.0})
    summary = evaluate_confounders(columns, ["depth", "batch"], y)
    by_name = {record["confounder"]: record for record in summary["alone"]}
    assert list(by_name) == ["depth", "batch", "same", "all together"]
    assert [by_name[name]["adjusted"] for name in by_name] == [True, True, False, True]
    assert by_name["depth"]["accuracy"] > 0.7 and by_name["same"]["macro_auc"] == 0.5
    numbers = {name: f"{record['accuracy']:.3f} (200 samples, largest class 0.5" for name, record in by_name.items()}
    expected = "Adjusted for depth, batch. Together they predict the class with accuracy "
    assert summary["statement"].startswith(expected + numbers["all together"])
    expected = "Nothing was adjusted for. Depth alone predicts the class with accuracy "
    assert evaluate_confounders(columns[["depth"]], [], y)["statement"].startswith(expected + numbers["depth"])
    assert "no confounder could be computed" in evaluate_confounders(columns[[]], [], y)["statement"]


def test_accuracy_is_of_samples_that_were_not_fitted():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    design = rng.normal(size=(400, 30))  # enough noise to be learnt by heart
    train, test = np.arange(100), np.arange(100, 400)
    assert confounder_accuracy(design, y, train=train, test=test) < 0.6
    assert confounder_accuracy(design, y, train=train, test=test[:0]) < 0.65
    design[:, 0] = y
    assert confounder_accuracy(design, y, train=train, test=test) > 0.9


def test_null_strata_hold_categories_exactly_and_numbers_nearly():
    rng = np.random.default_rng(0)
    batch = np.repeat([0, 1, 2], 40)
    y = (rng.random(120) < 0.2 + 0.3 * batch).astype(np.int64)
    strata, why = draw_null_strata(make_design(pd.DataFrame({"batch": [f"b{code}" for code in batch]})).values, y)
    assert len(np.unique(strata)) == 3 and all(len(np.unique(strata[batch == code])) == 1 for code in range(3))
    assert why == "Control passes permute labels within 3 strata of equal confounders."
    depth = rng.normal(size=900)
    for y in (
        (depth + rng.normal(0, 1, 900) > 0).astype(np.int64),
        np.digitize(depth + rng.normal(0, 1, 900), [-1, 1]),
    ):
        strata, why = draw_null_strata(depth[:, None], y)
        assert len(np.unique(strata)) > 10 and "about equally probable" in why
        drawn = [shuffle_labels(y, None, np.random.default_rng(i), strata) for i in range(20)]
        real = np.corrcoef(depth, y)[0, 1]
        assert real - 0.06 < np.mean([np.corrcoef(depth, labels)[0, 1] for labels in drawn]) < real + 0.01
        for labels in drawn[:3]:
            for code in np.unique(strata):
                np.testing.assert_array_equal(np.sort(labels[strata == code]), np.sort(y[strata == code]))


def test_null_strata_lie_within_groups_or_there_are_none():
    rng = np.random.default_rng(0)
    groups, depth = np.repeat([7, 9], 200), rng.normal(size=400)
    y = (depth + rng.normal(0, 1, 400) > 0).astype(np.int64)
    strata, _ = draw_null_strata(depth[:, None], y, groups)
    assert all(len(np.unique(groups[strata == code])) == 1 for code in np.unique(strata))
    none, why = draw_null_strata(depth[:, None], (groups == 7).astype(np.int64), groups)
    assert none is None and "whole groups" in why
    none, why = draw_null_strata(depth[:20, None], y[:20])
    assert none is None and "20 samples are too few" in why


def test_a_label_that_depends_on_depth_alone_is_no_signal(quick):
    """Control passes that hold depth are as accurate as real ones; those that do not are far below."""
    rng = np.random.default_rng(1)
    depth = rng.normal(0, 0.5, 600)
    y = (rng.random(600) < 1 / (1 + np.exp(-5 * depth))).astype(np.int64)
    counts = rng.poisson(np.exp(depth)[:, None] * rng.gamma(1, 1.0, 40)).astype(np.float32)
    columns = confounder_columns(pd.DataFrame(index=range(600)), ["depth"], counts=counts)
    strata, _ = draw_null_strata(make_design(columns).values, y)
    config = quick("linear", epochs=15, attribution="saliency", attribution_samples=2)
    X = np.log1p(counts)

    def trained(seeds, codes=None, **options):
        return [train_pass(Samples(X, y, ("a", "b"), strata=codes), config, seed, **options) for seed in seeds]

    real = trained(range(4))
    held, free = (trained(range(6), codes, permute_labels=True) for codes in (strata, None))
    reached, null, plain = (np.mean([result.accuracy for result in results]) for results in (real, held, free))
    assert reached > 0.65 and abs(reached - null) < 0.04 and plain < 0.58
    findings = ranking.accumulate_passes(real, 5, 0.0)
    assert signal_test.compare_with_controls(findings, held).signal is False
    assert signal_test.compare_with_controls(findings, free).signal is True
