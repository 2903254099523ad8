"""New cells come in as many clusters as there are kinds of them, each with the genes that no class has."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.transfer.identities import cluster_new, communities, identity_table
from deepmapper.transfer.predict import predict
from deepmapper.transfer.values import Gap, NewValues

KINDS = {"B": range(5), "NK": range(5, 10), "T": range(10, 15), "new": range(15, 20), "other": range(20, 25)}


def cells(labels, seed=0):
    """Logarithms of counts as in the study, in which kinds have genes of their own; "mix" has those of two classes."""
    rng = np.random.default_rng(seed)
    rates = np.full((len(labels), 60), 1.0)
    for i, label in enumerate(labels):
        for kind in ("B", "T") if label == "mix" else (label,):
            rates[i, list(KINDS[kind])] = 8
    counts = rng.poisson(rates)
    return sp.csr_matrix(np.log1p(counts / counts.sum(1, keepdims=True) * 150), dtype=np.float32)


def judged(labels, model):
    """What `name_samples` says if it is always right."""
    classes = list(model.classes)
    probability = np.array([np.eye(3)[classes.index(label) if label in classes else 0] for label in labels])
    verdict = np.array(["assigned" if label in classes else "new" for label in labels], dtype=object)
    return SimpleNamespace(verdict=verdict, probability=probability, p=np.full(len(labels), 0.01))


def described(labels, model, seed=0, gaps=(), X=None):
    values = NewValues(cells(labels, seed) if X is None else X, model, gaps)
    named = judged(labels, model)
    identity = cluster_new(named, values, seed)
    source = pd.DataFrame({"source": "new", "domain": None, "depth": 1.0, "detected": 1}, index=range(len(labels)))
    return identity, identity_table(identity, named, values, source)


def planted(kind):
    return {f"gene{i}" for i in KINDS[kind]}


KNOWN = [*np.repeat(["B", "NK", "T"], 20)]


@pytest.mark.parametrize("known", [KNOWN, []], ids=["with known cells", "new cells alone"])
@pytest.mark.parametrize("seed", range(5))
def test_a_new_class_is_one_cluster_with_its_genes_first(model, known, seed):
    identity, table = described([*known, *["new"] * 30], model, seed)
    assert (identity[-30:] == "new_1").all() and not identity[:-30].any()
    assert len(table) == 1 and set(table["genes"][0].split(",")[:5]) == planted("new")


@pytest.mark.parametrize("seed", range(5))
def test_two_new_classes_are_two_clusters(model, seed):
    labels = [*KNOWN, *["new"] * 30, *["other"] * 20]
    identity, table = described(labels, model, seed)
    assert set(identity[60:90]) == {"new_1"} and set(identity[90:]) == {"new_2"}
    assert [set(genes.split(",")[:5]) for genes in table["genes"]] == [planted("new"), planted("other")]


def test_genes_that_a_class_has_as_well_are_none_of_a_new_one(model):
    X = cells([*KNOWN, *["new"] * 30]).toarray()
    X[60:, :5] = X[:1, :5].max()  # new cells have the genes of B, too
    genes = described([*KNOWN, *["new"] * 30], model, X=sp.csr_matrix(X))[1]["genes"][0].split(",")
    assert set(genes[:5]) == planted("new")
    assert described([*KNOWN, *["mix"] * 30], model)[1]["genes"][0].count("gene") <= 1


@pytest.mark.parametrize(("n", "clusters"), [(0, 0), (1, 0), (2, 0), (4, 0), (5, 1), (8, 1), (12, 1)])
def test_a_few_new_cells(model, n, clusters):
    identity, table = described([*KNOWN, *["new"] * n], model)
    assert len(table) == clusters and (identity != "").sum() == (n if clusters else 0)


def test_the_seed_fixes_clusters_and_a_stray_cell_has_none(model):
    labels = [*["new"] * 30, "other"]
    X = cells(labels).toarray()
    X[-1, 30:] = 6
    first = described(labels, model, X=sp.csr_matrix(X))[0]
    assert np.array_equal(first, described(labels, model, X=sp.csr_matrix(X))[0])
    assert (first[:30] == "new_1").all()
    assert communities(np.zeros((7, 3), dtype=np.float32), 0).max() == 0  # cells that do not differ
    assert communities(np.zeros((1, 3), dtype=np.float32), 0).tolist() == [0]


def test_cells_of_a_file_without_some_genes_are_no_cluster_of_their_own(model):
    labels = [*KNOWN, *["new"] * 60]
    X = cells(labels).toarray()
    X[90:, 25:45] = 0  # the second file lacks these
    gaps = (Gap(slice(0, 90), np.empty(0, dtype=np.int64)), Gap(slice(90, 120), np.arange(25, 45)))
    identity, table = described(labels, model, gaps=gaps, X=sp.csr_matrix(X))
    assert (identity[60:] == "new_1").all()
    assert set(table["genes"][0].split(",")[:5]) == planted("new")


def test_many_cells_are_clustered_by_some_of_them(model, monkeypatch):
    from deepmapper.transfer import identities

    labels = [*["new"] * 120, *["other"] * 60]
    usual = described(labels, model)[0]
    monkeypatch.setattr(identities, "_MOST", 70)
    assert np.array_equal(described(labels, model)[0], usual)


def test_found_by_a_prediction(model, newcomers):
    found = pd.DataFrame(predict(model, newcomers).attrs["new_identities"])
    assert len(found) == 1 and set(found["genes"][0].split(",")[:5]) == planted("new")


def test_an_identity_does_not_get_the_name_of_a_class(model, newcomers):
    other = replace(model, classes=("new_1", *model.classes[1:]), sizes={"new_1": 50, "NK": 50, "T": 50})
    table = predict(other, newcomers)
    assert set(table.loc[table["verdict"] == "new", "label"]) == {"new_2"}
    assert table.attrs["new_identities"][0]["identity"] == "new_2"
