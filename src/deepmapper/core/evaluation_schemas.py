"""Schemas of the tables on how well the models and logistic regression predict. Standard library only."""

from __future__ import annotations

from .columns import WILSON, Table, alias, boolean, integer, interval, number, text

PER_CLASS = Table(
    "findings/{model}/per_class.tsv",
    "One row per class.",
    (
        text("class", "name of the class"),
        *interval("precision", "share of the samples predicted as this class that belong to it", WILSON),
        *interval("recall", "share of the samples of this class that are predicted as it", WILSON),
        *interval("f1", "harmonic mean of precision and recall", "95 % interval, derived from the Wilson intervals"),
        integer("support", "number of evaluated samples of the class"),
    ),
)

CONFUSION = Table(
    "findings/{model}/confusion.tsv",
    "Confusion matrix in numbers of samples: one row per true class.",
    (text("true_class", "true class of the samples"), integer("*", "number of them predicted as this class")),
)

CALIBRATION = Table(
    "findings/{model}/calibration.tsv",
    "One row per bin of confidence.",
    (
        integer("bin", "number of the bin"),
        number("confidence_low", "lower edge of the bin"),
        number("confidence_high", "upper edge of the bin"),
        integer("n", "number of samples in the bin"),
        number("mean_confidence", "their mean confidence"),
        number("accuracy", "share of them classified correctly"),
    ),
)

PREDICTIONS = Table(
    "findings/{model}/predictions.tsv",
    "One row per sample.",
    (
        text("cell", "name of the sample"),
        text("split", "test; out_of_bag; none (never out of bag, so without a prediction)"),
        text("label", "true class"),
        text("prediction", "predicted class"),
        number("confidence", "predicted probability of that class"),
    ),
)

PERTURBATION = Table(
    "findings/{model}/perturbation.tsv",
    "One row per perturbation and class, the largest changes of each kind first; only if `perturb.how` is set.",
    (
        text("item", "name of the feature or chord"),
        alias("item"),
        integer("n_features", "number of features that are changed together"),
        text(
            "how",
            "deletion (to 0, or to the lowest value of a feature that has negative ones), activation (to its mean "
            "and two standard deviations, at most its largest value) or mask (to its mean)",
        ),
        text("class", "class whose probability changes"),
        *interval(
            "change",
            "mean change of the probability over passes and over out-of-bag samples, drawn evenly from the classes; "
            "for a mask over the samples of the class",
            "95 % t interval over passes",
        ),
        number(
            "p",
            "p-value: how often perturbing a shadow feature changes the probability as much, relative to the change of "
            "the values and to shadows of similar mean value; empty without passes with shadows",
        ),
        number("q", "lowest false discovery rate at which the change is called, among all of this kind"),
        number("flipped", "share of the samples whose most probable class changes"),
        number(
            "shift",
            "distance by which samples move in the embedding of the network, in units of their root mean square "
            "distance from its centre",
        ),
    ),
)

MODELS = Table(
    "findings/models.tsv",
    "One row per model, then classifiers on embeddings; logistic regression last.",
    (
        text("model", "name in the configuration; linear_baseline: logistic regression on all features"),
        text("kind", "kind of network, or the classifier and the embedding that it reads"),
        integer("n_passes", "accepted passes"),
        number("per_pass_accuracy_mean", "mean accuracy of single passes"),
        *interval("accuracy", "accuracy of all passes combined", "95 % interval"),
        *interval("balanced_accuracy", "mean recall of the classes", "95 % interval"),
        *interval("macro_f1", "mean F1 of the classes", "95 % interval"),
        number("ece", "expected calibration error"),
        number("majority_accuracy", "accuracy of always predicting the largest class"),
        number("control_accuracy_mean", "mean accuracy of control passes on permuted labels"),
        boolean("signal", "whether the passes are clearly better than predictions without signal; empty: undecided"),
        number("top_k_overlap", "mean share of the top_k features that two passes have in common"),
        number("confounders_accuracy", "accuracy of a model on only the confounders that were adjusted for"),
        integer("only_this", "evaluated samples that only this model, not logistic regression, classifies correctly"),
        integer("only_linear", "evaluated samples that only logistic regression classifies correctly"),
        number(
            "p_against_linear",
            "p-value of the difference on the same samples: McNemar's exact test; with groups, random signs of groups",
        ),
    ),
)

BASELINE_PREDICTIONS = Table(
    "findings/linear_baseline/predictions.tsv",
    "One row per evaluated sample, predicted by logistic regression on all features.",
    PREDICTIONS.columns,
)

BASELINE_FEATURES = Table(
    "findings/linear_baseline/features.tsv",
    "One row per feature, the best first.",
    (
        integer("rank", "rank by importance; 1 is best"),
        text("feature", "name of the feature"),
        alias(),
        number("importance", "largest absolute standardised coefficient over the classes"),
    ),
)
