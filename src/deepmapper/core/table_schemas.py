"""Schemas of all tables of the results: columns, types and meanings. Standard library only.

Used by the writer and reader of tables, by the pages, by docs/outputs.md and by the tests.
"""

from __future__ import annotations

from .columns import BOOTSTRAP, WILSON, Column, Table, alias, boolean, integer, interval, name_list, number, text
from .evaluation_schemas import (
    BASELINE_FEATURES,
    BASELINE_PREDICTIONS,
    CALIBRATION,
    CONFUSION,
    MODELS,
    PER_CLASS,
    PERTURBATION,
    PREDICTIONS,
)
from .reads_schemas import (
    ALIGNMENT,
    CHROMOSOMES,
    CONTIGS,
    CONTROL_MODELS,
    COUNTS,
    EXPRESSED,
    EXPRESSED_CONTROLS,
    FRAGMENTS,
    GENE_COUNTS,
    GENE_TPM,
    HIDDEN,
    NOVEL,
    POOL,
    SUPPORT,
    TPM,
    TRANSCRIPT_MODELS,
    TRANSCRIPT_TO_GENE,
)
from .stage_schemas import (
    ALIASES,
    CHORD_FEATURES,
    CHORD_SCORES,
    CHORDS,
    CONFOUNDERS,
    DIFFERENTIAL,
    DIFFERENTIAL_COLUMNS,
    DIFFERENTIAL_FEATURES,
    ENRICHMENT,
    GENE_SETS,
    MARKERS,
    MODEL_CHORDS,
    PAIRS,
    SCREENED_CHORDS,
    STATISTICS,
    TRIPLETS,
)
from .target_schemas import (
    NEW_IDENTITIES,
    TARGET,
    TARGET_CALIBRATION,
    TARGET_CELLS,
    TARGET_FEATURES,
    TARGET_GENES,
    TARGET_MAP,
    WITHHELD,
)

_RELATIVE_TO_SHADOWS = "relative to shadow features, whose root mean square is 1"


def _evidence() -> tuple[Column, ...]:
    return (
        number("evidence", "log odds of being a real rather than a shadow feature; empty: not compared"),
        integer("evidence_rank", "rank by evidence; 1 is best"),
        text(
            "evidence_between",
            "the two classes that it separates best, the one with higher values first (with more than twelve classes: "
            "one class and all others)",
        ),
        number("evidence_t", "Welch's t statistic between these classes"),
        number(
            "evidence_backing",
            "how strongly it covaries within classes with the other features that differ, in standard errors",
        ),
    )


def _significance() -> tuple[Column, ...]:
    return (
        number("z", f"importance {_RELATIVE_TO_SHADOWS}, over all classes", optional=True),
        number("p", "p-value: probability that a shadow feature has this z or more; empty: not tested", optional=True),
        number(
            "q",
            "q-value (Benjamini-Hochberg): false discovery rate among features with this q or less",
            optional=True,
        ),
        boolean("significant", "whether q is at most the configured rate (calibration.level)", optional=True),
        number("z[*]", f"importance for this class {_RELATIVE_TO_SHADOWS}; above 0: higher values favour the class"),
        number("p[*]", "p-value for this class"),
        number("q[*]", "q-value for this class"),
        number("importance_low", f"lower end of the {BOOTSTRAP} of median_importance, over passes", optional=True),
        number("importance_high", f"upper end of the {BOOTSTRAP} of median_importance, over passes", optional=True),
        number("rank_low", f"lower end of the {BOOTSTRAP} of the rank, over passes", optional=True),
        number("rank_high", f"upper end of the {BOOTSTRAP} of the rank, over passes", optional=True),
    )


def _filters() -> tuple[Column, ...]:
    return (
        boolean(
            "hvg_seurat", "whether it is among 2000 highly variable features, flavour seurat; empty: not computable"
        ),
        boolean("hvg_seurat_v3", "the same for flavour seurat_v3"),
        boolean("hvg_cell_ranger", "the same for flavour cell_ranger"),
        number("pca_50", "share of its variance in the first 50 principal components; below 0.1 it counts as lost"),
    )


_COMPOSITION = number(
    "composition_r2",
    "share of its variance on the development part that the composition of the samples explains (adjusted R²); only if "
    "confounders.composition is set",
    optional=True,
)

_STABILITY = number("stability", "share of the passes on half of the samples that have the feature in their top_k")

FEATURES = Table(
    "findings/{model}/features.tsv",
    "One row per feature, in the order of the list to report (findings/recommended.tsv), which is the same for all "
    "models.",
    (
        integer("rank", "rank in the list to report; 1 is best"),
        text("feature", "name of the gene or transcript"),
        boolean("reported", "whether it is on the list to report"),
        integer(
            "model_rank",
            "rank by this model alone: significant features by decreasing z, then all others; without passes on shadow "
            "features by selection frequency, then by median importance",
        ),
        alias(),
        *interval("selection_frequency", "share of the accepted passes that have the feature in their top_k", WILSON),
        number("median_importance", "median over the passes of the importance in one pass"),
        number("importance_q25", "lower quartile of the importance over the passes"),
        number("importance_q75", "upper quartile of the importance over the passes"),
        number("mean_rank", "mean rank over the passes; 1 is best"),
        number("importance[*]", "median over the passes of the importance for samples of this class"),
        text(
            "direction[*]",
            "up: higher values favour the class; down: they count against it; unclear: under 80 % of the passes agree",
        ),
        boolean("is_denovo", "whether it is a novel transcript assembled from the reads"),
        name_list("chord", "chords that the feature belongs to, the strongest first"),
        number("z_chord", "absolute z of the product of the feature and the other sides of its chord"),
        number("synergy", "synergy of its strongest chord on the test split"),
        *_significance(),
        _STABILITY,
        *DIFFERENTIAL_COLUMNS,
        *_evidence(),
        *_filters(),
        _COMPOSITION,
    ),
)

RECOMMENDED = Table(
    "findings/recommended.tsv",
    "The list to report: one row per feature, reported ones first, then by decreasing score.",
    (
        integer("rank", "rank; 1 is best"),
        text("feature", "name of the gene or transcript"),
        alias(),
        boolean("reported", "whether q is at most the configured rate (calibration.level)"),
        number(
            "q",
            "q-value of the list: differential_q if the observations of that test are samples or sums by donor, "
            "network_q for cells",
        ),
        text(
            "found_by",
            "what has a q-value of its own up to the rate: test, networks, or test and networks; empty: neither",
        ),
        text("higher_in", "class in which it is higher when tested alone"),
        number("log2_fold_change", "log2 fold change when tested alone"),
        number("differential_q", "q-value of the test of the feature alone"),
        number("network_q", "smallest q-value of the models, times their number"),
        number(
            "score",
            "mean of the normal scores of the networks' z, of the strength of the single test and, for cells, of the "
            "evidence",
        ),
        boolean("is_denovo", "whether it is a novel transcript assembled from the reads"),
    ),
)

RANKING = Table(
    "findings/{model}/ranking.tsv",
    "One row per feature in the ranking from the passes alone: by selection frequency, then by median importance.",
    tuple(
        column
        for column in FEATURES.columns[: 1 + [column.name for column in FEATURES.columns].index("is_denovo")]
        if column.name not in ("alias", "reported", "model_rank")
    ),
)

PASSES = Table(
    "findings/{model}/passes.tsv",
    "One row per pass, control passes last.",
    (
        integer("seed", "seed of the pass"),
        boolean("control", "whether it was trained on permuted labels"),
        boolean("accepted", "whether it contributes to the ranking"),
        text("reason", "why it was rejected"),
        number("accuracy", "share of the out-of-bag samples classified correctly"),
        number("balanced_accuracy", "mean recall of the classes on the out-of-bag samples"),
        number("majority_accuracy", "accuracy of always predicting the largest class of these samples"),
        number("permuted_accuracy", "mean accuracy of the same predictions against permuted labels"),
        number("permutation_p", "share of the permutations that reach the accuracy"),
        integer("epochs_run", "number of epochs trained"),
        integer("stop_epoch", "epoch whose weights were kept"),
        number("val_loss", "validation loss of that epoch"),
        number("completeness_error", "share of the change in score that the attributions do not account for"),
        integer("n_train", "number of training samples"),
        integer("n_val", "number of validation samples, which select the epoch"),
        integer("n_oob", "number of out-of-bag samples, which give the accuracy"),
    ),
)

HISTORY = Table(
    "findings/{model}/history.tsv",
    "One row per epoch of every pass.",
    (
        integer("seed", "seed of the pass"),
        boolean("control", "whether it was trained on permuted labels"),
        integer("epoch", "epoch, counted from 1"),
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
        number("top_k_overlap", "share of the top_k features in common"),
        number("spearman", "Spearman correlation of the importances"),
    ),
)

CONVERGENCE = Table(
    "findings/{model}/convergence.tsv",
    "One row per number of passes m: how many of their top features two sets of m passes share.",
    (
        integer("m", "number of passes in each of two disjoint sets"),
        number("mean", "share of the top_k features that the two sets have in common"),
        number("low", "lower end of its 95 % interval; empty below 8 accepted passes"),
        number("high", "upper end of its 95 % interval; empty below 8 accepted passes"),
        text("kind", "observed (up to half of the accepted passes) or expected (beyond)"),
    ),
)

LIST_CONVERGENCE = Table(
    "findings/list_convergence.tsv",
    "One row per number of passes m: how many of the first features of the list to report two sets of m passes share.",
    CONVERGENCE.columns,
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
        number("share", "quantile level: share of the values below the quantile"),
        number("z_shadow", "quantile of z of the shadow features"),
        number("z_feature", "quantile of z of the tested features"),
    ),
)

STABILITY = Table(
    "findings/{model}/stability.tsv",
    "One row per feature, in the order of the matrix.",
    (text("feature", "name of the feature"), _STABILITY),
)

_PANEL = (
    text("feature", "member of the panel"),
    alias(),
    text("what", "feature or chord"),
    number("coefficient[*]", "coefficient for this class per standard deviation; with two classes only for the second"),
)

PANEL = Table("findings/{model}/panel.tsv", "One row per member of the panel.", _PANEL)

AUDIT = Table(
    "findings/{model}/audit.tsv",
    "One row per usual choice of features and kind of finding.",
    (
        text("choice", "a usual choice of features"),
        text("of", "kind of finding"),
        integer("n", "number of findings of this kind"),
        integer("n_lost", "how many of them the choice would have lost; empty: the choice could not be made"),
        number("share_lost", "share of them that the choice would have lost"),
        name_list("lost", "names of the lost ones, in order of rank"),
        alias("lost"),
        text("note", "effect of the choice on all features, or why it could not be made"),
    ),
)

AUDIT_FEATURES = Table(
    "findings/audit_features.tsv",
    "One row per feature, computed from the development samples.",
    (text("feature", "name of the feature"), *_filters(), _COMPOSITION),
)

EVIDENCE = Table(
    "findings/evidence.tsv",
    "One row per feature, in the order of the matrix.",
    (text("feature", "name of the feature"), alias(), *_evidence()),
)

EVIDENCE_PANEL = Table("findings/evidence_panel.tsv", "One row per member of the panel.", _PANEL)

# The first of several tables with the same file name is the one that `table_called` returns.
TABLES = (
    *(
        RECOMMENDED,
        FEATURES,
        RANKING,
        PASSES,
        HISTORY,
        AGREEMENT,
        CONVERGENCE,
        LIST_CONVERGENCE,
        SIGNIFICANCE,
        CALIBRATION_NULL,
        STABILITY,
        PANEL,
    ),
    *(PER_CLASS, CONFUSION, CALIBRATION, PREDICTIONS, AUDIT, PERTURBATION),
    *(
        MODELS,
        CHORDS,
        DIFFERENTIAL,
        MARKERS,
        DIFFERENTIAL_FEATURES,
        EVIDENCE,
        EVIDENCE_PANEL,
        AUDIT_FEATURES,
        STATISTICS,
        BASELINE_FEATURES,
        BASELINE_PREDICTIONS,
        MODEL_CHORDS,
    ),
    *(ALIASES, GENE_SETS, ENRICHMENT),
    *(PAIRS, TRIPLETS, SCREENED_CHORDS, CHORD_FEATURES, CHORD_SCORES, CONFOUNDERS),
    *(ALIGNMENT, FRAGMENTS, CONTIGS, NOVEL, SUPPORT, COUNTS, TPM, GENE_COUNTS, GENE_TPM),
    *(HIDDEN, TRANSCRIPT_MODELS, CONTROL_MODELS, EXPRESSED, EXPRESSED_CONTROLS),
    *(TRANSCRIPT_TO_GENE, CHROMOSOMES, POOL),
    *(TARGET, NEW_IDENTITIES, TARGET_GENES, TARGET_FEATURES, TARGET_MAP, TARGET_CALIBRATION, WITHHELD, TARGET_CELLS),
)


def table_called(file: str) -> Table:
    """Find a schema by file name.

    ``features.tsv`` and ``chords.tsv`` give the tables of the findings (`FEATURES`, `CHORDS`); for other tables with
    these names, use the schema itself.

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
    """Find a schema by path relative to the results folder; None if there is none.

    An exact path is preferred to one with ``{model}``.
    """
    matching = [table for table in TABLES if _matches(table.path, path)]
    return min(matching, key=lambda table: "{model}" in table.path, default=None)


def _matches(pattern: str, path: str) -> bool:
    """Whether `path` is `pattern`, in which ``{model}`` stands for any name."""
    expected, parts = pattern.split("/"), path.split("/")
    if len(expected) != len(parts):
        return False
    return all(name in ("{model}", part) for name, part in zip(expected, parts, strict=True))
