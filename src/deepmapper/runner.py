"""`run`: train passes, seed by seed, and accumulate them into `Findings`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from . import accumulate
from .config import DeepMapperConfig, inert_notes
from .errors import DeepMapperWarning
from .features.inputs import as_groups, as_labels, as_matrix
from .features.samples import Samples
from .findings.ranking import Findings, accumulate_passes
from .passes.result import PassResult
from .passes.train import train_pass


def run(
    X,
    y,
    config: DeepMapperConfig,
    feature_names: Sequence[str] | None = None,
    *,
    groups: Sequence | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Findings:
    """Train passes until `config.n_passes` are accepted or `config.effective_max_tries()` are trained.

    Pass t uses seed ``config.seed + t``; a pass below `config.min_accuracy` is rejected and the next seed is tried.

    Parameters
    ----------
    X
        (n_samples, n_features) finite numbers, unfiltered; an array, a data frame or a scipy sparse matrix (which
        stays sparse).
    y
        (n_samples,) labels: strings, or any non-negative integers.
    config
        The settings.
    feature_names
        Unique names of the features; None for the column names of a data frame.
    groups
        (n_samples,) group of each sample, for example its donor; a group is never split.
    progress
        Called with progress lines, for example ``print``.

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        If the data or a setting cannot be used.

    Warns
    -----
    DeepMapperWarning
        If a setting has no effect, passes were rejected, none was accepted, or the completeness error of an
        attribution is too large.
    """
    config.check()
    X, names = as_matrix(X, feature_names)
    codes, classes = as_labels(y, X.shape[0])
    samples = Samples(X, codes, classes, groups=as_groups(groups, X.shape[0]))
    for note in inert_notes(config, X.shape[1]):
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    results: list[PassResult] = []
    accepted = 0
    for t in range(config.effective_max_tries()):
        if accepted == config.n_passes:
            break
        results.append(train_pass(samples, config, config.seed + t, progress=progress))
        accepted += accumulate.accept_pass(results[-1].accuracy, config.min_accuracy)
    findings = accumulate_passes(results, config.top_k, config.min_accuracy, names)
    for note in findings.notes:
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    findings.notes = inert_notes(config, X.shape[1]) + findings.notes
    return findings
