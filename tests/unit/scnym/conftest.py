import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp


def make_cells(n=90, n_genes=30, n_classes=3, seed=0, shift=0.0, counts=False):
    """Cells whose class decides which genes are high, as ln(1 + counts per million); "Unlabeled" for none."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    rate = np.full((n_classes, n_genes), 2.0)
    for code in range(n_classes):
        rate[code, 5 * code : 5 * code + 5] = 20.0
    values = rng.poisson(rate[y] * np.exp(shift * rng.standard_normal(n_genes)))
    if not counts:
        values = np.log1p(values / values.sum(1, keepdims=True) * 1e6)
    obs = pd.DataFrame({"label": np.array(list("ABCDEFG"))[y]}, index=[f"c{i}" for i in range(n)])
    return anndata.AnnData(
        sp.csr_matrix(values.astype(np.float32)), obs, pd.DataFrame(index=[f"g{i}" for i in range(n_genes)])
    )


@pytest.fixture
def cells():
    return make_cells


@pytest.fixture
def study():
    """60 labelled cells and 30 that are to be named, with their true labels in "truth"."""
    adata = make_cells()
    adata.obs["truth"] = adata.obs["label"].copy()
    adata.obs.loc[adata.obs_names[60:], "label"] = "Unlabeled"
    return adata


@pytest.fixture
def quick():
    """A configuration that takes a second."""
    return {
        "n_epochs": 12,
        "min_epochs": 3,
        "batch_size": 20,
        "model_kwargs": {"n_hidden": 16, "n_hidden_init": 16},
        "ssl_kwargs": {"ramp_epochs": 4, "dan_ramp_epochs": 4},
    }
