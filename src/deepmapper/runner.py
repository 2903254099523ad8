"""`run`: train passes, seed by seed, and accumulate them into `Findings`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import accumulate
from .config import DeepMapperConfig, inert_notes
from .core.words import did_you_mean, some
from .errors import DeepMapperWarning, InputError
from .features.inputs import as_groups, as_labels, as_matrix
from .features.label_checks import check_samples
from .features.samples import Samples
from .findings.ranking import Findings, accumulate_passes
from .passes.result import PassResult
from .passes.train import train_pass


def run(
    X,
    y=None,
    config: DeepMapperConfig | None = None,
    feature_names: Sequence[str] | None = None,
    *,
    label_key: str | None = None,
    groups: Sequence | np.ndarray | str | None = None,
    progress: Callable[[str], None] | bool | None = None,
) -> Findings:
    """Train passes until `config.n_passes` are accepted or `config.effective_max_tries()` are trained.

    Pass t uses seed ``config.seed + t``; a pass below `config.min_accuracy` is rejected and the next seed is tried.

    Parameters
    ----------
    X
        (n_samples, n_features) finite numbers, unfiltered; an array, a data frame or a scipy sparse matrix (which
        stays sparse). Or an AnnData, of which ``X`` is used.
    y
        (n_samples,) labels: strings, or any non-negative integers. With an AnnData, the name of a column of ``obs``
        may be given instead, here or as `label_key`.
    config
        The settings; None for the defaults.
    feature_names
        Unique names of the features; None for the column names of a data frame or the ``var_names`` of an AnnData.
    label_key
        The column of ``obs`` with the labels, if X is an AnnData and `y` is not given.
    groups
        (n_samples,) group of each sample, for example its donor; a group is never split. With an AnnData, a column of
        ``obs``.
    progress
        True for a progress bar on standard error, False for none, None for one on a terminal only. Or a function that
        is called with lines of progress, for example ``print``.

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        If the data or a setting cannot be used, or the labels cannot be told apart on samples held out: a class of one
        sample, labels that are a measurement, a class in a single group.

    Warns
    -----
    DeepMapperWarning
        If a setting has no effect, passes were rejected, none was accepted, or the completeness error of an
        attribution is too large.
    """
    config = DeepMapperConfig() if config is None else config
    config.check()
    is_anndata = hasattr(X, "obs") and hasattr(X, "var_names")
    _check_label_arguments(y, label_key, is_anndata)
    if is_anndata:
        y = _obs_column(X, y, "y") if label_key is None else _obs_column(X, label_key, "label_key")
        groups = _obs_column(X, groups, "groups")
        feature_names = list(map(str, X.var_names)) if feature_names is None else feature_names
        X = X.X
    X, names = as_matrix(X, feature_names)
    codes, classes = as_labels(y, X.shape[0])
    group_codes = as_groups(groups, X.shape[0])
    group_codes = check_samples(np.asarray(y), codes, classes, groups, group_codes, config.seed)
    samples = Samples(X, codes, classes, groups=group_codes)
    for note in inert_notes(config, X.shape[1]):
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    results: list[PassResult] = []
    accepted = 0
    say = progress if callable(progress) else lambda line: None
    with _bar(config.n_passes, progress) as bar:
        for t in range(config.effective_max_tries()):
            if accepted == config.n_passes:
                break
            results.append(train_pass(samples, config, config.seed + t, progress=say))
            good = accumulate.accept_pass(results[-1].accuracy, config.min_accuracy)
            accepted += good
            bar.update(int(good))
            bar.set_postfix(accuracy=f"{np.mean([result.accuracy for result in results]):.3f}")
    findings = accumulate_passes(results, config.top_k, config.min_accuracy, names)
    for note in findings.notes:
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    findings.notes = inert_notes(config, X.shape[1]) + findings.notes
    return findings


def _check_label_arguments(y: Any, label_key: Any, is_anndata: bool) -> None:
    """Check that the labels are given once, and in a form that fits the kind of matrix."""
    if label_key is None:
        if y is None:
            raise InputError("there are no labels: give y, or with an AnnData label_key, a column of obs.")
        return
    if y is not None:
        raise InputError(f"y and label_key={label_key!r} are both given: give the labels only once.")
    if not is_anndata:
        raise InputError(
            f"label_key={label_key!r} names a column of obs, but X is not an AnnData: give one label per row as y."
        )
    if not isinstance(label_key, str):
        raise InputError(
            f"label_key is of type {type(label_key).__name__}: expected the name of a column of obs. Give labels as y."
        )


def _obs_column(adata: Any, values: Any, argument: str) -> Any:
    """Look up a column of an AnnData by its name; return anything else as it is."""
    if not isinstance(values, str):
        return values
    if values not in adata.obs:
        known = adata.obs.columns
        raise InputError(
            f"{argument} is {values!r}, which is not a column of obs.{did_you_mean(values, known)} Expected one of "
            f"{some(known, 20)}{'' if argument == 'label_key' else ', or one value per sample'}."
        )
    return adata.obs[values].to_numpy()


def _bar(n_passes: int, progress: Callable | bool | None) -> Any:
    """Make a progress bar, which shows nothing if it was not asked for."""
    from tqdm.auto import tqdm

    is_shown = progress is True or (progress is None and sys.stderr.isatty())
    return tqdm(total=n_passes, desc="passes", unit="pass", disable=not is_shown)
