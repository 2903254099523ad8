"""`run`: trains passes seed by seed and accumulates them into `Findings`."""

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
    """Train passes until `config.n_passes` are accepted or `config.effective_max_tries()` were trained.

    Pass t uses seed ``config.seed + t``; a pass below `config.min_accuracy` is replaced by the next seed.

    Parameters
    ----------
    X
        (n_samples, n_features) finite numbers, unfiltered; array, data frame or scipy sparse (which stays sparse).
    y
        (n_samples,) labels: strings or whole numbers of 0 or more, in any coding.
    config
        The settings.
    feature_names
        Names of the features, all different; the columns' names if `X` is a data frame.
    groups
        (n_samples,) group of each sample, for example its donor; groups stay together in every split.
    progress
        Receives progress lines, for example ``print``.

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
        Whenever a setting cannot act, passes were rejected or replaced, none was accepted, or an attribution missed
        its completeness bound.
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
        seed = config.seed + t
        results.append(train_pass(samples, config, seed, progress=progress))
        accepted += accumulate.accept_pass(results[-1].accuracy, config.min_accuracy)
    findings = accumulate_passes(results, config.top_k, config.min_accuracy, names)
    for note in findings.notes:
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    findings.notes = inert_notes(config, X.shape[1]) + findings.notes
    return findings
