"""Every random stream of the package by name, so that no two can be the same by accident.

A stream is numpy's generator seeded with two numbers, the seed of the run or pass and the number of the draw:
``default_rng([seed, draw])``. If the two were added, a draw of seed 2 could equal another draw of seed 0.

Two streams are seeded elsewhere: torch by the seed of the pass (`training.runtime.seeded`), and the arrangement of the
features by the published method (`transform.permutation`).
"""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np


@unique
class Draw(IntEnum):
    """What a stream is used for. The value is part of the seed: changing it changes results."""

    # one pass
    OUT_OF_BAG = 0
    VALIDATION = 1
    PERMUTATION_TEST = 2  # permutations of the out-of-bag labels, compared with a pass's predictions
    PERMUTED_LABELS = 3  # labels on which a control pass is trained
    ATTRIBUTED_SAMPLES = 4
    # a run
    TEST_SPLIT = 100
    METRIC_RESAMPLES = 101
    CONTROL_LABELINGS = 102  # permuted labels of the controls in small studies
    MAIN_EFFECT_FOLDS = 103
    CHORD_PERMUTATIONS = 104  # one stream per class
    CHORD_RESAMPLES = 105
    CHORD_FOLDS = 106
    CONTROL_GENES = 107
    CONFOUNDER_RESAMPLES = 108
    SCREENED_SAMPLES = 109
    CONFOUNDER_FOLDS = 110
    CHORD_INFLATION = 111  # features whose pairs measure the inflation of the screen
    SHADOWS = 120
    PASS_RESAMPLES = 121
    HALVES = 122
    PANEL_FOLDS = 123
    SHARED_FOLDS = 124  # folds that consecutive passes have out of bag, where there are target samples
    SPACE_SAMPLES = 125  # training samples to which the space of a pass is fitted
    DOMAIN_SAMPLES = 126  # samples of the comparison of target and reference
    NEIGHBOUR_PARTS = 127  # parts of many samples, in which neighbours are looked for
    PERTURBED_SAMPLES = 128  # out-of-bag samples of a pass that are perturbed
    PERTURBED_SHADOWS = 129  # features whose shadows are perturbed
    MAPPED_SAMPLES = 140  # samples of the map of reference and target
    ATTRIBUTED_TARGET = 141  # target samples of a pass that are attributed
    NEW_CLUSTERS = 142  # clusters of new samples
    # novel transcripts
    CHANGED_COPIES = 130
    SHUFFLED_BASES = 131
    # models that read cells as a stream
    MODEL_WEIGHTS = 150
    STREAM_ORDER = 151  # order of the cells in an epoch; one stream per epoch
    TRAINED_EPOCH = 152  # torch's own draws in an epoch; one stream per epoch and process
    VALIDATED_CELLS = 153  # cells of a validation that are kept; one stream per batch
    # labels carried to unlabelled cells
    SCNYM_SPLIT = 160  # labelled cells that choose the epoch, and that measure the accuracy
    # simulated data
    SIMULATED_COHORTS = 170  # what the transcripts of two cohorts are, and the samples of either


@unique
class FixedDraw(IntEnum):
    """Streams that do not depend on the seed of the run; the value is the whole seed.

    numpy pads seeds with zeros, so these equal the out-of-bag streams of passes 0, 102 and 123 to 126. That does no
    harm, since they do not draw the samples of a pass. Changing a value changes results.
    """

    CONVERGENCE = 0  # partitions of the passes into disjoint sets
    LISTED_LABELINGS = 102  # order in which controls use the enumerated label permutations of a small study
    AUDITED_SAMPLES = 123
    NULL_TAIL = 124  # samples of a fitted tail, which test its fit
    SIGNS = 126  # signs of groups, which compare two models
    LIST_PASSES = 127  # units of passes, of which the order of the list is made
    DIVISIONS = 125  # divisions of the samples that the differential test compares with the true one


def stream(seed: int, draw: Draw, *words: int) -> np.random.Generator:
    """Return the stream of a draw.

    Parameters
    ----------
    seed
        Seed of the run or the pass, 0 or more.
    draw
        What the stream is used for.
    words
        Further numbers for a draw that has several streams, such as one per class.

    Raises
    ------
    ValueError
        If the seed is negative.
    """
    return np.random.default_rng([seed, draw, *words])


def integer_seed(seed: int, draw: Draw, *words: int) -> int:
    """Return a 31-bit integer from a stream, for libraries that need an integer seed (scikit-learn)."""
    return int(stream(seed, draw, *words).integers(2**31))


def fixed_stream(draw: FixedDraw) -> np.random.Generator:
    """Return a stream that is identical in every run."""
    return np.random.default_rng(int(draw))
