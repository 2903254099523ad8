"""Salmon's counts as one matrix: what the matrix says of samples and features, genes, tables."""

import gzip
import json
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.reads.expression import build_expression, write_tables
from deepmapper.reads.gene_expression import summarise_genes

# transcript -> length; two isoforms of one gene, a name with "/", one without a gene, a novel one
LENGTHS = {"T1": 1000, "T2": 700, "HLA/x": 400, "lonely": 300, "DENOVO_0a": 800}
GENES = {"T1": ("G1", "abc"), "T2": ("G1", "abc"), "HLA/x": ("G/2", "a/b")}
COUNTS = {"s1": [10, 2.5, 0, 7, 100], "s2": [0, 5, 1.125, 0, 3], "s0": [0, 0, 0, 0, 0]}
SHEET = [
    {"sample": "s1", "condition": "ctrl", "age": "31", "batch": "007", "note": ""},
    {"sample": "s2", "condition": "stim", "age": "", "batch": "008", "note": ""},
    {"sample": "s0", "condition": "ctrl", "age": "5.5", "batch": "NA", "note": "x"},
]
CONTIGS = (
    "contig\tname\tkept\tsource\tclass\tclass_code\tgene\tgene_id\tgenome_locus\tbest_transcript"
    "\ttranscript_identity\tlongest_orf\tgc\tsupporting_reads\tsupporting_samples\n"
    "c1\tDENOVO_0a\ttrue\tunaligned\tantisense\tx\tG1\tDENOVO_0a\tchr1:5-805(-)\tT1\t0.7100\t120\t0.4500\t44\t3\n"
    "c2\tDENOVO_0b\tfalse\tunaligned\treference_copy\tc\t\t\t\tT2\t0.9990\t99\t0.5000\t\t\n"
    "c3\tDENOVO_0a\tfalse\tunaligned\tduplicate\t\t\t\t\t\t\t120\t0.4500\t\t\n"
)


def write_quant(folder, counts, lengths=LENGTHS, **changed):
    """As the quantification of a sample writes it; effective lengths are 100 less, TPM follow."""
    folder.mkdir(parents=True)
    effective = {name: max(1, length - 100) for name, length in lengths.items()}
    rates = [count / effective[name] for name, count in zip(lengths, counts, strict=True)]
    total = sum(rates) or 1
    lines = ["Name\tLength\tEffectiveLength\tTPM\tNumReads"]
    for (name, length), count, rate in zip(lengths.items(), counts, rates, strict=True):
        lines.append(f"{name}\t{length}\t{effective[name]:.3f}\t{1e6 * rate / total:.6f}\t{count:.3f}")
    (folder / "quant.sf").write_text("\n".join(lines) + "\n")
    fact = {
        "layout": "paired",
        "library_type": "IU",
        "fragments": 200,
        "mapped": round(sum(counts)),
        "salmon": "1.10.1",
    }
    fact |= {"mapping_rate": round(sum(counts) / 200, 6), "repeatable": True, **changed}
    (folder / "quantification.json").write_text(json.dumps(fact))
    return folder


@pytest.fixture
def quants(tmp_path):
    return {name: write_quant(tmp_path / "quant" / name, counts) for name, counts in COUNTS.items()}


@pytest.fixture
def genes(tmp_path):
    path = tmp_path / "genes.tsv"
    rows = [f"{name}\t{gene}\t{symbol}\n" for name, (gene, symbol) in GENES.items()]
    path.write_text("transcript_id\tgene_id\tgene_name\n" + "".join(rows))
    return path


@pytest.fixture
def contigs(tmp_path):
    (tmp_path / "contigs.tsv").write_text(CONTIGS)
    return tmp_path / "contigs.tsv"


def test_the_matrix_holds_counts_and_tpm_in_the_order_of_the_sheet(quants, genes, contigs):
    adata = build_expression(quants, samples=SHEET, denovo_table=contigs, transcript_to_gene=genes)
    assert list(adata.obs_names) == ["s1", "s2", "s0"]
    assert list(adata.var_names) == list(LENGTHS)
    assert (adata.X.format, adata.X.dtype, adata.layers["tpm"].format) == ("csr", np.float32, "csr")
    np.testing.assert_array_equal(adata.X.toarray(), np.array([COUNTS[row["sample"]] for row in SHEET], np.float32))
    np.testing.assert_allclose(adata.layers["tpm"].sum(axis=1).A1, [1e6, 1e6, 0], rtol=1e-5)
    assert adata.X.nnz == 7
    assert adata.uns["quantification"] == {"salmon": "1.10.1", "repeatable": True}


def test_samples_have_the_columns_of_the_sheet_and_of_the_counts(quants, tmp_path):
    table = tmp_path / "alignment.tsv"
    table.write_text("sample\tlayout\trate\tcaptured_rate\ns2\tpaired\t0.9\t0.1\ns1\tpaired\t1\t0\ns0\tpaired\t0\t1\n")
    obs = build_expression(quants, samples=SHEET, alignment=table).obs
    assert obs["condition"].tolist() == ["ctrl", "stim", "ctrl"]
    assert obs["age"].fillna("").tolist() == ["31", "", "5.5"]
    assert obs["batch"].tolist() == ["007", "008", "NA"]  # labels.na_values decides on NA
    assert obs["counted_mapped"].tolist() == [120, 9, 0]
    assert obs["counted_library"].tolist() == ["IU"] * 3
    assert obs["captured_rate"].tolist() == [0, 0.1, 1]
    assert obs["aligned_rate"].tolist() == [1, 0.9, 0]


def test_samples_say_where_their_fragments_went(tmp_path):
    of_captured = {"known": 20, "novel": 100, "captured": 130, "captured_counted": 95}
    quants = {name: write_quant(tmp_path / name, COUNTS["s1"], **of_captured) for name in ("s1", "NA")}
    sheet = [{"sample": name} for name in quants]
    obs = build_expression(quants, samples=sheet).obs
    places = obs[["counted_known", "counted_novel", "aligned_not_counted", "captured_not_counted"]]
    assert places.to_numpy().tolist() == [[20, 100, 45, 35]] * 2
    assert (places.sum(axis=1) == obs["counted_fragments"]).all()
    write_quant(tmp_path / "old" / "s1", COUNTS["s1"], known=20, novel=100, captured=None, captured_counted=None)
    assert "counted_known" not in build_expression({"s1": tmp_path / "old" / "s1"}, samples=sheet[:1]).obs


def test_features_have_gene_and_novelty(quants, genes, contigs):
    var = build_expression(quants, samples=SHEET, denovo_table=contigs, transcript_to_gene=genes).var
    assert var["is_denovo"].tolist() == [False] * 4 + [True]
    assert var["length"].tolist() == list(LENGTHS.values())
    assert var["gene_id"].tolist() == ["G1", "G1", "G/2", "", "DENOVO_0a"]
    assert var["gene_name"].tolist() == ["abc", "abc", "a/b", "", ""]
    assert var["novelty_class"].tolist() == [""] * 4 + ["antisense"]
    assert var["novelty_locus"].iloc[-1] == "chr1:5-805(-)"
    assert var["supporting_reads"].isna().tolist() == [True] * 4 + [False]
    assert var["nearest_identity"].iloc[-1] == 0.71


def test_a_novel_isoform_counts_for_its_gene(quants, genes, contigs):
    contigs.write_text(contigs.read_text().replace("antisense\tx\tG1\tDENOVO_0a", "novel_isoform\tj\tG1\tG1"))
    adata = build_expression(quants, samples=SHEET, denovo_table=contigs, transcript_to_gene=genes)
    assert adata.var.loc["DENOVO_0a", ["gene_id", "gene_name"]].tolist() == ["G1", "abc"]
    of_genes = summarise_genes(quants, expression=adata, transcript_to_gene=genes)
    assert of_genes.var_names.tolist() == ["G1", "G/2", "lonely"]
    assert of_genes.var.loc["G1", ["transcripts", "novel_transcripts"]].tolist() == [3, 1]
    assert of_genes["s1", "G1"].X.toarray().item() == COUNTS["s1"][0] + COUNTS["s1"][1] + COUNTS["s1"][4]


def test_what_is_written_is_read_back_without_a_warning(quants, genes, contigs, tmp_path):
    adata = build_expression(quants, samples=SHEET, denovo_table=contigs, transcript_to_gene=genes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*future.infer_string")  # anndata's own, with pandas 3
        adata.write_h5ad(tmp_path / "a.h5ad", compression="gzip")
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(back.X.toarray(), adata.X.toarray())
    for part in ("obs", "var"):
        pd.testing.assert_frame_equal(
            getattr(back, part).astype(object).fillna("-"),
            getattr(adata, part).astype(object).fillna("-"),
            check_index_type=False,
        )
    genes_of = summarise_genes(quants, expression=back, transcript_to_gene=genes)
    genes_of.write_h5ad(tmp_path / "b.h5ad")
    assert anndata.read_h5ad(tmp_path / "b.h5ad").var_names.tolist() == ["G1", "G/2", "lonely", "DENOVO_0a"]


def test_a_sample_without_counts_or_with_other_transcripts_is_named(quants, tmp_path):
    with pytest.raises(InputError, match="s9: no counts"):
        build_expression(quants, samples=[*SHEET, {"sample": "s9"}])
    quants["s2"] = write_quant(tmp_path / "other", [1, 2], {"T1": 1000, "T2": 700})
    with pytest.raises(InputError, match=r"other: holds other transcripts than .*s1 \(2 and 5\)"):
        build_expression(quants, samples=SHEET)
    (tmp_path / "other" / "quant.sf").write_text("Name\tLength\nT1\t5\n")
    with pytest.raises(InputError, match=r"quant\.sf: cannot be read"):
        build_expression(quants, samples=SHEET)
    (tmp_path / "other" / "quant.sf").unlink()
    with pytest.raises(InputError, match=r"quant\.sf: not found"):
        build_expression(quants, samples=SHEET)


def test_a_column_of_the_sheet_never_overwrites_an_added_one(quants):
    with pytest.raises(InputError, match="column counted_rate has the name of a column that is added here"):
        build_expression(quants, samples=[row | {"counted_rate": "1"} for row in SHEET])


# ---------------------------------------------------------------------------------------------------------------------
# Genes
# ---------------------------------------------------------------------------------------------------------------------


def test_counts_of_genes_are_sums_and_transcripts_without_a_gene_stay_alone(quants, genes, contigs):
    adata = build_expression(quants, samples=SHEET, denovo_table=contigs, transcript_to_gene=genes)
    found = summarise_genes(quants, expression=adata, transcript_to_gene=genes)
    assert found.var_names.tolist() == ["G1", "G/2", "lonely", "DENOVO_0a"]
    np.testing.assert_array_equal(found.X.toarray(), [[12.5, 0, 7, 100], [5, 1.125, 0, 3], [0, 0, 0, 0]])
    np.testing.assert_allclose(found.layers["tpm"].sum(axis=1).A1, [1e6, 1e6, 0], rtol=1e-5)
    assert found.var["is_denovo"].tolist() == [False, False, False, True]
    assert found.var["transcripts"].tolist() == [2, 1, 1, 1]
    assert found.var["gene_name"].tolist() == ["abc", "a/b", "", ""]
    assert found.var["novelty_class"].tolist() == ["", "", "", "antisense"]
    assert found.var["length"].iloc[1:].tolist() == pytest.approx([300, 200, 700])
    assert found.obs.equals(adata.obs)
    assert (found.X.format, found.X.dtype) == ("csr", np.float32)


@pytest.mark.parametrize("counts", ["scaled_tpm", "length_scaled_tpm"])
def test_counts_from_abundances_keep_the_number_of_reads(quants, genes, counts):
    adata = build_expression(quants, samples=SHEET, transcript_to_gene=genes)
    found = summarise_genes(quants, expression=adata, transcript_to_gene=genes, counts=counts)
    np.testing.assert_allclose(found.X.sum(axis=1).A1, [119.5, 9.125, 0], rtol=1e-5)
    assert np.isfinite(found.X.toarray()).all()
    expected = found.layers["tpm"].toarray()
    if counts == "length_scaled_tpm":
        expected = expected * found.var["length"].to_numpy()
    shares = expected[:2] / expected[:2].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        found.X.toarray()[:2] / found.X.toarray()[:2].sum(axis=1, keepdims=True), shares, rtol=1e-4
    )


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(["b", "a", "c", ""]), min_size=3, max_size=8).filter(any),
    st.data(),
)
def test_genes_get_the_sums_of_their_own_transcripts(tmp_path_factory, owners, data):
    """Whatever the order of genes and transcripts: the sums never land on another gene."""
    tmp_path = tmp_path_factory.mktemp("genes")
    lengths = {f"t{i}.{i}|x": 200 + 10 * i for i in range(len(owners))}
    number = st.integers(0, 1000)
    samples = {name: [data.draw(number) for _ in owners] for name in ("s1", "s2")}
    quants = {name: write_quant(tmp_path / name, counts, lengths) for name, counts in samples.items()}
    rows = [f"{name}\t{gene}\t\n" for name, gene in zip(lengths, owners, strict=True)]
    (tmp_path / "genes.tsv").write_text("transcript_id\tgene_id\tgene_name\n" + "".join(rows))
    adata = build_expression(quants, samples=[{"sample": "s1"}, {"sample": "s2"}])
    found = summarise_genes(quants, expression=adata, transcript_to_gene=tmp_path / "genes.tsv")
    own = [gene or name for name, gene in zip(lengths, owners, strict=True)]
    assert found.var_names.tolist() == list(dict.fromkeys(own))
    expected = pd.DataFrame(samples, index=own).groupby(level=0).sum().loc[found.var_names].T
    np.testing.assert_array_equal(found.X.toarray(), expected.to_numpy(np.float32))


def test_a_table_for_other_transcripts_or_an_unknown_kind_of_counts_is_rejected(quants, tmp_path):
    adata = build_expression(quants, samples=SHEET)
    path = tmp_path / "genes.tsv"
    path.write_text("transcript_id\tgene_id\tgene_name\n")
    with pytest.raises(InputError, match="has no gene for any of 5 transcripts"):
        summarise_genes(quants, expression=adata, transcript_to_gene=path)
    with pytest.raises(InputError, match="counts is 'no', expected one of none, scaled_tpm"):
        summarise_genes(quants, expression=adata, transcript_to_gene=path, counts="no")


# ---------------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------------


def test_tables_hold_every_value_in_the_same_bytes_each_time(quants, tmp_path):
    adata = build_expression(quants, samples=SHEET)
    adata.layers["tpm"].data[0] = 1e-7
    for name in ("a", "b"):
        write_tables(adata, tmp_path / f"{name}_counts.tsv", tmp_path / f"{name}_tpm.tsv.gz")
    counts = (tmp_path / "a_counts.tsv").read_text()
    assert counts.splitlines()[:3] == ["feature\ts1\ts2\ts0", "T1\t10\t0\t0", "T2\t2.5\t5\t0"]
    assert (tmp_path / "a_tpm.tsv.gz").read_bytes() == (tmp_path / "b_tpm.tsv.gz").read_bytes()
    with gzip.open(tmp_path / "a_tpm.tsv.gz", "rt") as file:
        text = file.read()
    assert "0.0000001" in text
    assert "e" not in text.split("\n", 1)[1].replace("lonely", "")
    back = pd.read_csv(tmp_path / "a_tpm.tsv.gz", sep="\t", index_col="feature", dtype={"feature": str})
    np.testing.assert_array_equal(back.to_numpy(np.float32).T, adata.layers["tpm"].toarray())


def test_transcripts_without_reads_have_no_tpm_and_empty_samples_are_named(quants, genes):
    path = quants["s1"] / "quant.sf"
    path.write_text(path.read_text().replace("HLA/x\t400\t300.000\t0.000000", "HLA/x\t400\t1.500\t31.250000"))
    with pytest.warns(DeepMapperWarning) as said:
        adata = build_expression(quants, samples=SHEET)
    assert ((adata.layers["tpm"].toarray() > 0) == (adata.X.toarray() > 0)).all()
    texts = " ".join(str(w.message) for w in said)
    assert "1 transcript with less than 0.5 reads a TPM above 0 (at most 31.2, HLA/x of sample s1)" in texts
    assert "all counts are zero in 1 of 3 samples (s0)" in texts
    by_gene = summarise_genes(quants, expression=adata, transcript_to_gene=genes)
    assert ((by_gene.layers["tpm"].toarray() > 0) == (by_gene.X.toarray() > 0)).all()


@pytest.mark.filterwarnings("ignore::deepmapper.errors.DeepMapperWarning")
def test_the_tpm_of_a_gene_holds_none_of_an_isoform_without_reads(quants, genes):
    path = quants["s2"] / "quant.sf"
    lines = path.read_text().splitlines()
    assert lines[1].startswith("T1\t") and lines[1].endswith("\t0.000000\t0.000")
    lines[1] = lines[1].replace("\t0.000000\t0.000", "\t31.250000\t0.000")
    path.write_text("\n".join(lines) + "\n")
    adata = build_expression(quants, samples=SHEET)
    by_gene = summarise_genes(quants, expression=adata, transcript_to_gene=genes)
    tpm = by_gene["s2", "G1"].layers["tpm"].toarray().item()
    assert tpm == adata["s2", "T2"].layers["tpm"].toarray().item() > 0
