"""Draw the figures of a study that belong to no single model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..core.words import count
from .distances import sample_distances
from .expression import expression_dots, expression_heatmap
from .overlaps import overlap
from .volcanoes import volcano

LISTED = 25  # first features whose expression is drawn

_MAX_MARKERS = 60  # of all classes together

_COMPARED = {
    "samples": "Euclidean distance over all features",
    "groups": "Euclidean distance between the means of the groups in each class, over all features",
    "classes": "Euclidean distance between the means of the classes, over all features",
}


class SampleValues(NamedTuple):
    """Values of the first features in all samples: (samples, features), names of the samples, and their classes."""

    values: np.ndarray
    samples: Sequence[str]
    labels: Sequence[str]


def draw_study(
    paths: Mapping[str, str | Path],
    *,
    listed: Sequence[str],
    reported: int,
    statistics: pd.DataFrame,
    markers: pd.DataFrame,
    differential: pd.DataFrame,
    test: Mapping,
    found: Mapping[str, Collection[str]],
    distances: Any,
    of_samples: SampleValues | None,
    aliases: Mapping[str, str],
) -> None:
    """Draw expression, markers, volcanoes, distances and overlaps.

    Parameters
    ----------
    paths
        File of each figure: "expression", "markers", "volcano", "sample_distances" and "overlap".
    listed, reported
        The first features of the list to report, and how many features it has.
    statistics, markers, differential, test
        ``differential_features.tsv``, ``markers.tsv``, ``differential.tsv`` and ``differential.json``.
    found
        Features that each model or test finds, by its name.
    distances
        Distances of the samples (`features.distances.Distances`).
    of_samples
        Values in single samples, if they are few enough to be drawn.
    aliases
        Readable name of every feature that has one, by name.
    """
    note = f"the first {min(len(listed), reported)} features to report" if reported else ""
    note = note or "no feature is significant; these are the first of the order"
    if of_samples is not None:
        expression_heatmap(
            of_samples.values, listed, of_samples.samples, of_samples.labels, paths["expression"], aliases=aliases,
            title="Expression of the first features in each sample", note=note,
        )  # fmt: skip
    else:
        expression_dots(
            statistics, listed, paths["expression"], aliases=aliases,
            title="Expression of the first features by class", note=note,
        )  # fmt: skip
    classes = [name[5:-1] for name in statistics.columns if name.startswith("mean[")]
    names, headings = first_markers(markers, classes)
    expression_dots(
        statistics, names, paths["markers"], headings=headings, aliases=aliases, title="Markers of each class",
        note="features that are higher in the class when each is tested alone, the smallest p first",
    )  # fmt: skip
    volcano(differential, paths["volcano"], level=test["level"], aliases=aliases, note=str(test["method"]))
    sample_distances(
        distances.distance, distances.names, distances.labels, paths["sample_distances"],
        title="Distances between samples" if distances.of == "samples" else f"Distances between {distances.of}",
        note=_COMPARED[distances.of],
    )  # fmt: skip
    overlap(found, paths["overlap"], note=f"each at its own error rate; {count(len(found), 'set')}")


def first_markers(markers: pd.DataFrame, classes: Sequence[str]) -> tuple[list[str], list[str]]:
    """The first markers of every class, each feature once, and the class of each."""
    each = max(1, min(3, _MAX_MARKERS // max(len(classes), 1)))
    names: dict[str, str] = {}
    for name in classes:
        own = dict.fromkeys(markers.loc[markers["class"].astype(str) == name, "feature"].astype(str))
        names |= dict.fromkeys([feature for feature in own if feature not in names][:each], name)
    first = list(names)[:_MAX_MARKERS]
    return first, [names[name] for name in first]
