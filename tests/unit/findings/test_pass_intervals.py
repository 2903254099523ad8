"""Bootstrap intervals over passes."""

import numpy as np

from deepmapper.findings import pass_intervals


def test_intervals_contain_the_value_and_narrow_with_the_number_of_passes():
    rng = np.random.default_rng(0)
    truth = np.linspace(1, 2, 200)
    widths = []
    for n in (10, 160):
        values = (truth + rng.normal(0, 0.3, (n, 200))).astype(np.float32)
        low, high = pass_intervals.importance_intervals(values)
        assert ((low <= np.median(values, 0)) & (np.median(values, 0) <= high)).all()
        rank_low, rank_high = pass_intervals.rank_intervals(values)
        assert ((rank_low >= 1) & (rank_high <= 200) & (rank_low <= rank_high)).all()
        ranks = np.argsort(np.argsort(-values.mean(0))) + 1
        assert ((rank_low <= ranks) & (ranks <= rank_high)).mean() > 0.9
        widths.append(((high - low).mean(), (rank_high - rank_low).mean()))
    assert widths[1][0] < widths[0][0] / 2
    assert widths[1][1] < widths[0][1]
    for first, second in zip(pass_intervals.rank_intervals(values), pass_intervals.rank_intervals(values), strict=True):
        np.testing.assert_array_equal(first, second)


def test_blocks_do_not_change_the_intervals():
    values = np.random.default_rng(0).random((7, 50)).astype(np.float32)
    for interval in (pass_intervals.importance_intervals, pass_intervals.rank_intervals):
        np.testing.assert_array_equal(interval(values, max_values=1), interval(values))
