"""Schemas of the tables of chords, features and single tests. Standard library only."""

from __future__ import annotations

from .columns import BOOTSTRAP, WILSON, Column, Table, alias, boolean, integer, interval, name_list, number, text

_CHORD = (
    text("chord", "name, numbered by decreasing strength"),
    integer("order", "number of sides"),
    text("class", "class that its strongest product separates from the others"),
    number("z", "z score of its strongest product; above 0: the product is larger in the class"),
    integer("n_members", "number of features in the chord"),
    integer("n_products", "number of significant products among them"),
    name_list(
        "core_1",
        "members of the first side to look at first, at most ten: with those of the other sides the fewest that keep "
        "core_share of z, in the order of what they add",
    ),
    name_list("core_2", "the same of the second side"),
    name_list("core_3", "the same of the third side, if there is one"),
    number("core_share", "what the core keeps of the absolute z of the whole chord's value; the aim is 0.9"),
    name_list("side_1", "members of the first side, the strongest first"),
    name_list("side_2", "members of the second side"),
    name_list("side_3", "members of the third side, if there is one"),
    name_list("joined", "members added because of their product with the score of the other side"),
)


# Columns of the table of chords that list members.
CHORD_MEMBERS = ("core_1", "core_2", "core_3", "side_1", "side_2", "side_3", "joined")


def _with_aliases(columns: tuple[Column, ...], of: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(new for column in columns for new in ([column, alias(column.name)] if column.name in of else [column]))


CHORDS = Table(
    "findings/chords.tsv",
    "One row per chord, with its results on the test split, which the screen did not use; by decreasing synergy, or by "
    "strength if there is no test split.",
    (
        *_with_aliases(_CHORD, CHORD_MEMBERS),
        integer("n_test", "number of samples in the test split"),
        *interval("auc_chord", "AUC for its class of a small model on members and products", BOOTSTRAP),
        text("best_member", "the single member that separates the class best on the development part"),
        alias("best_member"),
        number("auc_best_member", "AUC of that member"),
        number("auc_additive", "AUC of the small model without products"),
        *interval("synergy", "auc_chord minus the best of auc_best_member, auc_additive and 0.5", BOOTSTRAP),
        number("macro_auc", "mean AUC over all classes, with products"),
        number("macro_auc_additive", "the same without products"),
        number("accuracy", "accuracy over all classes, with products"),
        number("accuracy_additive", "the same without products"),
        number("auc[*]", "AUC of this class against the rest"),
        number("synergy[*]", "synergy for this class"),
        number(
            "composition_r2",
            "share of the variance of the chord's value on the development part that the composition of the samples "
            "explains (adjusted R²); only if confounders.composition is set",
            optional=True,
        ),
    ),
)

SCREENED_CHORDS = Table("chords/chords.tsv", "One row per chord, by decreasing strength.", _CHORD)


def _products(*features: Column) -> tuple[Column, ...]:
    return (
        integer("rank", "rank by decreasing absolute z"),
        *features,
        text("class", "the class with the largest absolute z"),
        number("z", "z score for that class; above 0: the product is larger in the class"),
        number("p_family", "share of null draws in which any product of any class reaches this absolute z"),
        number("q", "expected share of false products among all with this absolute z or more"),
        boolean("significant", "whether it is within the configured error rate"),
        number("z[*]", "z score for this class"),
    )


_PAIR = (text("feature_a", "first feature of the product"), text("feature_b", "second feature"))

PAIRS = Table("chords/pairs.tsv", "The strongest products of two features, significant or not.", _products(*_PAIR))

TRIPLETS = Table(
    "chords/triplets.tsv",
    "The strongest products of three features, significant or not.",
    _products(*_PAIR, text("feature_c", "third feature")),
)

CHORD_FEATURES = Table(
    "chords/features.tsv",
    "One row per feature, in the order of the matrix.",
    (
        text("feature", "name of the feature"),
        boolean("screened", "whether it was screened"),
        number("z_pair", "largest absolute z of its products"),
        text("partner", "the other feature of that product"),
        name_list("chord", "chords that the feature belongs to, the strongest first"),
        number("z_chord", "absolute z of the product of the feature and the other sides of its chord"),
    ),
)

CHORD_SCORES = Table(
    "chords/scores.tsv",
    "One row per chord and sample.",
    (
        text("cell", "name of the sample"),
        text("split", "development or test"),
        text("label", "class of the sample"),
        text("chord", "name of the chord"),
        number("score", "score of the chord, with mean 0 and standard deviation 1 in the development part"),
    ),
)

MODEL_CHORDS = Table(
    "findings/{model}/chords.tsv",
    "One row per chord, ranked by the networks that read chords as extra pixels.",
    (
        text("chord", "name of the chord"),
        *interval(
            "selection_frequency",
            "share of the accepted passes that have the chord's pixel in their top_k of features and chords",
            WILSON,
        ),
        number("median_importance", "median over the passes of the importance of the pixel in one pass"),
        number("importance_q25", "lower quartile of the importance over the passes"),
        number("importance_q75", "upper quartile of the importance over the passes"),
        number("mean_rank", "mean rank among features and chords over the passes; 1 is best"),
    ),
)

CONFOUNDERS = Table(
    "features/confounders.tsv",
    "One row per sample; only if confounders are adjusted for.",
    (text("sample", "name of the sample"), text("*", "value of this confounder, as given or computed")),
)

_COMPARISON = (
    text("within", "level of the column differential.within; empty without one"),
    text("class", "name of the class"),
    text("versus", "class that it is compared with, or rest: all others"),
)

_TESTED = (
    number("mean_class", "mean of the normalised values in the class"),
    number("mean_versus", "the same in what it is compared with"),
    number("detected_class", "share of the samples of the class in which the value is not zero"),
    number("detected_versus", "the same in what it is compared with"),
    number(
        "log2_fold_change",
        "log2 of the ratio, above 0: higher in the class; the difference for values that are not counts",
    ),
    number(
        "log2_fold_change_shrunken",
        "the same, drawn towards 0 where it is uncertain (apeGLM prior); only for counts of two classes",
    ),
    number("standard_error", "standard error of log2_fold_change"),
    number("statistic", "Wald statistic, moderated t, or z of the rank sum, by the test in differential.json"),
    number("p", "p-value; empty: not tested"),
    number("q", "q-value (Benjamini-Hochberg) in this comparison"),
)

DIFFERENTIAL = Table(
    "findings/differential.tsv",
    "One row per feature and comparison, by comparison, the smallest p first.",
    (text("feature", "name of the feature"), alias(), *_COMPARISON, *_TESTED),
)

MARKERS = Table(
    "findings/markers.tsv",
    "For every class, the features that are higher in it at the false discovery rate calibration.level, the smallest p "
    "first.",
    (
        *_COMPARISON,
        integer("order", "position in the list of the class"),
        text("feature", "name of the feature"),
        alias(),
        *_TESTED,
    ),
)

DIFFERENTIAL_COLUMNS = (
    number("mean[*]", "mean of the normalised values in this class"),
    number("detected[*]", "share of the samples of this class in which the value is not zero"),
    number(
        "log2_fold_change",
        "log2 fold change when the feature is tested alone, in the comparison with the smallest p of those in which it "
        "is higher in a single class, not in all others together",
    ),
    text("higher_in", "class in which it is higher, in that comparison"),
    number("differential_p", "p-value of the feature alone, over all comparisons (Bonferroni); empty: not tested"),
    number(
        "differential_q",
        "q-value: of the comparison, if there is only one, otherwise of differential_p (Benjamini-Hochberg)",
    ),
    number(
        "differential_strength",
        "size of the fold change less its standard error; of rank sums, the size of the statistic",
    ),
)

DIFFERENTIAL_FEATURES = Table(
    "findings/differential_features.tsv",
    "One row per feature, in the order of the matrix: the columns that features.tsv takes from the test.",
    (text("feature", "name of the feature"), *DIFFERENTIAL_COLUMNS),
)

ALIASES = Table(
    "findings/aliases.tsv",
    "One row per feature, in the order of the matrix: the readable names that tables, pages and figures show.",
    (
        text("feature", "name of the feature"),
        text("alias", "its symbol, or the alias of a novel transcript; empty: it has none besides its name"),
    ),
)

GENE_SETS = Table(
    "findings/gene_sets.tsv",
    "One row per gene set, in the order of the files; only if gene sets are given.",
    (
        text("set", "name of the set"),
        text("source", "file that it comes from"),
        text("description", "its description in the file"),
        integer("n_genes", "number of its genes"),
        integer("n_matched", "how many of them the study has"),
        text("matched_by", "name or symbol: what the genes of the file were found by"),
    ),
)

ENRICHMENT = Table(
    "findings/enrichment.tsv",
    "One row per gene set and list or ranking, the smallest p first; only if gene sets are given.",
    (
        text("test", "list: overrepresentation in the list to report; ranking: place in the ranking of all features"),
        text("of", "recommended: the list to report; differential: every feature tested alone; or the name of a model"),
        *_COMPARISON,
        text("set", "name of the set"),
        text("source", "file that it comes from"),
        integer("n_universe", "number of genes that were tested and could be in a set"),
        integer("n_set", "number of them in the set"),
        integer("n_list", "number of genes in the list; empty for a ranking"),
        integer("n_found", "number of genes of the set in the list"),
        number("expected", "number expected there by chance: n_set times n_list / n_universe; empty for a ranking"),
        number(
            "odds_ratio",
            "odds of a gene of the set to be in the list, divided by those of other genes; 0.5 is added to each count",
        ),
        number(
            "correlation", "mean correlation that the scores of two genes of the set have by chance; empty for a list"
        ),
        number("z", "standardised rank sum; above 0: higher in the class, or more important; empty for a list"),
        number("p", "list: hypergeometric; ranking: rank sum with the variance of correlated genes"),
        number("q", "q-value (Benjamini-Hochberg) over the sets of this list or ranking"),
        text("similar_to", "the first set with a smaller p that has at least half of its leading members; empty: none"),
        name_list("members", "its genes in the list; for a ranking its first ten, or last ten where z is below 0"),
    ),
)

STATISTICS = Table(
    "findings/statistics.tsv",
    "One row per feature, in the order of the matrix, computed from the development samples: from the values that are "
    "analysed, and for the last four columns from the counts behind them.",
    (
        text("feature", "name of the feature"),
        number("mean", "mean of the values"),
        number("variance", "sample variance of the values"),
        number("detected", "share of the samples in which the value is not zero"),
        number("median", "median of the values"),
        number("median_detected", "median of the values that are not zero"),
        number(
            "standardised_variance",
            "variance of the clipped counts relative to that expected at their mean",
        ),
        integer("hvg_rank", "rank by standardised_variance; 1 is most variable; empty: does not vary"),
        integer(
            "hvg_rank_seurat_v3",
            "rank with the groups (labels.group) as batches, flavour seurat_v3; empty: not among the first 2000 of any "
            "group; without groups the same as hvg_rank",
        ),
        integer("hvg_rank_seurat_v3_paper", "the same for flavour seurat_v3_paper"),
    ),
)
