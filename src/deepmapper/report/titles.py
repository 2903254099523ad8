"""Names of the figures: the same in the report's menu, in links and in headings. Standard library only."""

# Figure -> its name.
FIGURES = {
    "ranking": "ranking",
    "importance_null": "features against shadow features",
    "importance_heatmap": "importance in each class",
    "evidence": "two rankings",
    "audit": "what filtering would have lost",
    "accuracy_references": "accuracy of each pass",
    "learning_curves": "learning curves",
    "agreement": "agreement between passes",
    "convergence": "how many passes are enough",
    "confusion": "confusion",
    "per_class": "each class",
    "calibration": "calibration",
    "embedding": "map of the samples",
    "feature_maps": "first features on the map",
    "pseudo_image": "images of one pass",
    "novel": "novel transcripts",
    "target_map": "map of named cells",
    "target_verdicts": "verdicts on named cells",
    "target_confidence": "confidence in labels",
    "target_genes": "genes behind labels",
    "perturbation": "perturbation",
    "expression": "expression of the first features",
    "markers": "markers of each class",
    "volcano": "volcano plots",
    "sample_distances": "distances",
    "overlap": "found by which models and tests",
    "models": "models side by side",
    "chord_networks": "chord networks",
    "chord_members": "chord members",
    "chord_scores": "chord scores",
    "enrichment": "enriched gene sets",
}

# Table as a page -> its name.
TABLES = {
    "features": "table of features",
    "passes": "table of passes",
    "audit": "table of findings lost by filtering",
    "models": "table of models",
    "markers": "table of markers",
    "chords": "table of chords",
    "enrichment": "table of gene sets",
}

# Table as a file -> its name.
FILES = {
    "perturbation": "perturbation, table",
    "target": "named cells, table",
    "new_identities": "new identities, table",
    "target_genes": "genes behind labels, table",
    "target_features": "importances for named cells, table",
    "withheld": "withheld classes, table",
}

TARGET_FILES = ("target", "new_identities", "target_genes", "target_features", "withheld")

# What every model has, what no single model has, and what the chords have.
MODEL_FIGURES = (
    *("ranking", "feature_maps", "pseudo_image", "importance_heatmap", "importance_null", "evidence", "audit"),
    *("embedding", "confusion", "per_class", "calibration"),
    *("accuracy_references", "learning_curves", "agreement", "convergence"),
)

TARGET_FIGURES = ("target_map", "target_verdicts", "target_confidence", "target_genes")

STUDY_FIGURES = ("expression", "markers", "volcano", "sample_distances", "overlap")

CHORD_FIGURES = ("chord_networks", "chord_members", "chord_scores")

# Figures on the page to open first, the most telling ones first: those that do not fit in are linked.
START_FIGURES = (
    *("expression", "target_map", "target_verdicts", "models", "overlap", "chord_members", "markers"),
    *("sample_distances", "novel", "enrichment", "pseudo_image", "feature_maps"),
)
