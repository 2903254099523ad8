"""Every random stream of the package by name, so that no two of them can be the same by accident.

A stream is numpy's generator for two words, the seed of a run or pass and the word of the draw:
``default_rng([seed, word])``. With their sum as seed, one draw of seed 2 would equal another of seed 0.

Torch is seeded by the seed of the pass (`training.seeded`), the arrangement of the features by the published mechanism
(`transform.permutation`).
"""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np


@unique
class Draw(IntEnum):
    """What a stream is for; the value is the second word of its seed, and stays, or results would change."""

    # one pass
    OUT_OF_BAG = 0
    VALIDATION = 1
    PERMUTATION_TEST = 2  # out-of-bag labels that a pass's predictions are held against
    PERMUTED_LABELS = 3  # what a control pass is trained on
    ATTRIBUTED_SAMPLES = 4
    # a run
    TEST_SPLIT = 100
    METRIC_RESAMPLES = 101
    CONTROL_LABELINGS = 102  # of small studies, several a control
    MAIN_EFFECT_FOLDS = 103
    CHORD_PERMUTATIONS = 104  # a further word is the class
    CHORD_RESAMPLES = 105
    CHORD_FOLDS = 106
    CONTROL_GENES = 107
    CONFOUNDER_RESAMPLES = 108
    SCREENED_SAMPLES = 109
    CONFOUNDER_FOLDS = 110
    SHADOWS = 120
    PASS_RESAMPLES = 121
    HALVES = 122
    PANEL_FOLDS = 123


@unique
class FixedDraw(IntEnum):
    """Streams that no seed governs; the value is their whole seed.

    numpy pads seeds with zeros, so these are the out-of-bag streams of passes 0, 102 and 123 as well. They order other
    things than samples of a pass, so nothing is drawn twice alike, and their values stay so that results do.
    """

    CONVERGENCE = 0  # divisions of the passes into disjoint sets
    LISTED_LABELINGS = 102  # the order in which controls take the labelings of a small study
    AUDITED_SAMPLES = 123


def stream(seed: int, draw: Draw, *words: int) -> np.random.Generator:
    """Return the stream of a draw.

    Parameters
    ----------
    seed
        Seed of the run or the pass, 0 or more.
    draw
        What is drawn.
    words
        Further words, where a draw has a stream for each of several things, such as classes.

    Raises
    ------
    ValueError
        If the seed is negative.
    """
    return np.random.default_rng([seed, draw, *words])


def integer_seed(seed: int, draw: Draw) -> int:
    """Return the first 31 bits of a stream, for libraries that take a whole number as seed (scikit-learn)."""
    return int(stream(seed, draw).integers(2**31))


def fixed_stream(draw: FixedDraw) -> np.random.Generator:
    """Return a stream that is the same in every run."""
    return np.random.default_rng(int(draw))
