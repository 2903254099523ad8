"""Two models on the same samples."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from deepmapper.findings.paired import compare_paired, correct_of


def test_only_samples_that_the_models_disagree_on_count():
    first = np.array([True] * 90 + [True] * 8 + [False] * 2)
    second = np.array([True] * 90 + [False] * 8 + [True] * 2)
    found = compare_paired(first, second)
    assert (found.only_first, found.only_second) == (8, 2)
    assert found.p == pytest.approx(binomtest(8, 10).pvalue)
    assert compare_paired(second, first).p == found.p
    assert compare_paired(first, first).p == 1.0


def test_the_samples_of_a_group_are_one_observation():
    # forty samples of two donors all in favour of the first: of four signs two are as extreme
    first, second = np.ones(40, dtype=bool), np.zeros(40, dtype=bool)
    assert compare_paired(first, second).p < 1e-6
    assert compare_paired(first, second, np.repeat(["d1", "d2"], 20)).p == 0.5


@pytest.mark.parametrize("n_groups", [10, 40])
def test_p_of_groups_is_valid_where_the_models_are_equally_good(n_groups):
    small = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(n_groups), 6)
        lead = rng.choice([-1, 1], n_groups)[groups]  # whole donors are easier for one of the models
        first, second = rng.random(len(groups)) < 0.7 + 0.2 * lead, rng.random(len(groups)) < 0.7 - 0.2 * lead
        small += compare_paired(first, second, groups).p <= 0.1
    assert small <= 32  # of 200 at a rate of 0.1: 32 or fewer in 99.5 %


def test_samples_of_the_test_split_are_evaluated_or_those_out_of_bag():
    table = pd.DataFrame(
        {
            "cell": ["a", "b", "c"],
            "split": ["test", "out_of_bag", "none"],
            "label": ["x", "x", "x"],
            "prediction": ["x", "y", None],
        }
    )
    assert correct_of(table).to_dict() == {"a": True}
    assert correct_of(table[1:]).to_dict() == {"b": False}
