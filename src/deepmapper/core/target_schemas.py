"""Schemas of the tables of target samples, which are to be named. Standard library only."""

from __future__ import annotations

from .columns import Table, alias, boolean, integer, name_list, number, text
from .evaluation_schemas import CALIBRATION

_SOURCE = (
    text("source", "name of the file without endings, after folders above it if several files have it; or reference"),
    text("domain", "domain of the sample (labels.domain); without that column, the source"),
    text("given", "label in the file, if a new file has labels; models do not read it"),
    number("depth", "sum of the values of the sample before normalisation, on the features of the reference"),
    integer("detected", "number of these features above 0"),
)

TARGET_CELLS = Table(
    "target/cells.tsv",
    "One row per target sample, in the order of the store results/target/features.",
    (text("cell", "name of the sample"), *_SOURCE),
)

TARGET = Table(
    "findings/{model}/target.tsv",
    "One row per target sample: what the model says about it.",
    (
        text("cell", "name of the sample"),
        text(
            "label",
            "the most probable class; for a new sample its identity, or new, unless rates are withheld; empty for "
            "samples without counts, and if the model has no signal",
        ),
        number("probability", "calibrated probability of the most probable class"),
        text(
            "verdict",
            "assigned (one label in the set), ambiguous (several), new (q up to transfer.level), empty (no counts), or "
            "none (no signal)",
        ),
        name_list(
            "set",
            "labels that cannot be excluded at transfer.level, the most probable first; separated by semicolons if the "
            "model has a label with a comma",
        ),
        text(
            "term", "id of the lowest term that the labels in the set have in common (labels.ontology)", optional=True
        ),
        text("term_name", "name of the term", optional=True),
        number("term_probability", "calibrated probability of all labels that are of the term", optional=True),
        number("p", "probability that a sample of a known class is as unlike the labelled ones as this one"),
        number("q", "expected share of samples of known classes among those with this p or a smaller one"),
        text("nearest", "the most probable class, also for a new sample"),
        text(
            "identity",
            "new_1, new_2, ...: cluster of a new sample, see new_identities.tsv; empty in clusters of fewer than 5",
        ),
        integer("passes_agree", "number of passes that predict the nearest class"),
        integer("passes", "number of passes"),
        *_SOURCE,
    ),
)

NEW_IDENTITIES = Table(
    "findings/{model}/new_identities.tsv",
    "One row per cluster of new samples, the largest first.",
    (
        text("identity", "name, as in target.tsv"),
        integer("n_cells", "number of samples"),
        text("nearest", "class that is the most probable one for most of them"),
        number("share_nearest", "share of the samples for which it is"),
        name_list(
            "genes",
            "features that are higher in them than in every class, by the least Welch t (2 or more), at most 10; "
            "doublets, for example, have none",
        ),
        alias("genes"),
        number("mean_p", "mean p of the samples"),
        name_list("sources", "files that they are from"),
        name_list("domains", "domains that they are from"),
        number("depth", "median depth of the samples: far below that of others, they may be damaged"),
        number("detected", "median number of detected features: far above that of others, they may be doublets"),
    ),
)

TARGET_GENES = Table(
    "findings/{model}/target_genes.tsv",
    "One row per label and gene that speaks for it, and per new identity and gene that is higher in it.",
    (
        text("label", "class, or new identity"),
        integer("rank", "rank of the gene for this label"),
        text("gene", "name of the feature"),
        alias("gene"),
        number("importance", "mean importance for the class over the passes; empty for new identities"),
        text("direction", "up: higher in the class than on average over the labelled samples; else down"),
        number("reference[*]", "mean of the normalised values over the labelled samples of a class"),
        number("target[*]", "the same over the target samples with this label; empty if there are none"),
    ),
)

TARGET_FEATURES = Table(
    "findings/{model}/target_features.tsv",
    "One row per feature, in the order of the matrix: its importance for the labels of the target samples that have a "
    "single label in their set; columns are empty if there are none. z, p and q need passes with shadow features that "
    "kept their weights (transfer.folds), and at least two labels.",
    (
        text("feature", "name of the feature"),
        alias(),
        number("median_importance", "median over the passes of its importance for the target samples"),
        number("mean_rank", "mean rank among all features over the passes; 1 is best"),
        number("selection_frequency", "share of the passes that have it in their top_k for the target samples"),
        number("reference_importance", "mean over the passes of its importance for the labelled samples"),
        number("z", "importance for the target samples relative to shadow features, as in features.tsv", optional=True),
        number("p", "p-value: probability that a shadow feature reaches this z; empty: not tested", optional=True),
        number("q", "q-value: false discovery rate (Benjamini-Hochberg)", optional=True),
        boolean("significant", "whether q is at most the configured rate (calibration.level)", optional=True),
        number("z[*]", "z for target samples with this label", optional=True),
        number("p[*]", "p-value for this label", optional=True),
        number("q[*]", "q-value for this label", optional=True),
        number("importance[*]", "median over the passes of the importance for target samples with this label"),
        text("direction[*]", "whether high values of the feature speak for the label: up, down or unclear"),
    ),
)

TARGET_MAP = Table(
    "findings/{model}/target_map.tsv",
    "One row per sample on the map of reference and target, at most 10,000 of either.",
    (
        text("cell", "name of the sample"),
        text("part", "reference or target"),
        text("label", "class of a labelled sample, or label of a target sample as in target.tsv"),
        text("verdict", "verdict on a target sample as in target.tsv"),
        number("x", "first coordinate"),
        number("y", "second coordinate"),
        text("basis", "UMAP, or PCA if there are few samples"),
    ),
)

TARGET_CALIBRATION = Table(
    "findings/{model}/target_calibration.tsv",
    "One row per bin of confidence: labelled samples, each predicted by the passes that did not train on it.",
    CALIBRATION.columns,
)

WITHHELD = Table(
    "findings/{model}/withheld.tsv",
    "One row per class: how many of its samples would be called new if it were new, judged by one pass that was "
    "trained without them.",
    (
        text("class", "name of the class"),
        integer("n_cells", "number of its samples in the development part, with those of its kinds (labels.ontology)"),
        number("power", "share of them with p up to transfer.level, from this one pass"),
        number("auc", "AUC between them and the samples of other classes that the pass had out of bag"),
        text("taken_for", "class that the pass predicts for most of them"),
        text("note", "why there is no result"),
    ),
)
