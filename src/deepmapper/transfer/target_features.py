"""Importances of the features for the labels of target samples, accumulated over the passes like those of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.draws import Draw, stream
from ..findings.feature_table import DIRECTIONS
from ..findings.ranking import classes_over, quartiles_over, ranks_over
from ..passes.attributed import attribute_classes
from ..passes.restore import image_maker, restore_model
from ..passes.result import PassFile, PassResult
from ..passes.train import choose_over_classes
from .members import Member
from .model import Model
from .naming import ASSIGNED
from .target_significance import SignificanceOptions, target_significance
from .values import NewValues, gaps_of


@dataclass(frozen=True, eq=False)
class _Importances:
    """Those of one pass; see `findings.ranking.Attributed`."""

    importance: np.ndarray
    class_importance: np.ndarray
    class_gradient: np.ndarray


def target_features(
    model: Model,
    X: np.ndarray | sp.csr_matrix,
    table: pd.DataFrame,
    sources: Sequence[Mapping[str, Any]],
    top_k: int,
    device: Any = "cpu",
    shadow_passes: Sequence[PassResult | PassFile] = (),
    test: SignificanceOptions | None = None,
) -> pd.DataFrame:
    """Return `target_features.tsv`.

    Every pass attributes the scores of the labels that the model gave, as it attributes those of out-of-bag samples
    (same method, number of samples and accumulation); where the baseline is a mean, it is that of all labelled samples.
    Samples that are new or ambiguous are left out. A feature that all files lack has the mean of the labelled samples
    everywhere.

    Parameters
    ----------
    model
        The model.
    X
        (n, p) normalised values.
    table
        `target.tsv`.
    sources
        The files: "n_cells", and "missing" with the names of the features that each lacks.
    top_k
        Number of features that each pass selects.
    device
        To compute on.
    shadow_passes, test
        Passes with shadows that kept their weights, and how features are tested against these; without them, or with
        fewer than two labels, there is no z, p or q.
    """
    names = list(model.features)
    found = pd.DataFrame({"feature": names})
    of_class = {name: code for code, name in enumerate(model.classes)}
    assigned = (table["verdict"] == ASSIGNED).to_numpy()
    codes = np.array([of_class.get(label, -1) for label in table["label"]], dtype=np.int64)
    codes[~assigned] = -1
    if not (codes >= 0).any():
        empty = ("median_importance", "mean_rank", "selection_frequency")
        return found.assign(**dict.fromkeys(empty, np.nan), reference_importance=model.importance)
    values = NewValues(X, model, gaps_of(sources, model))
    parts = [_attributed(member, values, codes, device) for member in model.members]
    found["median_importance"] = quartiles_over(parts, len(names))[1]
    found["mean_rank"], found["selection_frequency"] = ranks_over(parts, top_k, len(names))
    found["reference_importance"] = model.importance
    if test is not None:
        files = pd.factorize(pd.MultiIndex.from_frame(table[["source", "domain"]].fillna("")))[0]
        gradients = [part.class_gradient for part in parts]
        tested = target_significance(values, codes, files, gradients, shadow_passes, test, device)
        if tested is not None:
            found = pd.concat([found, tested.drop(columns="feature")], axis=1)
    importance, direction = classes_over(parts)
    columns: dict[str, list] = {}
    for code, name in enumerate(model.classes):
        if (codes == code).any():
            columns[f"importance[{name}]"] = importance[code]
            columns[f"direction[{name}]"] = [DIRECTIONS[sign] for sign in direction[code]]
    return pd.concat([found, pd.DataFrame(columns)], axis=1)


def _attributed(member: Member, values: NewValues, codes: np.ndarray, device: Any) -> _Importances:
    """Importances of the features, without chords, for samples with a class."""
    config, model = member.config, values.model
    options = config.attribution_options()
    rows = np.flatnonzero(codes >= 0)
    chosen = choose_over_classes(rows, codes, options.n_samples, stream(member.seed, Draw.ATTRIBUTED_TARGET))
    network = restore_model(member, values.n_columns, device)
    images = image_maker(values.take(chosen), config, member.seed, next(network.parameters()).device)
    baseline = None
    if options.baseline == "mean":
        mean = np.asarray(model.with_chords(model.mean[None]))[0]
        baseline = images.scatter(mean).expand(images.channels, -1, -1)
    share = np.bincount(codes[rows], minlength=len(model.classes)) / len(rows)
    found = attribute_classes(network, images, np.arange(len(chosen)), codes[chosen], share, baseline, options)
    p = len(model.features)
    return _Importances(*(found[name][..., :p] for name in ("importance", "class_importance", "class_gradient")))
