"""`evaluate`: averaged predictions of the passes, tested on samples they have not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

from . import accumulate
from .config import DeepMapperConfig
from .errors import DeepMapperWarning, InputError
from .features.samples import Samples
from .features.splits import set_test_aside
from .findings.ensemble import predict
from .findings.evaluation import EvalResult, evaluate_ensemble, evaluate_out_of_bag, not_evaluated_note
from .passes.result import PassResult
from .passes.train import train_pass


def evaluate(
    X,
    y,
    config: DeepMapperConfig,
    class_names: Sequence[str] | None = None,
    test_size: float = 0.25,
    seed: int = 0,
    *,
    groups: Sequence | None = None,
    scheme: str = "auto",
    progress: Callable[[str], None] = lambda line: None,
) -> EvalResult:
    """Train passes and judge their average on samples that they have not seen.

    With a fixed test split, passes train on the rest, and the accepted ones are averaged. Where samples are too few to
    set any aside, passes draw from all of them, and every sample is judged by the average of the passes that did not
    train on it; of all passes, since to drop those that were wrong out of bag would flatter the rest.

    Parameters
    ----------
    X, y, config, groups, progress
        As in `runner.run`.
    class_names
        Names of the classes in the order of their codes; None takes the labels themselves.
    test_size, seed
        Share and seed of the test split (stratified; by group where given).
    scheme
        "fixed", "repeated" (no test split), or "auto": repeated where samples are few (`splits.few_samples`).

    Raises
    ------
    InputError
        If the data or a setting cannot be used, or no pass was accepted to judge a test split.

    Warns
    -----
    DeepMapperWarning
        Whenever a setting cannot act, passes were rejected, no test split was set aside by itself, or a sample was
        never out of bag.
    """
    from .config import inert_notes
    from .features.inputs import as_groups, as_labels, as_matrix

    config.check()
    if not 0 < test_size < 1:
        raise InputError(f"test_size={test_size!r}: expected a share between 0 and 1")
    if seed < 0:
        raise InputError(f"seed={seed!r}: expected a whole number of 0 or more")
    X, _ = as_matrix(X)
    codes, classes = as_labels(y, X.shape[0])
    if class_names is not None:
        classes = _named_classes(class_names, len(classes))
    group_codes = as_groups(groups, X.shape[0])
    for note in inert_notes(config, X.shape[1]):
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    chosen, development, test = set_test_aside(codes, scheme, test_size, seed, group_codes, classes)
    repeated = chosen.name == "repeated"
    if repeated and scheme == "auto":
        warnings.warn(chosen.why, DeepMapperWarning, stacklevel=2)
    samples = Samples(X, codes, classes, development, group_codes)
    results: list[PassResult] = []
    members: list[PassResult] = []
    while len(members) < config.n_passes and len(results) < config.effective_max_tries():
        results.append(train_pass(samples, config, config.seed + len(results), progress=progress))
        members = accumulate.accepted_passes(results, config.min_accuracy)
    if repeated:
        judged = evaluate_out_of_bag(results, codes, classes, group_codes, chosen.why)
        if judged.not_judged:
            warnings.warn(not_evaluated_note(judged.not_judged, len(results)), DeepMapperWarning, stacklevel=2)
        return judged
    if not members:
        raise InputError(
            f"none of {len(results)} passes reached min_accuracy={config.min_accuracy:g}: there is nothing to average"
        )
    if len(members) < len(results):
        warnings.warn(
            f"{len(results) - len(members)} of {len(results)} passes were rejected, their out-of-bag accuracy being "
            f"below min_accuracy={config.min_accuracy:g}; {len(members)} were averaged.",
            DeepMapperWarning,
            stacklevel=2,
        )
    probabilities = [predict(r, X, test) for r in members]
    return replace(
        evaluate_ensemble(probabilities, codes[test], codes[development], classes, chosen.why), rows=test.tolist()
    )


def _named_classes(class_names: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Names that were given for the classes, checked."""
    if len(class_names) != n_classes:
        raise InputError(f"class_names holds {len(class_names)} names, y holds {n_classes} classes: expected as many")
    classes = tuple(str(name) for name in class_names)
    if len(set(classes)) < len(classes):
        raise InputError(f"class_names={list(classes)}: expected all different, or the report would lose a class")
    return classes
