"""Rows of totals, missing and duplicate symbols, and names that a spreadsheet changed."""

import anndata
import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.expression import import_matrix
from deepmapper.io.feature_names import special_rows, warn_of_spreadsheet_names
from deepmapper.io.read import read_matrix

TOTALS = ["__no_feature", "__not_aligned"]


def with_ids(toy, path, genes, ids, column="gene_ids", X=None):
    adata = toy.make_adata(X, genes)
    adata.var[column] = ids
    adata.layers["tpm"] = adata.X * 2
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    "names",
    [
        ["__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique"],
        ["N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"],
        ["X__no_feature", "--no-feature", "N.unmapped", "N-noFeature", "..no_feature"],  # as R and Seurat write them
        ["no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique"],  # HTSeq before 0.6
        ["Unassigned_Ambiguity", "Unassigned_NoFeatures", "*"],
    ],
)
def test_totals_of_counting_programs_are_recognised(names):
    assert special_rows(["TP53", *names, "N4BP1"]).tolist() == list(range(1, len(names) + 1))
    assert not len(special_rows(["TP53", "ambiguous", "NO66", "N-cad", "__spike"]))


@pytest.mark.parametrize("format", ["csv", "h5ad", "zarr", "10x", "h5ad by columns"])
def test_totals_are_never_features(tmp_path, toy, format):
    """They hold most of the counts of many files, and would drive the depth of every sample."""
    genes = ["TP53", TOTALS[0], "MYC", TOTALS[1], "CD3E"]
    if format == "csv":
        path = toy.write_table(tmp_path / "a.csv", columns=genes)
    elif format == "10x":
        path = toy.write_10x(tmp_path / "a", genes=genes)
    else:
        adata = toy.make_adata(genes=genes)
        adata.layers["tpm"] = adata.X * 2
        adata.X = adata.X.tocsc() if "columns" in format else adata.X
        path = tmp_path / f"a.{format[:4]}"
        (adata.write_zarr if format == "zarr" else adata.write_h5ad)(path)
    share = toy.counts[:, [1, 3]].sum() / toy.counts.sum()
    match = rf"left out 2 rows of totals, .*'__no_feature', '__not_aligned'\), with {100 * share:.1f} % of all counts"
    with pytest.warns(DeepMapperWarning, match=match):
        adata = read_matrix(path)
    toy.check(adata, toy.counts[:, [0, 2, 4]], ["TP53", "MYC", "CD3E"])
    with pytest.warns(DeepMapperWarning, match=match):
        import_matrix(tmp_path / "out.h5ad", path)
    made = anndata.read_h5ad(tmp_path / "out.h5ad")
    toy.check(made, toy.counts[:, [0, 2, 4]], ["TP53", "MYC", "CD3E"])
    if "tpm" in made.layers:
        np.testing.assert_array_equal(made.layers["tpm"].toarray(), 2 * toy.counts[:, [0, 2, 4]])


def test_totals_among_the_samples_tell_that_the_table_is_the_wrong_way_round(tmp_path, toy):
    path = toy.write_table(tmp_path / "a.csv", X=toy.counts[:3], rows=["TP53", "MYC", "Unassigned_Ambiguity"])
    with pytest.raises(InputError, match=r"'Unassigned_Ambiguity'.* Set matrix: \{transpose: true\}"):
        read_matrix(path, format="csv")


def test_a_matrix_of_totals_alone_is_refused(tmp_path, toy):
    path = toy.write_h5ad(tmp_path / "a.h5ad", toy.counts[:, :2], TOTALS)
    for read in (read_matrix, lambda path: import_matrix(tmp_path / "out.h5ad", path)):
        with pytest.raises(InputError, match="all 2 features are totals"):
            read(path)


@pytest.mark.parametrize("column", ["gene_ids", "gene_id", "ensembl_id"])
@pytest.mark.parametrize("missing", ["", "nan", "NA", " "])
def test_a_missing_symbol_takes_the_id(tmp_path, toy, column, missing):
    path = with_ids(toy, tmp_path / "a.h5ad", [missing, "MYC", missing, "CD3E", "MS4A1"], toy.ids, column)
    expected = ["ENSG00000", "MYC", "ENSG00002", "CD3E", "MS4A1"]
    for read in (read_matrix, lambda path: import_matrix(tmp_path / "out.h5ad", path)):
        with pytest.warns(
            DeepMapperWarning, match="2 empty feature names, the first at position 1 .*their ids are used .'ENSG00000'"
        ):
            adata = read(path)
        toy.check(adata or anndata.read_h5ad(tmp_path / "out.h5ad"), genes=expected)


def test_a_missing_symbol_without_an_id_is_refused(tmp_path, toy):
    path = toy.write_h5ad(tmp_path / "a.h5ad", genes=["TP53", "nan", "MYC", "", "CD3E"])
    with pytest.raises(InputError, match=r"2 empty feature names, the first at position 2 \('nan'\), and no column"):
        read_matrix(path)
    path = with_ids(toy, tmp_path / "b.h5ad", ["TP53", "", "", "x", "y"], ["a", "b", "", "d", "e"])
    with pytest.raises(
        InputError, match="2 empty feature names, .* and 1 of these features have no id either, the first at position 3"
    ):
        read_matrix(path)


def test_genes_of_the_fly_named_like_missing_values_are_kept(tmp_path, toy):
    genes = ["nan", "na", "CG1234", "CG14562", "CG9998"]
    toy.check(read_matrix(toy.write_h5ad(tmp_path / "a.h5ad", genes=genes)), genes=genes)


def test_duplicate_symbols_with_ids_are_unique_by_id(tmp_path, toy):
    path = with_ids(toy, tmp_path / "a.h5ad", ["A", "B", "A", "C", "D"], toy.ids, "gene_id")
    for read in (read_matrix, lambda path: import_matrix(tmp_path / "out.h5ad", path)):
        with pytest.warns(DeepMapperWarning, match="1 duplicate feature name .*'A' becomes 'A_ENSG00000'"):
            adata = read(path)
        toy.check(
            adata or anndata.read_h5ad(tmp_path / "out.h5ad"), genes=["A_ENSG00000", "B", "A_ENSG00002", "C", "D"]
        )
    path = with_ids(toy, tmp_path / "b.h5ad", ["A", "B", "A", "C", "D"], ["i", "j", "i", "k", "l"])
    with pytest.raises(InputError, match="1 duplicate feature name"):
        read_matrix(path)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("1-Mar", "MARCHF1"),
        ("2-Sep", "SEPTIN2"),
        ("Sep-02", "SEPTIN2"),
        ("1-Dec", "DELEC1"),
        ("2001-03-01", "MARCHF1"),
        ("2006-09-07 00:00:00", "SEPTIN7"),
        ("1. Mrz", "MARCHF1"),
        ("01-Mar-20", "MARCHF1"),
        ("4-Oct", "a symbol that reads as a date"),
        ("2.31E+13", "an id such as 2310009E13Rik"),
    ],
)
def test_names_changed_by_a_spreadsheet_are_warned_about(tmp_path, toy, name, before):
    genes = ["TP53", name, "GATA1", "CD3E", "MS4A1"]
    with pytest.warns(
        DeepMapperWarning, match=f"1 feature name looks like .*'{name}' was probably {before}".replace("+", r"\+")
    ):
        toy.check(read_matrix(toy.write_table(tmp_path / "a.csv", columns=genes)), genes=genes)


def test_names_that_only_resemble_dates_are_not_warned_about():
    warn_of_spreadsheet_names(
        ["MARCHF1", "SEPT2", "HLA-A", "1-2", "RP11-34P13.7", "ENSG00000141510.18", "MT-ND1", "5-HT1A", "Mar1", "7SK",
         "A-1", "tr|Q9|X", "NKX2-5", "2-oxo", "ERV-1", "10-45", "H2-K1", "Jun-B1"],
        "x",
    )  # fmt: skip
    warn_of_spreadsheet_names([f"2001-03-{day:02}" for day in range(1, 30)], "days")


def test_var_with_missing_values_in_its_index(tmp_path, toy):
    adata = toy.make_adata()
    adata.var["gene_ids"] = pd.Categorical(toy.ids)
    adata.var.index = pd.Index(["TP53", np.nan, "GATA1", None, "MS4A1"], dtype=object).astype(str)
    adata.write_h5ad(tmp_path / "a.h5ad")
    with pytest.warns(DeepMapperWarning, match="2 empty feature names"):
        assert list(read_matrix(tmp_path / "a.h5ad").var_names)[1::2] == ["ENSG00001", "ENSG00003"]
