"""Schemas of the tables on the way to the findings: reads, features and chords. Standard library only."""

from __future__ import annotations

from .columns import BOOTSTRAP, WILSON, Column, Table, boolean, integer, interval, name_list, number, text

_CHORD = (
    text("chord", "name, numbered by falling strength"),
    integer("order", "number of sides"),
    text("class", "class that its strongest product separates from the others"),
    number("z", "score of its strongest product; above 0: the product is larger in the class"),
    integer("n_members", "features in it"),
    integer("n_products", "significant products among them"),
    name_list("side_1", "members of the first side, the strongest first"),
    name_list("side_2", "members of the second side"),
    name_list("side_3", "members of the third side, if there is one"),
    name_list("joined", "members that were added by their product with the score of the other side"),
)

CHORDS = Table(
    "findings/chords.tsv",
    "One row per chord, with its proof on the test split, which the screen never saw.",
    (
        *_CHORD,
        integer("n_test", "samples of the test split"),
        *interval("auc_chord", "AUC of a small model on members and products for its class", BOOTSTRAP),
        text("best_member", "the member that alone separates the class best on the development part"),
        number("auc_best_member", "AUC of that member"),
        number("auc_additive", "AUC of the small model without products"),
        *interval("synergy", "auc_chord minus the best of auc_best_member, auc_additive and 0.5", BOOTSTRAP),
        number("macro_auc", "mean AUC over all classes, with products"),
        number("macro_auc_additive", "the same without products"),
        number("accuracy", "accuracy over all classes, with products"),
        number("accuracy_additive", "the same without products"),
        number("auc[*]", "AUC of this class against the rest"),
        number("synergy[*]", "synergy for this class"),
    ),
)

SCREENED_CHORDS = Table("chords/chords.tsv", "One row per chord, by falling strength.", _CHORD)


def _products(*features: Column) -> tuple[Column, ...]:
    return (
        integer("rank", "place by falling size of z"),
        *features,
        text("class", "the class with the largest size of z"),
        number("z", "score for that class; above 0: the product is larger in the class"),
        number("p_family", "share of null draws in which any product of any class reaches this size"),
        number("q", "share of false products expected among all of this size or more"),
        boolean("significant", "whether it is within the error rate asked for"),
        number("z[*]", "score for this class"),
    )


_PAIR = (text("feature_a", "one feature of the product"), text("feature_b", "another"))

PAIRS = Table("chords/pairs.tsv", "The strongest products, significant or not.", _products(*_PAIR))

TRIPLETS = Table(
    "chords/triplets.tsv",
    "The strongest products of three features, significant or not.",
    _products(*_PAIR, text("feature_c", "the third")),
)

CHORD_FEATURES = Table(
    "chords/features.tsv",
    "One row per feature, in the order of the matrix.",
    (
        text("feature", "name of the feature"),
        boolean("screened", "whether it was screened"),
        number("z_pair", "largest size of z of its products"),
        text("partner", "the other feature of that product"),
        name_list("chord", "chords that it belongs to, the strongest first"),
        number("z_chord", "size of z of its product with the other sides of its chord"),
    ),
)

CHORD_SCORES = Table(
    "chords/scores.tsv",
    "One row per chord and sample.",
    (
        text("cell", "name of the sample"),
        text("split", "development or test"),
        text("label", "its class"),
        text("chord", "name of the chord"),
        number("score", "value of the chord; mean 0 and standard deviation 1 in the development part"),
    ),
)

MODEL_CHORDS = Table(
    "findings/{model}/chords.tsv",
    "One row per chord, as the networks that read chords as pixels rank it.",
    (
        text("chord", "name of the chord"),
        *interval(
            "selection_frequency",
            "share of the accepted passes that have the chord's pixel in their top_k of features and chords",
            WILSON,
        ),
        number("median_importance", "importance of the pixel in one pass: median over the passes"),
        number("importance_q25", "lower quartile of the importance over the passes"),
        number("importance_q75", "upper quartile of the importance over the passes"),
        number("mean_rank", "mean rank among features and chords over the passes; 1 is best"),
    ),
)

CONFOUNDERS = Table(
    "features/confounders.tsv",
    "One row per sample, where confounders are adjusted for.",
    (text("sample", "name of the sample"), text("*", "this confounder, as given or computed")),
)

ALIGNMENT = Table(
    "reads/alignment.tsv",
    "One row per sample.",
    (
        text("sample", "name of the sample"),
        text("layout", "paired, single or mixed"),
        integer("fragments", "pairs and single reads"),
        integer("aligned", "fragments that align"),
        integer("captured", "fragments that were captured; with aligned they add up to all"),
        integer("concordant", "pairs that align concordantly"),
        integer("discordant", "pairs that align discordantly"),
        integer("half_mapped", "pairs of which one mate aligns"),
        integer("kept_mates", "of these, pairs that were captured by option"),
        number("rate", "share of the fragments that align"),
        number("captured_rate", "share of the fragments that were captured"),
    ),
)

CONTIGS = Table(
    "reads/novelty/contigs.tsv",
    "One row per contig of the assembly.",
    (
        text("contig", "name in the assembly"),
        text("name", "DENOVO_ and a word made from the sequence"),
        boolean("kept", "whether it counts as a novel transcript"),
        text("class", "how it relates to the reference"),
        text("reason", "why it was kept or dropped, with figures"),
        integer("length", "nucleotides"),
        number("gc", "share of G and C"),
        number("unknown_share", "share of N"),
        number("low_complexity_share", "share of simple sequence"),
        boolean("low_complexity", "whether that is too much"),
        boolean("adapter", "whether it contains a sequencing adapter"),
        text("contaminant", "the contaminant that it matches"),
        integer("longest_orf", "amino acids of the longest open reading frame"),
        text("orf_strand", "strand of that frame"),
        boolean("orf_complete", "whether that frame has a start and a stop"),
        text("best_transcript", "the reference transcript most similar to it"),
        number("transcript_identity", "identity with that transcript"),
        number("transcript_coverage", "share of the contig that matches that transcript"),
        text("genome_locus", "the place in the genome that it matches"),
        number("genome_identity", "identity with that place"),
        number("genome_coverage", "share of the contig that matches there"),
        integer("introns", "gaps of the match that look like introns"),
        name_list("gene", "genes at that place"),
        integer("supporting_reads", "captured fragments that match it"),
        integer("supporting_samples", "samples with any such fragment"),
    ),
)

SUPPORT = Table(
    "reads/novelty/support.tsv",
    "One row per contig whose support was counted, the longest first.",
    (text("name", "name of the contig"), integer("*", "captured fragments of this sample that match it")),
)


def _by_sample(path: str, of: str, what: str) -> Table:
    columns = (text("feature", f"name of the {of}"), number("*", f"{what} in this sample"))
    return Table(f"reads/{path}", f"One row per {of}.", columns)


COUNTS = _by_sample("counts.tsv.gz", "transcript", "fragments that Salmon assigns")

TPM = _by_sample("tpm.tsv.gz", "transcript", "transcripts per million")

GENE_COUNTS = _by_sample("gene_counts.tsv.gz", "gene", "fragments that Salmon assigns")

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

POOL = Table(
    "reads/pool/samples.tsv",
    "One row per sample.",
    (
        text("sample", "name of the sample"),
        integer("pairs", "captured pairs"),
        integer("singles", "captured reads without a captured mate"),
    ),
)
