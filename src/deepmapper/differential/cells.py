"""The test between single cells without donors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..core.words import count, listed
from ..features.kinds import overlaps as overlaps_of
from ..features.label_checks import FEW_IN_CLASS
from ..features.levels import draw_samples, max_rows_in_memory
from ..features.store import Features
from .contrasts import NOTHING_APART, REST, compared, rest_of
from .rank_sum import rank_sum_tests
from .results import Tested

_CAUTION = (
    "Every cell counts as an independent sample: p says how sure a difference between these cells is, not one between "
    "donors. To test that, name the donors (labels.group). If the classes were found by clustering these same values, "
    "p is too small for that reason, too, and only the order can be used."
)


def compare_cells(features: Features, rows: np.ndarray, options: Mapping, seed: int) -> Tested:
    """Compare classes of cells by Wilcoxon's rank-sum test.

    Parameters
    ----------
    features
        The features of a run.
    rows
        Their rows that are compared.
    options
        Options "max_cells" and "reference" of the section `differential`.
    seed
        Seed of the draw, if there are more cells than are compared.
    """
    X = features.X
    largest = min(options["max_cells"], max_rows_in_memory(X))
    drawn = draw_samples(rows, features.y, len(features.classes), largest, seed)
    codes, y = np.unique(features.y[drawn], return_inverse=True)
    present = [features.classes[code] for code in codes]
    method = f"Wilcoxon's rank-sum test between {count(len(drawn), 'cell', separator=',')}"
    about = Tested(test="wilcoxon", method=method, unit="cell", n_units=len(drawn))
    if len(present) < 2:
        return about.noting(f"All samples belong to the class {present[0]!r}, so there is nothing to compare.")
    if options["reference"] and options["reference"] not in present:
        return about.noting(
            f"No cell belongs to the class {options['reference']!r}, which the others are compared with."
        )
    overlaps = overlaps_of(features.classes, features.kinds)
    pairs = compared(present, options["reference"], overlaps)
    if not pairs:
        return about.noting(NOTHING_APART)
    values, y = X[drawn][:, : features.n_features], y.ravel()
    together = [pair for pair in pairs if pair[1] != REST or pair[0] not in overlaps]
    found = dict(zip(together, rank_sum_tests(values, y, present, together), strict=True)) if together else {}
    for name, _ in (pair for pair in pairs if pair not in found):
        kept = [name, *rest_of(name, present, overlaps)]
        inside = np.flatnonzero(np.isin(y, [present.index(one) for one in kept]))
        codes = np.array([kept.index(one) if one in kept else -1 for one in present])
        found[name, REST] = rank_sum_tests(values[inside], codes[y[inside]], kept, [(name, REST)])[0]
    results = [found[pair] for pair in pairs]
    notes = [_CAUTION]
    sizes = np.bincount(y)
    if few := [f"{present[code]!r} ({sizes[code]})" for code in np.flatnonzero(sizes < FEW_IN_CLASS)]:
        notes.append(f"With as few cells as in {listed(few)}, only features that most of them have can be significant.")
    if len(drawn) < len(rows):
        notes.append(f"{len(drawn)} of {len(rows)} cells were drawn for the test (differential.max_cells).")
    if features.design_names:
        notes.append("This test does not adjust for confounders.")
    return Tested(tuple(results), tuple(pairs), "wilcoxon", method, "cell", "", len(drawn), tuple(notes))
