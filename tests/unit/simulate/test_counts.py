"""Simulated matrices: reproducible, with the effects that their truth states."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.errors import InputError
from deepmapper.simulate.counts import LINEAGES, PRESETS, TRUTH, plant


@pytest.fixture(scope="module")
def small():
    return plant("small", seed=3)


def test_equal_seeds_give_equal_counts_and_different_seeds_do_not(small):
    again, other = plant("small", seed=3), plant("small", seed=4)
    assert (small.counts != again.counts).nnz == 0
    assert small.obs.equals(again.obs) and small.var.equals(again.var)
    assert (small.counts != other.counts).nnz > 0


def test_counts_are_whole_and_sparse(small):
    design = PRESETS["small"]
    assert sp.issparse(small.counts) and small.counts.format == "csr" and small.counts.dtype == np.float32
    assert small.counts.shape == (design.cells, design.genes) == (len(small.obs), len(small.var))
    assert (small.counts.data > 0).all() and (small.counts.data == np.round(small.counts.data)).all()
    assert small.counts.nnz < 0.5 * np.prod(small.counts.shape)


def test_every_category_has_as_many_genes_as_the_design_says(small):
    design = PRESETS["small"]
    expected = {"module": design.module, "cycle": design.cycle, "pair": 2, "triplet": 3}
    expected |= {f"marker_{lineage}": design.markers for lineage in LINEAGES}
    expected |= {"program_1": design.program, "program_2": design.program}
    counted = small.var["category"].value_counts().to_dict()
    assert counted.pop("null") == design.genes - sum(expected.values())
    assert counted == expected


def test_labels_follow_the_hidden_states(small):
    obs = small.obs
    assert set(obs["mixed"]) == {"A", "B+", "B-", "C+", "C-"}
    assert (obs["mixed"].str[0] == obs["lineage"]).all()
    parity = obs.loc[obs["lineage"] == "C", "programs"]
    assert (obs.loc[obs["lineage"] == "C", "mixed"] == np.where(parity == 1, "C+", "C-")).all()
    module = obs.loc[obs["lineage"] == "B", "module"]
    assert (obs.loc[obs["lineage"] == "B", "main"] == np.where(module == 1, "B+", "B-")).all()


def test_a_parity_correlates_with_the_product_and_with_neither_gene_alone():
    planted = plant(replace(PRESETS["small"], cells=4000), seed=1)
    y = planted.codes("pair")[0] == 1
    values = planted.log_normalised().toarray()[:, planted.genes("pair")]
    values = (values - values.mean(0)) / values.std(0)
    alone = [abs(np.corrcoef(column, y)[0, 1]) for column in values.T]
    assert max(alone) < 0.06 < 0.5 < abs(np.corrcoef(values.prod(1), y)[0, 1])


def test_markers_are_raised_in_their_lineage(small):
    X = small.log_normalised()
    for lineage in LINEAGES:
        genes = small.genes(f"marker_{lineage}")
        inside = (small.obs["lineage"] == lineage).to_numpy()
        assert X[inside][:, genes].mean() > 1.5 * X[~inside][:, genes].mean()


def test_informative_genes_are_those_with_an_effect_on_the_label(small):
    for label, categories in TRUTH.items():
        assert np.flatnonzero(small.informative(label)).tolist() == small.genes(*categories).tolist()
        assert "null" not in set(small.var["category"][small.informative(label)])


def test_normalised_values_sum_to_the_median_depth(small):
    values = small.log_normalised()
    total = np.expm1(values.astype(np.float64).toarray()).sum(1)
    np.testing.assert_allclose(total, np.median(small.counts.sum(1).A1), rtol=1e-4)
    assert values.dtype == np.float32


def test_as_anndata(small):
    adata = small.to_anndata()
    assert adata.shape == small.counts.shape
    assert list(adata.obs_names) == small.obs.index.tolist() and list(adata.var_names) == small.names


def test_impossible_designs_are_rejected():
    with pytest.raises(InputError, match="expected one of full, half, small"):
        plant("huge")
    with pytest.raises(InputError, match="3 genes are left .* expected 5 for 'program_1'"):
        plant(replace(PRESETS["small"], genes=60))
