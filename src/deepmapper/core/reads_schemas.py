"""Schemas of the tables that are made from reads. Standard library only."""

from __future__ import annotations

from .columns import Table, boolean, integer, name_list, number, text

ALIGNMENT = Table(
    "reads/alignment.tsv",
    "One row per sample.",
    (
        text("sample", "name of the sample"),
        text("layout", "paired, single or mixed"),
        integer("fragments", "number of read pairs and single reads"),
        integer("aligned", "number of fragments that align"),
        integer("captured", "number of fragments that were captured; aligned and captured add up to all"),
        integer("concordant", "number of pairs that align concordantly"),
        integer("discordant", "number of pairs that align discordantly"),
        integer("half_mapped", "number of pairs of which only one mate aligns"),
        integer("kept_mates", "number of half-mapped pairs captured because of reads.keep_half_mapped"),
        number("rate", "share of the fragments that align"),
        number("captured_rate", "share of the fragments that were captured"),
    ),
)

FRAGMENTS = Table(
    "reads/fragments.tsv",
    "One row per sample: where its fragments went.",
    (
        text("sample", "name of the sample"),
        text("layout", "paired or single"),
        integer("fragments", "number of read pairs or single reads; the sum of the next four"),
        integer("known", "fragments counted on known transcripts"),
        integer("novel", "fragments counted on novel transcripts: the sum of their counts, rounded"),
        integer("aligned_not_counted", "fragments that align to the genome (at least one mate), but count nowhere"),
        integer("captured_not_counted", "fragments that do not align to the genome (no mate) and count nowhere"),
        integer("captured_counted", "fragments that do not align to the genome, but count"),
        number("known_rate", "share of the fragments counted on known transcripts"),
        number("novel_rate", "share of the fragments counted on novel transcripts"),
        number("aligned_not_counted_rate", "share of the fragments that align, but count nowhere"),
        number("captured_not_counted_rate", "share of the fragments that neither align nor count"),
        integer("detected_known", "known transcripts with a count of at least 0.5"),
        integer("detected_novel", "novel transcripts with a count of at least 0.5"),
        text("strandedness", "how they were counted: unstranded, forward or reverse"),
        text("measured_strandedness", "what the reads say; empty: too few of them match"),
    ),
)

CONTIGS = Table(
    "reads/novelty/contigs.tsv",
    "One row per contig of the assembly, then one per transcript model from aligned reads that the annotation lacks.",
    (
        text("contig", "name in the assembly, or of the model"),
        text("name", "DENOVO_ and a hash of the sequence"),
        boolean("kept", "whether it counts as a novel transcript"),
        text("source", "unaligned (contig of reads that do not align), aligned (model of reads that do), or given"),
        text("class", "how it relates to the reference"),
        text("reason", "why it was kept or dropped, with numbers"),
        integer("length", "length in nucleotides"),
        number("gc", "share of G and C"),
        number("unknown_share", "share of N"),
        number("low_complexity_share", "share of low-complexity sequence"),
        boolean("low_complexity", "whether this share is too high"),
        boolean("adapter", "whether it contains a sequencing adapter"),
        text("contaminant", "contaminant that it matches"),
        text("rrna", "ribosomal RNA that it resembles; empty: none, or not searched for"),
        number("rrna_coverage", "share of it that resembles ribosomal RNA"),
        number("rrna_evalue", "E-value, at most 1e-6"),
        integer("longest_orf", "length of the longest open reading frame in amino acids"),
        text("orf_strand", "strand of this reading frame"),
        boolean("orf_complete", "whether this reading frame has a start and a stop codon"),
        text("best_transcript", "most similar reference transcript"),
        number("transcript_identity", "sequence identity with this transcript"),
        number("transcript_coverage", "share of the contig that aligns to this transcript"),
        text("genome_locus", "best matching place in the genome"),
        number("genome_identity", "sequence identity with this place"),
        number("genome_coverage", "share of the contig that aligns there"),
        integer("introns", "number of gaps in the alignment that look like introns"),
        text(
            "class_code", "code of gffcompare for this place, relative to the annotated transcript it shares most with"
        ),
        name_list("gene", "genes at this place"),
        text("gene_id", "gene in the table of genes: the annotated one of an isoform, else that of a new gene"),
        integer(
            "supporting_reads",
            "number of captured fragments that match it; for a model also of aligned ones, estimated from its coverage",
        ),
        integer("supporting_samples", "number of samples with such fragments"),
        number(
            "false_rate", "probability that a kept one is false, estimated from the controls; empty: too few controls"
        ),
        number("novelty_q", "expected share of false ones among those kept with the same or a smaller false_rate"),
    ),
)

HIDDEN = Table(
    "reads/reference/hidden.tsv",
    "One row per annotated transcript that is hidden from the controls of novelty.",
    (
        text("transcript", "id of the transcript"),
        text("gene", "id of its gene"),
        text("what", "gene: all transcripts of the gene are hidden; isoform: only this one"),
    ),
)

TRANSCRIPT_MODELS, CONTROL_MODELS = (
    Table(
        f"reads/merged_{name}/support.tsv",
        f"One row per transcript model that the annotation lacks{rest}.",
        (
            text("model", "name of the model"),
            name_list("samples", "samples whose own models have all its introns and exons"),
            integer("seen_in", "number of samples that have the rarest of its introns and exons"),
            integer("*", "number of fragments of this sample, estimated from the coverage"),
        ),
    )
    for name, rest in (("models", ""), ("controls", " when part of it is hidden"))
)

EXPRESSED, EXPRESSED_CONTROLS = (
    Table(
        f"reads/merged_{name}/expressed.tsv",
        f"One row per annotated transcript with reads{rest}.",
        (
            text("transcript", "id of the transcript"),
            integer("fragments", "number of fragments of all samples, estimated from the coverage"),
        ),
    )
    for name, rest in (("models", ""), ("controls", " that is not hidden"))
)

_NOT_ASKED = "none: nothing found; not asked: no such database was given"

NOVEL = Table(
    "reads/novelty/novel.tsv",
    "One row per novel transcript, the longest first.",
    (
        text("name", "DENOVO_ and a hash of the sequence"),
        text("alias", "readable name, unique in this run"),
        text("gene_id", "gene in the table of genes: the annotated one of an isoform, else that of a new gene"),
        text("gene_name", "symbol of this gene; of a new gene its alias"),
        text("source", "unaligned (contig of reads that do not align), aligned (model of reads that do), or given"),
        text("class", "how it relates to the reference"),
        text("class_code", "code of gffcompare; empty without a place or an annotation"),
        text("meaning", "this code in words; without one, the reason of the class"),
        text("nearest_gene", "annotated gene at its place, else the nearest on the same sequence"),
        text("nearest_gene_name", "symbol of this gene"),
        integer("nearest_distance", "nucleotides to this gene; 0: they overlap, introns included"),
        text("nearest_strand", "strand of this gene relative to the transcript: same, opposite or unknown"),
        text("place", "sequence, first and last base (counted from 1), and strand"),
        integer("exons", "number of exons"),
        integer("length", "length in nucleotides"),
        number("gc", "share of G and C"),
        integer("longest_orf", "length of the longest open reading frame in amino acids"),
        text("orf_strand", "strand of this reading frame"),
        boolean("orf_complete", "whether this reading frame has a start and a stop codon"),
        number(
            "orf_p",
            "share of 999 shuffled sequences (99, if that is above 0.1) with a reading frame at least as long; not "
            "adjusted for the number of transcripts",
        ),
        text(
            "coding",
            "protein_match (it resembles a protein); likely (at least 100 amino acids, orf_p up to 0.01); no_evidence "
            "(orf_p above 0.05); unclear (otherwise)",
        ),
        integer("supporting_reads", "number of fragments that it was assembled from, as in contigs.tsv"),
        integer("supporting_samples", "number of samples with such fragments"),
        number("counted_fragments", "number of fragments that Salmon assigns to it, of all reads of all samples"),
        integer("counted_samples", "number of samples in which it is detected: at least half a fragment"),
        number("novelty_q", "expected share of false ones among those kept with the same or a smaller false_rate"),
        text("rrna", "ribosomal RNA that it resembles in part; empty: none, or not searched for"),
        number("rrna_coverage", "share of it that resembles ribosomal RNA"),
        text("protein", f"most similar protein; {_NOT_ASKED}"),
        text("protein_description", "its description"),
        text("protein_identity", "sequence identity with it"),
        text("protein_coverage", "share of the protein that is covered"),
        text("protein_evalue", "E-value, at most 1e-5"),
        text("domain", f"protein domain with the highest score in the longest reading frame; {_NOT_ASKED}"),
        text("domain_description", "its description"),
        text("domain_evalue", "E-value; within the gathering threshold of the domain, if it has one, else 0.001"),
        text("rna_family", f"family of structured RNA with the highest score; {_NOT_ASKED}"),
        text("rna_family_description", "its description"),
        text("rna_family_evalue", "E-value; within the gathering threshold of the family, if it has one, else 0.001"),
        text("taxon", f"taxon that Kraken 2 assigns; {_NOT_ASKED}"),
    ),
)

SUPPORT = Table(
    "reads/novelty/support.tsv",
    "One row per contig whose support was counted, the longest first.",
    (text("name", "name of the contig"), integer("*", "number of fragments of this sample that support it")),
)


def _by_sample(path: str, of: str, what: str) -> Table:
    columns = (text("feature", f"name of the {of}"), number("*", f"{what} in this sample"))
    return Table(f"reads/{path}", f"One row per {of}.", columns)


COUNTS = _by_sample("counts.tsv.gz", "transcript", "number of fragments assigned by Salmon")

TPM = _by_sample("tpm.tsv.gz", "transcript", "transcripts per million")

GENE_COUNTS = _by_sample("gene_counts.tsv.gz", "gene", "number of fragments assigned by Salmon")

GENE_TPM = _by_sample("gene_tpm.tsv.gz", "gene", "transcripts per million")

TRANSCRIPT_TO_GENE = Table(
    "reads/reference/transcript_to_gene.tsv",
    "One row per reference transcript.",
    (
        text("transcript_id", "name of the transcript"),
        text("gene_id", "identifier of its gene; empty: unknown"),
        text("gene_name", "name of its gene"),
    ),
)

CHROMOSOMES = Table(
    "reads/reference/chromosomes.tsv",
    "One row per sequence of the annotation.",
    (
        text("annotation_name", "name of the sequence in the annotation"),
        text("genome_name", "its name in the genome; empty: it is not there"),
        text(
            "how",
            "how it was found: exact (the same name), habit (the names differ by chr, in the name of the mitochondrion "
            "or in UCSC's form of scaffolds), table (by reference.chromosome_names); or why it was left out: "
            "as_written (they differ in such a way, but names are used as written), missing",
        ),
        integer("genes", "number of genes on it"),
        integer("transcripts", "number of transcripts on it"),
    ),
)

POOL = Table(
    "reads/pool/samples.tsv",
    "One row per sample.",
    (
        text("sample", "name of the sample"),
        integer("pairs", "number of captured pairs"),
        integer("singles", "number of captured reads without a captured mate"),
    ),
)
