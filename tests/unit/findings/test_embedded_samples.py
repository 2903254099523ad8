"""Samples embedded shard by shard are those embedded at once, by an embedding that was written and read again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.findings.embedded_samples import embed_samples, rows_of_shard
from deepmapper.findings.embedding import fit_run_embedding, write_run_embedding
from deepmapper.findings.embedding_files import join_parts, write_part
from deepmapper.io.expression import Expression

TRAINED = {
    "contrastive": {
        "hidden_units": 8,
        "n_features": 20,
        "n_epochs": 1,
        "views": "dropout",
        "dropout": 0.3,
        "temperature": 0.2,
    },
    "geneformer": {"n_layers": 1, "n_heads": 2, "max_tokens": 20, "n_epochs": 1},
    "scvi": {"hidden_units": 8, "n_features": 12, "n_epochs": 1, "batch": "run"},
}


@pytest.fixture(scope="module")
def study(features):
    """Features of samples, and the matrix that they are from, in which every tenth sample has no label."""
    counts = sp.csr_matrix(np.rint(np.expm1(np.maximum(features.X.toarray(), 0)) * 5).astype(np.float32))
    n, kept = counts.shape[0] * 10 // 9, []
    kept = [row for row in range(n) if row % 10 != 9][: counts.shape[0]]
    wide = sp.lil_matrix((kept[-1] + 2, counts.shape[1]), dtype=np.float32)
    wide[kept] = counts
    names = [f"other{row}" for row in range(wide.shape[0])]
    for row, sample in zip(kept, features.samples, strict=True):
        names[row] = sample
    obs = pd.DataFrame({"run": ["x", "y"] * (len(names) // 2) + ["x"] * (len(names) % 2)}, index=names)
    expression = Expression(wide.tocsr(), obs, pd.DataFrame(index=list(features.names)))
    return replace(features, X=counts), expression


@pytest.mark.parametrize("kind", ["pca", "ppca", *TRAINED])
@pytest.mark.parametrize("dense", [False, True])
def test_shards_have_the_embedding_of_all_samples_at_once(study, tmp_path, kind, dense):
    from deepmapper.models.fitted_embedding import open_embedding

    if kind in TRAINED:
        pytest.importorskip("lightning")
    features, expression = study
    features = replace(features, X=features.X.toarray() if dense else features.X)
    options = TRAINED.get(kind, {}) | ({"expression": expression} if kind == "scvi" else {})
    common = {"n_components": 4, "out_of_bag": 0.2, "draws": [0], "seed": 0}
    found = fit_run_embedding(features, kind=kind, **options, **common)
    write_run_embedding(found, tmp_path / "embedding")
    fitted = open_embedding(tmp_path / "embedding")
    at_once = embed_samples(fitted, features, expression)
    np.testing.assert_array_equal(at_once, embed_samples(found.fitted, features, expression))
    n = len(expression.obs)
    paths = []
    for first, last in ((0, 1), (1, 10), (9, 10), (10, n // 2), (n // 2, n)):
        rows = rows_of_shard(features, expression, first, last)
        assert [features.samples[row] for row in rows] == [
            name for name in expression.obs_names[first:last] if name in features.samples
        ]
        if (first, last) != (9, 10):  # the sample without a label, which the shard before has, too
            paths.append(tmp_path / f"{first}.npy")
            write_part(paths[-1], embed_samples(fitted, features, expression, rows))
    assert len(rows_of_shard(features, expression, 9, 10)) == 0
    assert embed_samples(fitted, features, expression, range(9, 9)).shape == (0, 4)
    joined = join_parts(paths, len(features.y))
    assert joined.dtype == np.float32 and joined.flags.owndata
    if kind in ("pca", "ppca") and not dense:  # every row is a sum of its own
        np.testing.assert_array_equal(joined, at_once)
    np.testing.assert_allclose(joined, at_once, rtol=1e-4, atol=1e-5)
