"""A small study of counts with three classes, the model of its passes, and new cells, some of a kind of their own."""

from dataclasses import dataclass
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.features.prepare import prepare_features
from deepmapper.io.align import scale_of
from deepmapper.passes.train import train_pass
from deepmapper.transfer.model import fit_model

CLASSES = ("B", "NK", "T")


def counts(labels, seed, n_genes=60):
    """Counts in which every label raises five genes of its own; "new" raises others."""
    rng = np.random.default_rng(seed)
    names = (*CLASSES, "new")
    rates = np.full((len(labels), n_genes), 1.0)
    for i, label in enumerate(labels):
        first = 5 * names.index(label)
        rates[i, first : first + 5] = 8
    obs = pd.DataFrame({"type": list(labels)}, index=[f"c{seed}_{i}" for i in range(len(labels))])
    var = pd.DataFrame(index=[f"gene{i}" for i in range(n_genes)])
    return anndata.AnnData(sp.csr_matrix(rng.poisson(rates), dtype=np.float32), obs=obs, var=var)


@dataclass
class Study:
    """The parts of a study."""

    reference: Any
    features: Any
    scale: Any
    passes: list


@pytest.fixture(scope="session")
def study(quick):
    """150 labelled cells, and five passes that share folds."""
    reference = counts(np.repeat(CLASSES, 50), 0)
    features = prepare_features(reference, label_column="type", split_scheme="repeated")
    config = quick("linear", test_size=0.2, attribution="saliency")
    passes = [train_pass(features.development_samples, config, seed, folds=True) for seed in range(5)]
    scale = scale_of(reference, "log1p_median", np.arange(reference.n_obs))
    return Study(reference, features, scale, passes)


@pytest.fixture(scope="session")
def model(study):
    """The model of the study."""
    return fit_model(study.features, study.passes, study.scale, about={"model": "linear"})


@pytest.fixture(scope="session")
def newcomers():
    """60 cells of known classes and 30 new ones."""
    return counts([*np.repeat(CLASSES, 20), *["new"] * 30], 1)


@pytest.fixture(scope="session")
def make_counts():
    """Give the function that makes cells."""
    return counts
