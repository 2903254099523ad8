"""Features of two matrices that are named by symbols, by ids, or as in another species."""

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.align import align, scale_of
from deepmapper.io.shared_features import columns_by_name_of, other_names, why_few_shared

SYMBOLS = [f"GENE{i}" for i in range(8)]
IDS = [f"ENSG{i:011d}" for i in range(8)]


def table(names, **columns):
    return pd.DataFrame(columns, index=names)


@pytest.mark.parametrize("column", ["gene_ids", "feature_name", "gene_symbols"])
def test_names_of_one_are_found_in_a_column_of_the_other(column):
    by_id, by_symbol = table(IDS), table(SYMBOLS)
    of = {"gene_ids": table(SYMBOLS, gene_ids=IDS)}.get(column, table(IDS, **{column: pd.Categorical(SYMBOLS)}))
    other = by_id if column == "gene_ids" else by_symbol
    for first, own in ((of, other), (other, of[::-1])):
        with pytest.warns(DeepMapperWarning, match="8 features matched by gene ids or symbols"):
            columns = columns_by_name_of(first, own, "new.h5ad", "reference")
        assert [SYMBOLS[i] if first.index[0] == "GENE0" else IDS[i] for i in range(8)] == list(first.index)
        order = range(8) if own.index[0] in ("GENE0", IDS[0]) else range(7, -1, -1)
        assert [columns[name] for name in first.index] == list(order)


def test_a_symbol_of_two_features_names_neither():
    own = table(IDS, feature_name=[*SYMBOLS[:6], "GENE7", "GENE7"])
    with pytest.warns(DeepMapperWarning, match="6 features matched"):
        columns = columns_by_name_of(table(SYMBOLS), own, "new.h5ad", "reference")
    assert set(columns) & set(SYMBOLS) == set(SYMBOLS[:6])


def test_other_names_are_ids_or_else_symbols():
    assert other_names(table(SYMBOLS)) is None and other_names(table(SYMBOLS, gene_name=SYMBOLS)) is None
    assert other_names(table(SYMBOLS, gene_name=SYMBOLS, gene_ids=IDS)) == IDS
    assert other_names(table(IDS, gene_ids=IDS, feature_name=SYMBOLS)) == SYMBOLS


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (IDS, "One of the two has Ensembl ids"),
        ([name.capitalize() for name in SYMBOLS], "upper and lower case, as those of human and mouse"),
        (["x", *SYMBOLS[1:4]], ""),
        (["a", "b", "c"], ""),
        ([], ""),
    ],
)
def test_why_few_are_shared(own, why):
    found = why_few_shared(SYMBOLS, own)
    assert why in found if why else found == ""
    mouse = [name.replace("ENSG", "ENSMUSG") for name in IDS]
    assert "two species (ENSG... and ENSMUSG...)" in why_few_shared(IDS, mouse)


def matrix(names, X):
    return anndata.AnnData(np.asarray(X, dtype=np.float32), var=pd.DataFrame(index=names))


def test_files_of_another_kind_are_refused_with_what_to_do():
    rng = np.random.default_rng(0)
    counts = rng.poisson(6, (20, 8)) * 4
    reference, logs = matrix(SYMBOLS, counts), matrix(SYMBOLS, np.log1p(counts))
    scale = scale_of(logs, "none", np.arange(20))
    with pytest.raises(InputError, match="whole numbers up to 3, which look like counts"):
        align(matrix(SYMBOLS, rng.integers(0, 4, (9, 8))), logs.var, scale, "new")
    with pytest.raises(InputError, match="with fractions, which look like logarithms"):
        align(logs, reference.var, scale_of(reference, "none", np.arange(20)), "new")
    scale = scale_of(reference, "log1p_median", np.arange(20))
    with pytest.raises(InputError, match="The reference holds counts, so give the counts of these samples, too"):
        align(logs, reference.var, scale, "new")
    logs.uns["layers_of_counts"] = ["raw"]
    with pytest.raises(InputError, match=r"so does the layer 'raw' of this file: .*predict --layer raw"):
        align(logs, reference.var, scale, "new")
    with pytest.raises(InputError, match=r"none of its 8 features .* One of the two has Ensembl ids"):
        align(matrix(IDS, counts), reference.var, scale, "new")
    with pytest.warns(DeepMapperWarning, match=r"new: only 2 of 8 features of the reference were found\. Names differ"):
        align(matrix([*SYMBOLS[:2], *map(str.lower, SYMBOLS[2:])], counts), reference.var, scale, "new")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # few features, but no wrong ones: the note on missing features is enough
        align(matrix(SYMBOLS[:3], counts[:, :3]), reference.var, scale, "new")


def test_ids_that_differ_in_case_alone_are_not_taken_for_symbols():
    ids = [f"ENSG{i:011d}" for i in range(4)]
    assert "upper and lower case" in why_few_shared(ids, [name.lower() for name in ids])
