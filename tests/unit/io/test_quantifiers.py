"""Output of featureCounts, HTSeq, STAR, Salmon, kallisto and RSEM, as the programs write it."""

import bz2
import gzip
import warnings
from contextlib import contextmanager

import anndata
import h5py
import numpy as np
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.count_files import PROGRAMS
from deepmapper.io.expression import import_matrix
from deepmapper.io.formats import COUNTS
from deepmapper.io.read import read_matrix
from deepmapper.io.sample_names import sample_names

GENES = ["GENE1", "GENE2", "GENE3"]
SAMPLES = {"s1": [72, 0, 5], "s2": [70, 3, 9]}
HTSEQ_TOTALS = ["__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique"]


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join("\t".join(map(str, line)) + "\n" for line in lines).encode()
    packer = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)
    path.write_bytes(packer(text))
    return path


def featurecounts(path, samples=SAMPLES, columns=None, comment=True, extra=()):
    columns = columns or [f"star/{name}.Aligned.sortedByCoord.out.bam" for name in samples]
    lines = [['# Program:featureCounts v2.0.3; Command:"featureCounts" "-o" "fc.txt"']] if comment else []
    lines.append(["Geneid", "Chr", "Start", "End", "Strand", "Length", *extra, *columns])
    for i, gene in enumerate(GENES):
        about = ["chr1;chr1", "563;803", "675;1180", "+;+", 780 + i, *(f"symbol{i}" for _ in extra)]
        lines.append([gene, *about, *(counts[i] for counts in samples.values())])
    return write(path, lines)


def htseq(path, counts, totals=True):
    lines = list(zip(GENES, counts, strict=True))
    return write(path, [*lines, *((name, 9) for name in HTSEQ_TOTALS)] if totals else lines)


def star(path, unstranded, forward, reverse):
    lines = [
        ("N_unmapped", 808, 808, 808),
        ("N_multimapping", 7, 7, 7),
        ("N_noFeature", 0, 24, 24),
        ("N_ambiguous", 0, 1, 1),
    ]
    return write(path, [*lines, *zip(GENES, unstranded, forward, reverse, strict=True)])


def salmon(path, counts, genes=GENES):
    lines = [(gene, 780, 579.154, n * 2.5, f"{n}.000") for gene, n in zip(genes, counts, strict=True)]
    return write(path, [("Name", "Length", "EffectiveLength", "TPM", "NumReads"), *lines])


def kallisto(path, counts):
    lines = [(gene, 780, 581.5, n, n * 2.5) for gene, n in zip(GENES, counts, strict=True)]
    return write(path, [("target_id", "length", "eff_length", "est_counts", "tpm"), *lines])


def rsem(path, counts, first=("gene_id", "transcript_id(s)")):
    lines = [(gene, f"{gene}.1", 780, 581.26, n, n * 2.5, n * 3) for gene, n in zip(GENES, counts, strict=True)]
    return write(path, [(*first, "length", "effective_length", "expected_count", "TPM", "FPKM"), *lines])


@contextmanager
def notices():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = []
        yield found
        found += [str(warning.message) for warning in caught if warning.category is DeepMapperWarning]


def check(path, samples=SAMPLES, tpm=False, said="", **options):
    with notices() as found:
        adata = read_matrix(path, **options)
    assert list(adata.obs_names) == list(samples)
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X.toarray(), list(samples.values()))
    assert ("tpm" in adata.layers) == tpm
    if tpm:
        np.testing.assert_allclose(adata.layers["tpm"].toarray(), adata.X.toarray() * 2.5)
    assert any(said in notice for notice in found) or not said, found
    return adata


def test_every_program_has_a_format():
    assert tuple(PROGRAMS) == COUNTS


def test_featurecounts(tmp_path):
    adata = check(featurecounts(tmp_path / "fc.txt"), said="'star/s1.Aligned.sortedByCoord.out.bam' is 's1', and so on")
    assert adata.var["length"].tolist() == [780, 781, 782]
    check(featurecounts(tmp_path / "counts.tsv.gz", comment=False))
    check(featurecounts(tmp_path / "b.txt", columns=["s1/Aligned.out.bam", "s2/Aligned.out.bam"]))
    check(featurecounts(tmp_path / "c.txt", columns=["s1", "s2"]))
    adata = check(featurecounts(tmp_path / "d.txt", extra=["gene_name"]))
    assert adata.var["gene_name"].tolist() == ["symbol0", "symbol1", "symbol2"]
    check(featurecounts(tmp_path / "one.txt", {"s1": SAMPLES["s1"]}, columns=["s1"]), {"s1": SAMPLES["s1"]})
    for name, counts in SAMPLES.items():
        featurecounts(tmp_path / "each" / f"{name}.featureCounts.txt", {name: counts})
        write(tmp_path / "each" / f"{name}.featureCounts.txt.summary", [("Status", "x.bam"), ("Assigned", 100)])
    check(tmp_path / "each")
    lines = [("Geneid", "s1.bam", "s2.bam"), *zip(GENES, *SAMPLES.values(), strict=True)]  # cut -f 1,7-
    check(write(tmp_path / "cut.txt", lines))


def test_merged_tables_with_columns_about_the_genes(tmp_path):
    """As nf-core/rnaseq writes them."""
    lines = [("gene_id", "gene_name", "s1", "s2"), *zip(GENES, "abc", *SAMPLES.values(), strict=True)]
    adata = check(write(tmp_path / "salmon.merged.gene_counts.tsv", lines))
    assert adata.var["gene_name"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("ending", [".counts.txt", "_htseq.tsv", ".counts", ".txt.gz", ".tab.bz2"])
def test_htseq_files_of_samples(tmp_path, ending):
    for name, counts in SAMPLES.items():
        htseq(tmp_path / "run" / f"{name}{ending}", counts)
    check(tmp_path / "run", said="left out 5 rows of totals")
    check(tmp_path / "run" / f"s1{ending}", {"s1": SAMPLES["s1"]})


def test_htseq_of_several_samples(tmp_path):
    totals = [(name, 9, 9) for name in HTSEQ_TOTALS]
    rows = [*zip(GENES, *SAMPLES.values(), strict=True), *totals]
    check(write(tmp_path / "header.tsv", [("", "star/s1.bam", "star/s2.bam"), *rows]))
    check(write(tmp_path / "merged.txt", [("gene", "s1", "s2"), *rows]))
    comma = tmp_path / "merged.csv"
    comma.write_text("\n".join(",".join(map(str, row)) for row in [("gene", "s1", "s2"), *rows]))
    check(comma)
    bare = dict(zip(("bare_1", "bare_2"), SAMPLES.values(), strict=True))
    check(write(tmp_path / "bare.tsv", rows), bare, said="no line with the names of its 2 samples")
    named = [(gene, f"symbol{i}", *counts) for i, (gene, *counts) in enumerate(rows)]
    assert "gene_name" in check(write(tmp_path / "attr.tsv", [("", "gene_name", "s1.bam", "s2.bam"), *named])).var


def test_transpose_agrees_with_features_in_rows(tmp_path):
    rows = [*zip(GENES, *SAMPLES.values(), strict=True), ("__no_feature", 9, 9)]
    check(write(tmp_path / "merged.tsv", [("gene", "s1", "s2"), *rows]), transpose=True)
    check(featurecounts(tmp_path / "fc.txt"), transpose=True)


@pytest.mark.parametrize("separator", ["\t", ","])
def test_tables_of_samples_with_a_header(tmp_path, separator):
    for name, counts in SAMPLES.items():
        path = write(tmp_path / f"GSM_{name}.csv", [("gene", "count"), *zip(GENES, counts, strict=True)])
        path.write_text(path.read_text().replace("\t", separator))
    check(tmp_path, {f"GSM_{name}": counts for name, counts in SAMPLES.items()})
    rows = [("gene", "count"), *zip(GENES, SAMPLES["s1"], strict=True), ("__no_feature", 9)]
    check(write(tmp_path / "one" / "s1.txt", rows), {"s1": SAMPLES["s1"]})  # not a sample called "count"


def test_htseq_without_totals(tmp_path):
    for name, counts in SAMPLES.items():
        htseq(tmp_path / f"{name}.counts", counts, totals=False)
    check(tmp_path)


@pytest.mark.parametrize(
    ("forward", "reverse", "kept"),
    [
        ((50, 40, 9), (51, 39, 9), "unstranded"),
        ((95, 80, 9), (1, 2, 0), "forward"),
        ((1, 2, 0), (95, 80, 9), "reverse"),
    ],
)
def test_star_infers_the_strand_of_the_library(tmp_path, forward, reverse, kept):
    both = [a + b for a, b in zip(forward, reverse, strict=True)]
    for name in SAMPLES:
        star(tmp_path / "star" / f"{name}.ReadsPerGene.out.tab", both, forward, reverse)
    expected = {"unstranded": both, "forward": forward, "reverse": reverse}
    check(tmp_path / "star", dict.fromkeys(SAMPLES, expected[kept]), said=f"The {kept} counts are used")
    check(tmp_path / "star" / "s2.ReadsPerGene.out.tab", {"s2": expected[kept]})
    for other, counts in expected.items():
        check(tmp_path / "star", dict.fromkeys(SAMPLES, counts), strandedness=other)
    with notices():
        import_matrix(tmp_path / "out.h5ad", tmp_path / "star", strandedness="forward")
    assert anndata.read_h5ad(tmp_path / "out.h5ad").X.toarray().tolist() == [list(forward)] * 2


def test_star_of_an_unclear_strand_is_refused(tmp_path):
    star(tmp_path / "s1ReadsPerGene.out.tab", (10, 10, 10), (7, 7, 7), (3, 3, 3))
    with notices(), pytest.raises(InputError, match=r"s1 70 %.* Set matrix: \{strandedness: unstranded\}"):
        read_matrix(tmp_path)
    star(tmp_path / "s1ReadsPerGene.out.tab", (10, 10, 10), (5, 5, 5), (5, 5, 5))
    star(tmp_path / "s2ReadsPerGene.out.tab", (10, 10, 10), (9, 9, 9), (1, 1, 1))
    with notices(), pytest.raises(InputError, match="s1 50 %, s2 90 %.*not all of one kind"):
        read_matrix(tmp_path)


def test_strandedness_of_another_format_is_refused(tmp_path):
    with pytest.raises(InputError, match="strandedness is 'reverse', which is only for ReadsPerGene.out.tab"):
        read_matrix(featurecounts(tmp_path / "fc.txt"), strandedness="reverse")
    with pytest.raises(InputError, match="expected one of auto, unstranded, forward, reverse"):
        read_matrix(tmp_path / "fc.txt", strandedness="yes")


@pytest.mark.parametrize(
    ("writer", "name"),
    [
        (salmon, "{}/quant.sf"),
        (salmon, "{}_quant.sf.gz"),
        (salmon, "results/{}_quant/quant.sf"),
        (kallisto, "{}/abundance.tsv"),
        (rsem, "{}.genes.results"),
        (rsem, "{}/rsem.genes.results"),
    ],
)
def test_tables_of_samples_with_tpm(tmp_path, writer, name):
    for sample, counts in SAMPLES.items():
        writer(tmp_path / name.format(sample), counts)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "salmon.log").write_text("x")
    adata = check(tmp_path, tpm=True)
    assert adata.var["length"].tolist() == [780.0] * 3
    check(tmp_path / name.format("s2"), {"s2": SAMPLES["s2"]}, tpm=True)


def test_genes_are_read_unless_isoforms_are_asked_for(tmp_path):
    isoforms = ("transcript_id", "gene_id")
    for sample, counts in SAMPLES.items():
        rsem(tmp_path / f"{sample}.genes.results", counts)
        rsem(tmp_path / f"{sample}.isoforms.results", [n + 1 for n in counts], isoforms)
    check(
        tmp_path,
        tpm=True,
        said="left out: 2 of 's1.isoforms.results'. To read those instead, set format to rsem_isoforms",
    )
    more = {name: [n + 1 for n in counts] for name, counts in SAMPLES.items()}
    adata = check(tmp_path, more, tpm=True, format="rsem_isoforms")
    assert adata.var["gene_id"].tolist() == ["GENE1.1", "GENE2.1", "GENE3.1"]


def test_kallisto_h5(tmp_path):
    for sample, counts in SAMPLES.items():
        (tmp_path / sample).mkdir()
        with h5py.File(tmp_path / sample / "abundance.h5", "w") as file:
            file["est_counts"] = np.array(counts, float)
            file["aux/ids"] = np.array(GENES, "S")
            file["aux/lengths"], file["aux/eff_lengths"] = [780, 500, 600], [600.0, 300.0, 400.0]
    with notices():
        adata = read_matrix(tmp_path)
    rates = np.array(list(SAMPLES.values())) / [600, 300, 400]
    np.testing.assert_allclose(adata.layers["tpm"].toarray(), rates / rates.sum(1, keepdims=True) * 1e6, rtol=1e-6)
    assert list(adata.obs_names) == ["s1", "s2"] and adata.X.toarray().tolist() == list(SAMPLES.values())
    kallisto(tmp_path / "s1" / "abundance.tsv", [1, 2, 3])  # the same sample: the text is read
    kallisto(tmp_path / "s2" / "abundance.tsv", [4, 5, 6])
    check(tmp_path, {"s1": [1, 2, 3], "s2": [4, 5, 6]}, tpm=True)


def test_features_in_another_order_are_joined_and_others_refused(tmp_path):
    salmon(tmp_path / "s1" / "quant.sf", SAMPLES["s1"])
    salmon(tmp_path / "s2" / "quant.sf", SAMPLES["s2"][::-1], GENES[::-1])
    check(tmp_path, tpm=True)
    salmon(tmp_path / "s2" / "quant.sf", SAMPLES["s2"], ["GENE1", "GENE2", "GENE9"])
    message = r"s2/quant\.sf has 3 features .* 'GENE3' only in quant.sf; 'GENE9' only in .*different annotations"
    with notices(), pytest.raises(InputError, match=message):
        read_matrix(tmp_path)


def test_damaged_count_files_are_refused(tmp_path):
    path = featurecounts(tmp_path / "fc.txt")
    text = path.read_text()
    path.write_text(text[: text.rindex("\t")] + "\n")
    with pytest.raises(InputError, match=r"feature 'GENE3', column .*s2.* found '', expected a number"):
        read_matrix(path)
    path.write_text(text.replace("\t70\n", "\tx\n"))
    with pytest.raises(InputError, match=r"feature 'GENE1', .*found 'x'"):
        read_matrix(path)
    htseq(tmp_path / "run" / "s1.counts", [1, 2, 3])
    (tmp_path / "run" / "s2.counts").touch()
    with pytest.raises(InputError, match="s2.counts is an empty file"):
        read_matrix(tmp_path / "run")
    salmon(tmp_path / "s" / "s1" / "quant.sf", [1, 2, 3])
    (tmp_path / "s" / "s2").mkdir()
    (tmp_path / "s" / "s2" / "quant.sf").write_text("Name\tLength\tEffectiveLength\tTPM\tNumReads\n")
    with pytest.raises(InputError, match="s2/quant.sf has a header, but no lines below it"):
        read_matrix(tmp_path / "s")
    kallisto(tmp_path / "s" / "s3" / "abundance.tsv", [1, 2, 3])
    with pytest.raises(InputError, match=r"several programs: Salmon .*kallisto .*Set format to one of"):
        read_matrix(tmp_path / "s")
    with pytest.raises(InputError, match="found no files of STAR"):
        read_matrix(tmp_path / "s", format="star")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/s1.bam", "b/s2.bam"], ["s1", "s2"]),
        (["s1/x/Aligned.out.bam", "s2/x/Aligned.out.bam"], ["s1", "s2"]),
        (["s1Aligned.sortedByCoord.out.bam", "s2Aligned.sortedByCoord.out.bam"], ["s1", "s2"]),
        (["p/s1/r1/quant.sf", "p/s1/r2/quant.sf", "p/s2/r1/quant.sf"], ["s1_r1", "s1_r2", "s2_r1"]),
        (["GSM1_a.htseq.counts.txt", "GSM2_b.htseq.counts.txt"], ["GSM1_a", "GSM2_b"]),
        (["s1.counts", "s1.count"], ["s1.counts", "s1.count"]),  # nothing shorter is unique
        (["liver.bam", "liver.sorted.bam"], ["liver", "liver.sorted"]),
        (["wt.bam"], ["wt"]),
        (["wt1", "wt2"], ["wt1", "wt2"]),
    ],
)
def test_samples_are_named_after_what_differs_between_their_paths(paths, names):
    assert sample_names(paths) == names


def test_a_failed_run_of_salmon_is_said(tmp_path):
    for sample, counts in SAMPLES.items():
        salmon(tmp_path / sample / "quant.sf", counts)
    for name, content in (("failed", "cmd_info.json"), ("notes", "readme.txt"), ("empty", "")):
        (tmp_path / name).mkdir()
        if content:
            (tmp_path / name / content).write_text("{}")
    check(tmp_path, tpm=True, said=r"left out 2 folders without Salmon's result ('empty', 'failed')")


def test_a_sample_that_was_counted_twice_is_refused(tmp_path):
    path = featurecounts(tmp_path / "counts.txt", columns=["a.bam", "a.bam"])
    with pytest.raises(InputError, match="the header has 'a.bam' more than once"):
        read_matrix(path)
