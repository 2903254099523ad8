"""From reads to a table without a genome: against the transcripts alone, and without any reference."""

import pandas as pd
import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.tools]

OF_A_GENOME = {"prepare_genome", "extract_splice_sites"}
OF_A_REFERENCE = OF_A_GENOME | {
    "prepare_transcripts",
    "map_transcripts_to_genes",
    "build_hisat2_index",
    "align_reads",
    "tabulate_alignment",
}


def words(sequence: str) -> set[str]:
    """Words of 21 letters of a sequence and its reverse complement."""
    from deepmapper.reads.nucleotides import reverse_complement

    return {text[i : i + 21] for text in (sequence, reverse_complement(sequence)) for i in range(len(text) - 20)}


def share_found(fasta, contigs) -> pd.Series:
    """Share of the words of each sequence of a FASTA that are in the contigs."""
    from deepmapper.reads.fasta import read_fasta

    found = set().union(*(words(record.sequence) for record in read_fasta(contigs)))
    shares = {r.name: len(words(r.sequence) & found) / len(words(r.sequence)) for r in read_fasta(fasta)}
    return pd.Series(shares)


def test_without_any_reference_every_transcript_is_assembled_and_counted(reads_directory):
    import anndata

    directory, study = reads_directory(
        {"n_genes": 6, "fragments_per_sample": 2500}, reference="none", assembly={"assembler": "rnaspades"}
    )
    done = directory.run("all")
    assert not OF_A_REFERENCE & set(done.jobs), "nothing that needs a reference is planned"
    assert done.jobs["collect_reads"] == 4
    adata = anndata.read_h5ad(directory.results / "expression.h5ad")
    assert adata.var["is_denovo"].all()
    assert set(adata.var["novelty_class"]) == {"unmapped"}
    assert adata.X.sum(axis=1).min() > 0.9 * 2000, "nearly all reads are counted"
    contigs = directory.results / "reads/novelty/denovo.fa"
    assert (share_found(study.novel_fasta, contigs) > 0.9).all()
    assert share_found(study.transcripts, contigs).median() > 0.9
    page = (directory.results / "findings/summary.html").read_text()
    assert "No reference was given, and all reads were assembled" in page
    assert not (directory.results / "reads/collected/ctrl_1").exists(), "a copy of the reads is not kept"
    assert directory.table_faults() == []


def test_what_the_transcripts_lack_is_captured_without_a_genome(reads_directory):
    import anndata

    directory, study = reads_directory(assembly={"assembler": "rnaspades"})
    directory.configure(reference={"transcripts": str(study.transcripts)})
    done = directory.run("expression")
    assert not OF_A_GENOME & set(done.jobs)
    table = pd.read_csv(directory.results / "reads/alignment.tsv", sep="\t")
    assert (table["rate"].between(0.5, 0.95)).all()
    adata = anndata.read_h5ad(directory.results / "expression.h5ad")
    assert 0 < adata.var["is_denovo"].sum() < len(adata.var)
    assert (share_found(study.novel_fasta, directory.results / "reads/novelty/denovo.fa") > 0.9).all()


def test_reads_too_few_for_any_contig(reads_directory):
    directory, _ = reads_directory({"fragments_per_sample": 30}, reference="none", assembly={"assembler": "rnaspades"})
    done = directory.run("expression", "--retries", "0", fails=True)
    assert "the reads gave no contig that was kept, and without a reference there is nothing to count" in done.said
