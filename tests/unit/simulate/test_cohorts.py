"""Two simulated cohorts: reproducible, with the differences that their truth states, in either cohort alike."""

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import InputError
from deepmapper.simulate.cohorts import CohortDesign, simulate_cohorts, write_cohorts

SMALL = CohortDesign(samples=40, known=120, novel=30, differing_known=6, differing_novel=4, effect=1.5)


@pytest.fixture(scope="module")
def cohorts():
    return simulate_cohorts(SMALL, seed=1)


def log_folds(adata):
    """Log fold change of every transcript, after scaling to equal depth."""
    values = adata.X.toarray()
    values = np.log1p(values / values.sum(1, keepdims=True) * values.sum(1).mean())
    high = (adata.obs["risk"] == "high").to_numpy()
    return values[high].mean(0) - values[~high].mean(0)


def test_both_cohorts_have_the_same_transcripts_and_other_samples(cohorts):
    assert cohorts.discovery.shape == cohorts.independent.shape == (40, 150)
    assert cohorts.discovery.var_names.equals(cohorts.independent.var_names)
    assert cohorts.discovery.obs_names.intersection(cohorts.independent.obs_names).empty
    for adata in (cohorts.discovery, cohorts.independent):
        assert adata.obs["risk"].value_counts().to_dict() == {"high": 20, "low": 20}
        assert (adata.X.data == np.round(adata.X.data)).all() and (adata.X.data > 0).all()
    names = cohorts.truth.index[cohorts.truth["is_denovo"]]
    assert len(names) == 30 and names.str.startswith("DENOVO_").all()


def test_what_differs_is_what_the_truth_says_in_either_cohort(cohorts):
    truth = cohorts.truth
    assert (truth.groupby("is_denovo")["log_fold"].apply(lambda fold: (fold != 0).sum()) == [6, 4]).all()
    differs = (truth["log_fold"] != 0).to_numpy()
    for adata in (cohorts.discovery, cohorts.independent):
        found = log_folds(adata)
        assert (np.sign(found[differs]) == np.sign(truth["log_fold"][differs])).all()
        assert np.abs(found[differs]).mean() > 1 > 0.5 > np.abs(found[~differs]).mean()


def test_the_cohorts_differ_in_every_transcript_and_novel_ones_are_rarer(cohorts):
    means = [np.asarray(adata.X.mean(0)).ravel() for adata in (cohorts.discovery, cohorts.independent)]
    between = np.log(means[1] / means[0])
    assert 0.2 < np.std(between) < 0.5
    novel = cohorts.truth["is_denovo"].to_numpy()
    assert np.median(means[0][novel]) < 0.7 * np.median(means[0][~novel])


def test_equal_seeds_give_equal_counts(cohorts):
    again, other = simulate_cohorts(SMALL, seed=1), simulate_cohorts(SMALL, seed=2)
    for part in ("discovery", "independent"):
        assert (getattr(again, part).X != getattr(cohorts, part).X).nnz == 0
        assert (getattr(other, part).X != getattr(cohorts, part).X).nnz > 0
    pd.testing.assert_frame_equal(again.truth, cohorts.truth)


def test_without_novel_differences_known_transcripts_stay_as_they_are(cohorts):
    none = simulate_cohorts(replace(SMALL, differing_novel=0), seed=1)
    known = ~none.truth["is_denovo"]
    pd.testing.assert_frame_equal(none.truth[known], cohorts.truth[known])
    assert (none.truth["log_fold"][~known] == 0).all()


def test_designs_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="differing_novel is 9, expected at most novel"):
        simulate_cohorts(replace(SMALL, novel=5, differing_novel=9))
    with pytest.raises(InputError, match="samples is 3, expected at least 4"):
        simulate_cohorts(replace(SMALL, samples=3))


def test_what_is_written_is_the_same_cohort_with_and_without_novel_transcripts(cohorts, tmp_path):
    write_cohorts(tmp_path / "data", SMALL, seed=1)
    read = {name: anndata.read_h5ad(tmp_path / f"data/{name}.h5ad") for name in ("known", "known_and_novel")}
    known = read["known_and_novel"][:, read["known"].var_names]
    assert (known.X != read["known"].X).nnz == 0 and read["known"].n_vars == 120
    assert not read["known"].var["is_denovo"].any()
    truth = pd.read_csv(tmp_path / "data/truth.tsv", sep="\t", index_col="feature")
    np.testing.assert_allclose(truth["log_fold"], cohorts.truth["log_fold"])
