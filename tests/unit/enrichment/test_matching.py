"""Genes of sets are matched by name or symbol, one to one, and counted once."""

import pytest

from deepmapper.enrichment.gene_sets import GeneSet, SetFile
from deepmapper.enrichment.matching import match_gene_sets, set_table
from deepmapper.errors import InputError

IDS = ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419", "DENOVO_a"]
SYMBOLS = {IDS[0]: "TSPAN6", IDS[1]: "TNMD", "DENOVO_a": "TNMD.novel1"}


def file(*genes):
    return SetFile("sets.gmt", (GeneSet("A", "about A", tuple(genes)),))


def test_the_kind_that_finds_more_counts():
    matched = match_gene_sets(file("TSPAN6", "TNMD", "other"), IDS, SYMBOLS)
    assert matched.by == "symbol"
    assert [matched.genes[i] for i in matched.sets[0].members] == ["TSPAN6", "TNMD"]
    by_name = match_gene_sets(file(IDS[0], IDS[2]), IDS, SYMBOLS)
    assert by_name.by == "name"
    assert [by_name.genes[i] for i in by_name.sets[0].members] == ["TSPAN6", IDS[2]]  # shown by symbol where known


def test_what_no_set_can_contain_is_left_out_and_said():
    matched = match_gene_sets(file("TSPAN6", "TNMD"), IDS, SYMBOLS)
    assert matched.gene_of.tolist() == [0, 1, -1, -1]
    assert matched.statement == (
        "sets.gmt: 1 gene set; 2 of 2 genes matched by symbol (2 features are novel or without a symbol and left out)."
    )


def test_features_whose_names_are_symbols_stay_though_a_few_have_another():
    matched = match_gene_sets(file("A", "B", "C"), ["A", "B-1", "C", "D"], {"B-1": "B"})
    assert (matched.by, matched.genes) == ("symbol", ("A", "B", "C", "D"))


def test_features_of_one_symbol_are_one_gene():
    matched = match_gene_sets(file("TP53", "BRCA1"), ["t1", "t2", "t3"], {"t1": "TP53", "t2": "TP53", "t3": "BRCA1"})
    assert matched.genes == ("TP53", "BRCA1")
    assert matched.gene_of.tolist() == [0, 0, 1]


def test_ids_of_another_version_match_and_it_is_said():
    matched = match_gene_sets(file(*IDS[:2]), [f"{name}.7" for name in IDS[:2]], {})
    assert len(matched.sets[0].members) == 2
    assert "2 genes matched although the names differ in the version of the id" in matched.statement


def test_sets_of_other_ids_or_another_species_are_refused():
    names = [f"GENE{i}" for i in range(50)]
    with pytest.raises(InputError, match=r"0 of 2 genes in sets.gmt \('x', 'y'\).*50 features.*features.symbols"):
        match_gene_sets(file("x", "y"), names, {})
    with pytest.raises(InputError, match="20 match if case is ignored: give the gene sets of the species"):
        match_gene_sets(file(*(f"Gene{i}" for i in range(20))), names, {})


def test_a_small_panel_need_not_have_the_genes_of_all_sets():
    many = file("A", "B", *(f"x{i}" for i in range(1000)))
    assert len(match_gene_sets(many, ["A", "B", "C", "D"], {}).sets[0].members) == 2


def test_the_table_counts_what_was_found():
    row = set_table([match_gene_sets(file("TSPAN6", "TNMD", "other"), IDS, SYMBOLS)]).iloc[0]
    assert row.tolist() == ["A", "sets.gmt", "about A", 3, 2, "symbol"]
