"""The tables of a run as pages: what each is, how to read it, and what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .table_page import table_page

_FEATURES = {
    "rank": "place in the ranking; 1 is best",
    "feature": "name of the gene or transcript",
    "selection_frequency": "share of the accepted passes in which the feature is among the top_k; _low and _high: its "
    "95 % Wilson interval",
    "median_importance": "importance in one pass, median over the passes; importance_q25 and importance_q75: quartiles",
    "importance_low": "95 % bootstrap interval of the median importance, over passes (to importance_high)",
    "mean_rank": "mean rank over the passes",
    "rank_low": "95 % bootstrap interval of the rank, over passes (to rank_high)",
    "z": "importance in deviations of what features that tell nothing get (overall: over all classes)",
    "p": "share of the null at least as important",
    "q": "share of false features expected among all with this q or less (Benjamini-Hochberg)",
    "significant": "q within the false-discovery rate asked for",
    "stability": "share of passes on halves of the samples that select the feature",
    "importance[*]": "importance among the samples of this class, median over the passes",
    "direction[*]": "up: a higher value speaks for the class; down: against it; unclear: under 80 % of passes agree",
    "z[*]": "z for this class",
    "p[*]": "p for this class",
    "q[*]": "q for this class",
    "evidence": "what the values themselves say, learnt against shadows (log odds): how far it differs between "
    "classes, and whether those it moves with differ likewise; no error rate",
    "evidence_rank": "place by evidence; 1 is best",
    "evidence_between": "the classes that it tells apart best, the one where it is higher first",
    "evidence_t": "Welch's t between them",
    "evidence_backing": "how strongly those that differ likewise move with it within classes, in standard errors",
    "chord": "chords that the feature belongs to",
    "z_chord": "score of the feature's product with the other sides of its chord",
    "synergy": "what its chord tells beyond its members one by one, on the test split",
    "hvg_seurat": "whether 2000 highly variable features, flavour seurat, would hold it; empty: could not be said",
    "hvg_seurat_v3": "the same, flavour seurat_v3",
    "hvg_cell_ranger": "the same, flavour cell_ranger",
    "pca_50": "share of its variance that lies in the first 50 principal components; below 0.1 it counts as lost",
    "is_denovo": "whether it is a transcript that no annotation lists",
}
_PASSES = {
    "seed": "seed of the pass",
    "control": "trained on permuted labels",
    "accepted": "accumulated into the ranking",
    "reason": "why not",
    "accuracy": "share of out-of-bag samples named right",
    "balanced_accuracy": "mean recall of the classes",
    "majority_accuracy": "what always naming the largest class reaches there",
    "permuted_accuracy": "mean accuracy of the same predictions against shuffled labels",
    "permutation_p": "share of shuffles that do as well",
    "epochs_run": "epochs trained",
    "stop_epoch": "epoch whose weights were kept",
    "val_loss": "validation loss of that epoch",
    "completeness_error": "what the attributions miss of the change of score, as a share",
    "n_train": "samples that trained; n_val: that chose the epoch; n_oob: that judged",
}
_MODELS = {
    "model": "name in the configuration; linear_baseline: logistic regression on all features",
    "kind": "kind of network",
    "n_passes": "accepted passes",
    "per_pass_accuracy_mean": "accuracy of the passes one by one, mean",
    "accuracy": "of all passes together; _low and _high: its 95 % interval",
    "balanced_accuracy": "mean recall of the classes",
    "macro_f1": "mean F1 of the classes",
    "ece": "expected calibration error",
    "majority_accuracy": "what always naming the largest class reaches",
    "control_accuracy_mean": "mean accuracy of control passes on permuted labels",
    "signal": "whether the passes stand clear of what needs no signal; empty: cannot be told",
    "top_k_overlap": "share of their top features that two passes have in common, mean",
    "confounders_accuracy": "what the confounders that were adjusted for reach alone",
}
_CHORDS = {
    "chord": "name, by falling strength",
    "order": "number of sides",
    "class": "class that its strongest product tells",
    "z": "score of its strongest product; above 0 the product is larger in the class",
    "n_members": "features in it",
    "n_products": "significant products among them",
    "side_1": "members of each side, the strongest first (side_1, side_2, side_3)",
    "joined": "members without a significant product of their own",
    "n_test": "samples of the test split",
    "auc_chord": "AUC of a small model on members and products; _low and _high: its 95 % bootstrap interval",
    "best_member": "the member that tells the class best alone",
    "auc_best_member": "its AUC",
    "auc_additive": "AUC of the same model without products",
    "synergy": "auc_chord minus the best of auc_best_member, auc_additive and 0.5; _low and _high: 95 % interval",
    "macro_auc": "mean AUC over the classes",
    "auc[*]": "AUC of this class against the rest",
    "synergy[*]": "synergy for this class",
}
_AUDIT = {
    "choice": "the usual choice of features",
    "of": "the kind of finding",
    "n": "how many there are",
    "n_lost": "how many the choice would have lost; empty: it could not be made",
    "share_lost": "as a share",
    "lost": "their names, by rank",
    "note": "what the choice did to all features, or why it could not be made",
}


@dataclass(frozen=True)
class _Kind:
    title: str
    about: str
    notes: dict[str, str]
    lead: str = ""
    first: tuple[str, ...] = ()


_KINDS = {
    "features": _Kind(
        "Features",
        "Every feature, the best first. Where there is a q, read it: the share of false ones to expect among all "
        "features up to that line. Without it the order has no error rate. Search for a gene to see its place.",
        _FEATURES,
        "feature",
        (
            "rank",
            "feature",
            "z",
            "q",
            "significant",
            "selection_frequency",
            "median_importance",
            "stability",
            "evidence_rank",
            "chord",
        ),
    ),
    "passes": _Kind(
        "Passes",
        "Every pass, control passes last. Accuracies should stand clear of majority_accuracy and permuted_accuracy.",
        _PASSES,
    ),
    "models": _Kind(
        "Models side by side",
        "Every model beside logistic regression on all features, on the same samples. Models whose intervals overlap "
        "have not been told apart.",
        _MODELS,
    ),
    "chords": _Kind(
        "Gene chords",
        "Sets of features whose product tells a class beyond what they tell one by one, found on the development part, "
        "proved on the test split. Where synergy_low is above 0 a chord adds what its members do not have one by one.",
        _CHORDS,
    ),
    "audit": _Kind(
        "What filtering would have lost",
        "Of the features and chord members that were found without any filter, those that usual choices would have "
        "thrown away before anyone looked. Components keep a feature only as far as it varies along with others; some "
        "of what they drop is noise.",
        _AUDIT,
    ),
}


def result_page(name: str, table: pd.DataFrame, source: str, model: str = "") -> str:
    """Write a table of a run as a page.

    Parameters
    ----------
    name
        Which: "features", "passes", "models", "chords" or "audit".
    table
        Its rows.
    source
        The file that holds all of it.
    model
        Whose it is; none where it is of all models.
    """
    kind = _KINDS[name]
    first = [column for column in kind.first if column in table]
    table = table[first + [column for column in table.columns if column not in first]]
    title = f"{model}: {kind.title[0].lower()}{kind.title[1:]}" if model else kind.title
    return table_page(table, title, kind.about, source, kind.notes, kind.lead)
