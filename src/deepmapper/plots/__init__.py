"""The figures: accuracy, stability, which features matter, and for which class.

May use: core, accumulate.
"""

from ..core.lazy import load_name

_HOME = {
    "accuracy_references": "passes",
    "agreement": "passes",
    "audit": "filtering",
    "calibration": "evaluation",
    "chord_members": "member_values",
    "chord_networks": "chords",
    "chord_scores": "chords",
    "confusion": "evaluation",
    "confusion_matrix": "values",
    "convergence": "passes",
    "embedding": "sample_map",
    "enriched_sets": "enrichment",
    "evidence": "significance",
    "expression_dots": "expression",
    "expression_heatmap": "expression",
    "feature_maps": "value_maps",
    "fragment_fates": "fragments",
    "importance_heatmap": "features",
    "importance_null": "significance",
    "learning_curves": "passes",
    "method_comparison": "values",
    "model_comparison": "models",
    "novel_transcripts": "novel",
    "overlap": "overlaps",
    "per_class": "evaluation",
    "per_class_metrics": "values",
    "perturbed_features": "perturbation",
    "pseudo_image": "pseudo_images",
    "ranking": "features",
    "sample_distances": "distances",
    "target_genes": "target",
    "target_map": "target",
    "target_verdicts": "target",
    "top_genes": "values",
    "volcano": "volcanoes",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    return load_name(__name__, _HOME, name)


def __dir__():
    return __all__
