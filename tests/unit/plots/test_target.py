"""Genes of target cells by their symbols."""

from deepmapper import plots


def test_genes_have_their_symbols(examples, words, tmp_path):
    genes = examples.target_tables(n_new=0)[2]
    plots.target_genes(genes.assign(gene_alias=["IL7R", *[""] * (len(genes) - 1)]), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "IL7R" in found and genes["gene"][1] in found and genes["gene"][0] not in found
