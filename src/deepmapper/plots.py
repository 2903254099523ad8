"""The figures of DeepMapper: how good, how stable, which features, for which class.

Two families, drawn with matplotlib alone and without pyplot, so that the caller's backend and style stay as they are:

- from Python (`_plot_values`): `confusion_matrix`, `per_class_metrics`, `method_comparison` and `top_genes` take plain
  values and a stem and write ``{stem}.png`` (200 dpi) and ``{stem}.pdf``;
- from the tables of a run: all others take the table as a `pandas.DataFrame` and write one file, whose suffix (.svg,
  .png or .pdf) chooses the format: of features (`_plot_features`), gene chords (`_plot_chords`), passes
  (`_plot_passes`), the evaluation (`_plot_evaluation`) and what filtering would have lost (`_plot_audit`).

Every file appears whole or not at all, and the same values give the same bytes. Figures are laid out in inches around
panels of fixed size and the sheet grows to hold their labels: no name is cut, no text is smaller than 8 pt. Names
longer than 64 characters are shortened in the middle. Colours: Okabe & Ito's, and Paul Tol's "muted" for classes,
both made for colour-blind readers; no statement hangs on colour alone.
"""

from ._plot_audit import audit
from ._plot_chords import chord_networks, chord_scores
from ._plot_evaluation import calibration, confusion, embedding, model_comparison, per_class
from ._plot_features import evidence, importance_heatmap, importance_null, importance_significance, ranking
from ._plot_passes import accuracy_references, agreement, convergence, learning_curves
from ._plot_values import confusion_matrix, method_comparison, per_class_metrics, top_genes

__all__ = [
    "accuracy_references",
    "agreement",
    "audit",
    "calibration",
    "chord_networks",
    "chord_scores",
    "confusion",
    "confusion_matrix",
    "convergence",
    "embedding",
    "evidence",
    "importance_heatmap",
    "importance_null",
    "importance_significance",
    "learning_curves",
    "method_comparison",
    "model_comparison",
    "per_class",
    "per_class_metrics",
    "ranking",
    "top_genes",
]
