"""Scans of shards are merged to the statistics of the whole."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.features.store import Features
from deepmapper.findings.scans import merge_scans, read_scan, scan_samples, write_scan
from deepmapper.findings.statistics import feature_statistics
from deepmapper.io.expression import Expression

N, P = 240, 400


@pytest.fixture(params=[False, True], ids=["one batch", "three batches"])
def study(request):
    """Features of a run, and the matrix that they were prepared from, which has 20 further samples."""
    rng = np.random.default_rng(3)
    counts = sp.csr_matrix(rng.negative_binomial(1, 0.3, (N + 20, P)) * (rng.random((N + 20, P)) < 0.4), dtype=float)
    names = [f"c{i}" for i in range(N + 20)]
    rows = np.sort(rng.choice(N + 20, N, replace=False))
    features = Features(
        sp.csr_matrix(counts[rows].log1p(), dtype=np.float32),
        np.arange(N) % 2,
        ("a", "b"),
        tuple(f"g{i}" for i in range(P)),
        tuple(names[row] for row in rows),
        (np.arange(N) % 4 == 3).astype(np.uint8),
        groups=np.arange(N) % 3 if request.param else None,
    )
    tables = pd.DataFrame(index=names), pd.DataFrame(index=list(features.names))
    return features, Expression(sp.csr_matrix(counts, dtype=np.float32), *tables)


def test_scans_of_shards_give_the_statistics_of_the_whole(study, tmp_path):
    features, expression = study
    paths = [tmp_path / f"{i}.npz" for i in range(4)]
    for path, first, last in zip(paths, (0, 100, 101, 180), (100, 101, 180, None), strict=True):
        write_scan(path, scan_samples(features, expression, first, last))
    merged = merge_scans(map(read_scan, paths))
    assert merged.values.n == len(features.development)
    whole = feature_statistics(features, expression, False, tmp_path).table
    made = feature_statistics(features, expression, False, tmp_path, merged).table
    pd.testing.assert_frame_equal(made, whole, rtol=1e-12, atol=0)
    assert whole["hvg_rank"].notna().any()


def test_one_shard_with_fractions_is_enough_to_say_so(study, tmp_path):
    features, expression = study
    last = expression.rows_of(features.names_of(features.development))[-1]
    expression.X.data[expression.X.indptr[last]] = 0.5
    scans = [scan_samples(features, expression, 0, 200), scan_samples(features, expression, 200)]
    assert np.isnan(scans[0].fraction)
    made = feature_statistics(features, expression, False, tmp_path, merge_scans(scans))
    assert made.why_no_counts == feature_statistics(features, expression, False, tmp_path).why_no_counts != ""
