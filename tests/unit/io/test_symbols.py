"""Symbols of features, from the matrix or from a table."""

import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.symbols import find_symbols, is_symbol_table, symbol_table

IDS = ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419", "DENOVO_a"]


def var(**columns):
    return pd.DataFrame(columns, index=IDS)


def find(option="auto", columns=(), of=None, novel=None):
    return find_symbols(option, columns, var() if of is None else of, novel)


@pytest.fixture
def table(tmp_path):
    def write(text, name="symbols.tsv"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_auto_takes_the_first_known_column_with_symbols_and_says_so():
    found = find(of=var(gene_name=IDS, gene_symbols=["TSPAN6", "", None, "x"], feature_name=["a", "b", "c", "d"]))
    assert found.by_feature == {IDS[0]: "TSPAN6", "DENOVO_a": "x"}
    assert "2 of 4 features" in found.statement and "gene_symbols" in found.statement


def test_without_symbols_nothing_is_said():
    assert find(of=var(length=[1, 2, 3, 4])).by_feature == {}
    assert find(of=var(gene_symbols=IDS)).statement == ""
    assert find("none", of=var(gene_symbols=["A", "B", "C", "D"])).by_feature == {}


def test_novel_transcripts_keep_their_alias_whatever_the_option():
    named = var(gene_symbols=["A", "A", "NA", "D"])
    assert find(of=named, novel={"DENOVO_a": "A.novel1"}).by_feature == {
        IDS[0]: "A",
        IDS[1]: "A",
        "DENOVO_a": "A.novel1",
    }
    assert find("none", of=named, novel={"DENOVO_a": "A.novel1"}).by_feature == {"DENOVO_a": "A.novel1"}


def test_a_column_that_is_asked_for_is_there_and_holds_text():
    assert find("my", of=var(my=pd.Categorical(["A", "B", "C", "D"]))).by_feature[IDS[1]] == "B"
    with pytest.raises(InputError, match="'gene'.*not a column.*'my'.*'none'"):
        find("gene", of=var(my=["A", "B", "C", "D"]))
    with pytest.raises(InputError, match="'length'.*no text"):
        find("length", of=var(length=[1, 2, 3, 4]))


def test_a_table_keeps_names_as_text_and_matches_ids_of_another_version(table):
    path = table("gene\tsymbol\nENSG00000000003.15\t007\nENSG00000000005\tMARCH1\nENSG00000000419\tNA\nother\tX\n")
    found = find(path)
    assert found.by_feature == {IDS[0]: "007", IDS[1]: "MARCH1"}
    assert "2 of 4 features" in found.statement and path in found.statement


def test_the_columns_of_a_table_can_be_named(table):
    path = table(f'chrom,hgnc,id\n1,"A,B",{IDS[0]}\n2,C,{IDS[1]}\n', "symbols.csv")
    assert find(path, ["id", "hgnc"]).by_feature == {IDS[0]: "A,B", IDS[1]: "C"}
    with pytest.raises(InputError, match="symbol_columns: .* no column 'name'.*'hgnc'"):
        find(path, ["id", "name"])
    with pytest.raises(InputError, match=r"none of the 2 ids.*'1', '2'.*symbol_columns"):
        find(path)


def test_an_id_with_several_symbols_shows_the_first_with_a_warning(table):
    path = table(f"id\tsymbol\n{IDS[0]}\tA\n{IDS[0]}\tB\n{IDS[1]}\tC\n{IDS[1]}\tC\n")
    with pytest.warns(DeepMapperWarning, match="1 id with several symbols"):
        assert find(path).by_feature == {IDS[0]: "A", IDS[1]: "C"}


def test_paths_are_told_from_columns():
    assert [is_symbol_table(text) for text in ("symbols.tsv", "a/b", "x.csv.gz", "gene_name", "gene.symbol")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_the_table_of_a_run_has_every_feature():
    found = find(of=var(gene_name=["A", "", "B", ""]))
    assert symbol_table(found, var())["alias"].tolist() == ["A", "", "B", ""]
