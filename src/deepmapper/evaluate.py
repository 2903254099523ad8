"""`evaluate`: average the predictions of the passes and test them on samples that no pass was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

from . import accumulate
from .config import DeepMapperConfig, inert_notes
from .errors import DeepMapperWarning, InputError
from .features.inputs import as_groups, as_labels, as_matrix
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
    """Train passes and evaluate the average of their predictions on samples that they were not trained on.

    With a fixed test split, passes are trained on the other samples and the accepted ones are averaged. In a small
    study without a test split, passes draw from all samples, and each sample is predicted by the average of the passes
    that did not train on it. Rejected passes count there, too: their accuracy is out of bag, so dropping them would
    bias the evaluation upwards.

    Parameters
    ----------
    X, y, config, groups, progress
        As in `runner.run`.
    class_names
        Names of the classes in the order of their codes; None for the labels themselves.
    test_size, seed
        Share and seed of the test split (stratified by class; whole groups if there are any).
    scheme
        "fixed", "repeated" (no test split), or "auto": repeated for small studies (`splits.is_small`), else fixed.

    Raises
    ------
    InputError
        If the data or a setting cannot be used, or a test split has no accepted pass.

    Warns
    -----
    DeepMapperWarning
        If a setting has no effect, passes were rejected, "auto" sets no test split aside, or a sample was never out of
        bag.
    """
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
    used, development, test = set_test_aside(codes, scheme, test_size, seed, group_codes, classes)
    repeated = used.name == "repeated"
    if repeated and scheme == "auto":
        warnings.warn(used.why, DeepMapperWarning, stacklevel=2)
    samples = Samples(X, codes, classes, development, group_codes)
    results: list[PassResult] = []
    accepted: list[PassResult] = []
    while len(accepted) < config.n_passes and len(results) < config.effective_max_tries():
        results.append(train_pass(samples, config, config.seed + len(results), progress=progress))
        accepted = accumulate.accepted_passes(results, config.min_accuracy)
    if repeated:
        evaluation = evaluate_out_of_bag(results, codes, classes, group_codes, used.why)
        if evaluation.not_judged:
            warnings.warn(not_evaluated_note(evaluation.not_judged, len(results)), DeepMapperWarning, stacklevel=2)
        return evaluation
    if not accepted:
        raise InputError(
            f"none of {len(results)} passes reached min_accuracy={config.min_accuracy:g}: there is nothing to average"
        )
    if len(accepted) < len(results):
        warnings.warn(
            f"{len(results) - len(accepted)} of {len(results)} passes were rejected because their out-of-bag accuracy "
            f"is below min_accuracy={config.min_accuracy:g}; {len(accepted)} were averaged.",
            DeepMapperWarning,
            stacklevel=2,
        )
    probabilities = [predict(result, X, test) for result in accepted]
    evaluation = evaluate_ensemble(probabilities, codes[test], codes[development], classes, used.why)
    return replace(evaluation, rows=test.tolist())


def _named_classes(class_names: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Check the given class names."""
    if len(class_names) != n_classes:
        raise InputError(
            f"class_names has {len(class_names)} names, y has {n_classes} classes: expected one name per class"
        )
    classes = tuple(str(name) for name in class_names)
    if len(set(classes)) < len(classes):
        raise InputError(f"class_names={list(classes)}: expected unique names, one per class")
    return classes
