"""Every table of the results: what it holds, its columns, their types and what they mean. Standard library only.

The writer and the reader of tables, the pages, docs/outputs.md and the tests all read these schemas.
"""

from __future__ import annotations

from .columns import BOOTSTRAP, WILSON, Column, Table, boolean, integer, interval, name_list, number, text
from .stage_schemas import (
    ALIGNMENT,
    CHORD_FEATURES,
    CHORD_SCORES,
    CHORDS,
    CONFOUNDERS,
    CONTIGS,
    COUNTS,
    GENE_COUNTS,
    GENE_TPM,
    MODEL_CHORDS,
    PAIRS,
    POOL,
    SCREENED_CHORDS,
    SUPPORT,
    TPM,
    TRANSCRIPT_TO_GENE,
    TRIPLETS,
)

_AS_SHADOWS = "against shadow features, whose root mean square is 1"


def _evidence() -> tuple[Column, ...]:
    return (
        number("evidence", "score learnt against shadow features, as log odds; empty: the feature was not compared"),
        integer("evidence_rank", "place by evidence; 1 is best"),
        text(
            "evidence_between",
            "the two classes (of more than twelve: a class and the others) that it separates best, the higher first",
        ),
        number("evidence_t", "Welch's t between these classes"),
        number(
            "evidence_backing",
            "how strongly the other features that differ move with it within classes, in standard errors",
        ),
    )


def _significance() -> tuple[Column, ...]:
    return (
        number("z", f"importance {_AS_SHADOWS}, over all classes", optional=True),
        number("p", "share of the shadow features with at least this z; empty: not tested", optional=True),
        number("q", "false discovery rate among all features with this q or less (Benjamini-Hochberg)", optional=True),
        boolean("significant", "whether q is within the rate asked for (calibration.level)", optional=True),
        number("z[*]", f"importance for this class {_AS_SHADOWS}; above 0: more of the feature speaks for the class"),
        number("p[*]", "p for this class"),
        number("q[*]", "q for this class"),
        number("importance_low", f"lower end of the {BOOTSTRAP} of median_importance, over passes", optional=True),
        number("importance_high", f"upper end of the {BOOTSTRAP} of median_importance, over passes", optional=True),
        number("rank_low", f"lower end of the {BOOTSTRAP} of the rank, over passes", optional=True),
        number("rank_high", f"upper end of the {BOOTSTRAP} of the rank, over passes", optional=True),
    )


def _filters() -> tuple[Column, ...]:
    return (
        boolean("hvg_seurat", "whether 2000 highly variable features, flavour seurat, hold it; empty: not computable"),
        boolean("hvg_seurat_v3", "the same for flavour seurat_v3"),
        boolean("hvg_cell_ranger", "the same for flavour cell_ranger"),
        number("pca_50", "share of its variance in the first 50 principal components; below 0.1 it counts as lost"),
    )


_STABILITY = number("stability", "share of the passes on halves of the samples that have the feature in their top_k")

FEATURES = Table(
    "findings/{model}/features.tsv",
    "One row per feature, the best first: significant ones by falling z, the others after them; without passes on "
    "shadow features by selection frequency, then by median importance.",
    (
        integer("rank", "place in the ranking; 1 is best"),
        text("feature", "name of the gene or transcript"),
        *interval("selection_frequency", "share of the accepted passes that have the feature in their top_k", WILSON),
        number("median_importance", "importance in one pass: median over the passes"),
        number("importance_q25", "lower quartile of the importance over the passes"),
        number("importance_q75", "upper quartile of the importance over the passes"),
        number("mean_rank", "mean rank over the passes; 1 is best"),
        number("importance[*]", "importance among the samples of this class: median over the passes"),
        text(
            "direction[*]",
            "up: more of the feature speaks for the class; down: against it; unclear: less than 80 % of passes agree",
        ),
        boolean("is_denovo", "whether it is a novel transcript, assembled from the reads"),
        name_list("chord", "chords that the feature belongs to, the strongest first"),
        number("z_chord", "size of z of the feature's product with the other sides of its chord"),
        number("synergy", "synergy of its strongest chord on the test split"),
        *_significance(),
        _STABILITY,
        *_evidence(),
        *_filters(),
    ),
)

RANKING = Table(
    "findings/{model}/ranking.tsv",
    "One row per feature in the order of the passes alone: by selection frequency, then by median importance.",
    FEATURES.columns[: 1 + [column.name for column in FEATURES.columns].index("is_denovo")],
)

PASSES = Table(
    "findings/{model}/passes.tsv",
    "One row per pass, control passes last.",
    (
        integer("seed", "seed of the pass"),
        boolean("control", "whether it was trained on permuted labels"),
        boolean("accepted", "whether it counts for the ranking"),
        text("reason", "why it does not"),
        number("accuracy", "share of the out-of-bag samples classified correctly"),
        number("balanced_accuracy", "mean recall of the classes on the out-of-bag samples"),
        number("majority_accuracy", "accuracy of always predicting the largest class there"),
        number("permuted_accuracy", "mean accuracy of the same predictions against shuffled labels"),
        number("permutation_p", "share of the shuffles that reach the accuracy"),
        integer("epochs_run", "epochs trained"),
        integer("stop_epoch", "epoch whose weights were kept"),
        number("val_loss", "validation loss of that epoch"),
        number("completeness_error", "share of the change in score that the attributions miss"),
        integer("n_train", "samples trained on"),
        integer("n_val", "samples that chose the epoch"),
        integer("n_oob", "out-of-bag samples, which give the accuracy"),
    ),
)

HISTORY = Table(
    "findings/{model}/history.tsv",
    "One row per epoch of every pass.",
    (
        integer("seed", "seed of the pass"),
        boolean("control", "whether it was trained on permuted labels"),
        integer("epoch", "epoch, from 1"),
        number("train_loss", "training loss"),
        number("val_loss", "validation loss; empty without validation samples"),
        number("val_accuracy", "validation accuracy; empty without validation samples"),
    ),
)

AGREEMENT = Table(
    "findings/{model}/agreement.tsv",
    "One row per pair of accepted passes.",
    (
        integer("seed_a", "seed of one pass"),
        integer("seed_b", "seed of the other"),
        number("top_k_overlap", "share of the top_k in common"),
        number("spearman", "rank correlation of the importances"),
    ),
)

CONVERGENCE = Table(
    "findings/{model}/convergence.tsv",
    "One row per number of passes: how many of the first features two sets of so many passes share.",
    (
        integer("m", "passes in each of two sets that have no pass in common"),
        number("mean", "share of the top_k that both sets name"),
        number("low", "lower end of its 95 % interval; empty below 8 accepted passes"),
        number("high", "upper end of its 95 % interval; empty below 8 accepted passes"),
        text("kind", "observed up to half of the accepted passes, expected beyond"),
    ),
)

SIGNIFICANCE = Table(
    "findings/{model}/significance.tsv",
    "One row per feature, in the order of the matrix.",
    (text("feature", "name of the feature"), *_significance()),
)

CALIBRATION_NULL = Table(
    "findings/{model}/calibration_null.tsv",
    "One row per quantile of z.",
    (
        number("share", "share of the values below the quantile"),
        number("z_shadow", "quantile of z of the shadow features"),
        number("z_feature", "quantile of z of the features tested"),
    ),
)

STABILITY = Table(
    "findings/{model}/stability.tsv",
    "One row per feature, in the order of the matrix.",
    (text("feature", "name of the feature"), _STABILITY),
)

_PANEL = (
    text("feature", "member of the panel"),
    text("what", "feature or chord"),
    number("coefficient[*]", "coefficient for this class, per standard deviation; of two classes for the second alone"),
)

PANEL = Table("findings/{model}/panel.tsv", "One row per member of the panel.", _PANEL)

AUDIT = Table(
    "findings/{model}/audit.tsv",
    "One row per usual choice of features and kind of finding.",
    (
        text("choice", "the usual choice of features"),
        text("of", "the kind of finding"),
        integer("n", "number of such findings"),
        integer("n_lost", "number that the choice would have lost; empty: the choice could not be made"),
        number("share_lost", "the same as a share"),
        name_list("lost", "names of those lost, by rank"),
        text("note", "what the choice did to all features, or why it could not be made"),
    ),
)

PER_CLASS = Table(
    "findings/{model}/per_class.tsv",
    "One row per class.",
    (
        text("class", "name of the class"),
        *interval("precision", "share of the samples predicted as the class that belong to it", WILSON),
        *interval("recall", "share of the samples of the class that are predicted as it", WILSON),
        *interval("f1", "harmonic mean of precision and recall", "95 % interval, from Wilson's"),
        integer("support", "samples of the class that were judged"),
    ),
)

CONFUSION = Table(
    "findings/{model}/confusion.tsv",
    "Counts of samples: one row per true class.",
    (text("true_class", "the class of the samples"), integer("*", "number of them predicted as this class")),
)

CALIBRATION = Table(
    "findings/{model}/calibration.tsv",
    "One row per bin of confidence.",
    (
        integer("bin", "number of the bin"),
        number("confidence_low", "lower edge of the bin"),
        number("confidence_high", "upper edge of the bin"),
        integer("n", "samples in the bin"),
        number("mean_confidence", "their mean confidence"),
        number("accuracy", "share of them classified correctly"),
    ),
)

PREDICTIONS = Table(
    "findings/{model}/predictions.tsv",
    "One row per sample.",
    (
        text("cell", "name of the sample"),
        text("split", "test; out_of_bag; none: it was out of bag in no pass and has no prediction"),
        text("label", "its class"),
        text("prediction", "the class predicted"),
        number("confidence", "probability of that class"),
    ),
)

MODELS = Table(
    "findings/models.tsv",
    "One row per model, logistic regression last.",
    (
        text("model", "name in the configuration; linear_baseline: logistic regression on all features"),
        text("kind", "kind of network"),
        integer("n_passes", "accepted passes"),
        number("per_pass_accuracy_mean", "mean accuracy of single passes"),
        *interval("accuracy", "accuracy of all passes together", "95 % interval"),
        *interval("balanced_accuracy", "mean recall of the classes", "95 % interval"),
        *interval("macro_f1", "mean F1 of the classes", "95 % interval"),
        number("ece", "expected calibration error"),
        number("majority_accuracy", "accuracy of always predicting the largest class"),
        number("control_accuracy_mean", "mean accuracy of control passes on permuted labels"),
        boolean("signal", "whether the passes are clearly above what needs no signal; empty: undecided"),
        number("top_k_overlap", "mean share of the top_k that two passes have in common"),
        number("confounders_accuracy", "accuracy of the confounders adjusted for alone"),
    ),
)

BASELINE_FEATURES = Table(
    "findings/linear_baseline/features.tsv",
    "One row per feature, the best first.",
    (
        integer("rank", "place by importance; 1 is best"),
        text("feature", "name of the feature"),
        number("importance", "largest standardised coefficient over the classes"),
    ),
)

AUDIT_FEATURES = Table(
    "findings/audit_features.tsv",
    "One row per feature, from the development samples.",
    (text("feature", "name of the feature"), *_filters()),
)

EVIDENCE = Table(
    "findings/evidence.tsv",
    "One row per feature, in the order of the matrix.",
    (text("feature", "name of the feature"), *_evidence()),
)

EVIDENCE_PANEL = Table("findings/evidence_panel.tsv", "One row per member of the panel.", _PANEL)

# Of tables with the same file name the first is the one meant by that name alone.
TABLES = (
    *(FEATURES, RANKING, PASSES, HISTORY, AGREEMENT, CONVERGENCE, SIGNIFICANCE, CALIBRATION_NULL, STABILITY, PANEL),
    *(PER_CLASS, CONFUSION, CALIBRATION, PREDICTIONS, AUDIT),
    *(MODELS, CHORDS, EVIDENCE, EVIDENCE_PANEL, AUDIT_FEATURES, BASELINE_FEATURES, MODEL_CHORDS),
    *(PAIRS, TRIPLETS, SCREENED_CHORDS, CHORD_FEATURES, CHORD_SCORES, CONFOUNDERS),
    *(ALIGNMENT, CONTIGS, SUPPORT, COUNTS, TPM, GENE_COUNTS, GENE_TPM, TRANSCRIPT_TO_GENE, POOL),
)


def table_called(file: str) -> Table:
    """Find the schema by a file name.

    ``features.tsv`` and ``chords.tsv`` mean those of the findings (`FEATURES`, `CHORDS`); name the schema of another
    table of that name.

    Raises
    ------
    ValueError
        If no table has this file name.
    """
    for table in TABLES:
        if table.file == file:
            return table
    known = ", ".join(sorted({table.file for table in TABLES}))
    raise ValueError(f"{file}: no table of the results has this file name; expected one of {known}")


def table_at(path: str) -> Table | None:
    """Find the schema of a file by its path below the folder of results; None if there is none.

    A path that a schema spells out precedes one with ``{model}``.
    """
    parts = path.split("/")
    found = [
        table
        for table in TABLES
        if len(pattern := table.path.split("/")) == len(parts)
        and all(wanted in ("{model}", part) for wanted, part in zip(pattern, parts, strict=True))
    ]
    return min(found, key=lambda table: "{model}" in table.path, default=None)
