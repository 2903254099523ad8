"""Areas under the ROC curve."""

import numpy as np

from deepmapper.core.auc import auc, weighted_auc


def test_the_area_of_rows_that_count_several_times():
    rng = np.random.default_rng(0)
    for _ in range(20):
        score, positive, rows = rng.integers(0, 9, 50) / 7, rng.random(50) < 0.3, rng.integers(0, 50, 50)
        expected = auc(score[rows], positive[rows])
        assert weighted_auc(score, positive)(np.bincount(rows, minlength=50)) == expected
    assert np.isnan(weighted_auc(score, positive)(positive.astype(int)))
