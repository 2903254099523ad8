"""Accuracy of averaged predictions, on the test split or out of bag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..passes.result import PassFile, PassResult


@dataclass
class EvalResult:
    """The ensemble's predictions on the judged samples, and how good they are.

    Judged are those of a fixed test split by all accepted passes, or, where none was set aside, all samples, each by
    the passes that had it out of bag.

    Attributes
    ----------
    y_true, y_pred
        Class codes of the judged samples.
    y_proba
        Probabilities, the softmax averaged over passes: a list of C numbers for every judged sample.
    classes
        Names of the classes.
    accuracy, balanced_accuracy, macro_f1
        Of `y_pred`; balanced is the mean recall of the classes.
    majority_accuracy
        What always naming the largest class reaches: of the development part, or of the samples judged out of bag.
    per_pass_acc
        Accuracy of each averaged pass alone: on the test split, or on what it had out of bag.
    report
        scikit-learn's classification report as a dictionary.
    n_passes
        Passes averaged.
    scheme, why
        "fixed" (a test split) or "repeated" (out of bag), and the reason in a sentence; see `splits.Scheme`.
    rows
        Positions of the judged samples.
    not_judged
        Positions of samples that no pass had out of bag; empty with a fixed test split.
    groups
        Group codes of the judged samples, where groups were kept together.
    """

    y_true: list[int]
    y_pred: list[int]
    y_proba: list[list[float]]
    classes: list[str]
    accuracy: float
    macro_f1: float
    per_pass_acc: list[float] = field(default_factory=list)
    report: dict = field(default_factory=dict)
    n_passes: int = 0
    balanced_accuracy: float = float("nan")
    majority_accuracy: float = float("nan")
    scheme: str = "fixed"
    why: str = ""
    rows: list[int] = field(default_factory=list)
    not_judged: list[int] = field(default_factory=list)
    groups: list[int] | None = None


def out_of_bag_probability(results: Sequence[PassResult | PassFile], n_samples: int, n_classes: int) -> np.ndarray:
    """Average, for every sample, what the passes say that had it out of bag: (n, C), NaN where none had."""
    total, times = np.zeros((n_samples, n_classes)), np.zeros(n_samples)
    for result in results:
        total[result.out_of_bag_rows] += result.out_of_bag_probability
        times[result.out_of_bag_rows] += 1
    return np.divide(total, times[:, None], out=np.full_like(total, np.nan), where=times[:, None] > 0)


def evaluate_out_of_bag(
    results: Sequence[PassResult | PassFile],
    y: np.ndarray,
    classes: Sequence[str],
    groups: np.ndarray | None = None,
    why: str = "",
) -> EvalResult:
    """Judge every sample once, by the average of the passes that did not train on it.

    Parameters
    ----------
    results
        All passes, not only accepted ones.
    y
        (n,) class codes of the samples that the passes were given.
    classes
        Names of the classes.
    groups
        (n,) group codes, where groups were kept together.
    why
        Why there is no test split, in a sentence.
    """
    judged = evaluate_average(out_of_bag_probability(results, len(y), len(classes)), y, classes, groups, why)
    return replace(judged, per_pass_acc=[result.accuracy for result in results], n_passes=len(results))


def evaluate_average(
    probability: np.ndarray,
    y: np.ndarray,
    classes: Sequence[str],
    groups: np.ndarray | None = None,
    why: str = "",
) -> EvalResult:
    """Judge (n, C) out-of-bag averages, NaN for samples to leave out; the rest as in `judge_out_of_bag`."""
    judged = ~np.isnan(probability[:, 0])
    found = evaluate_ensemble([probability[judged]] if judged.any() else [], y[judged], y, classes, why)
    return replace(
        found,
        majority_accuracy=float(np.bincount(y[judged]).max() / judged.sum()) if judged.any() else float("nan"),
        scheme="repeated",
        rows=np.flatnonzero(judged).tolist(),
        not_judged=np.flatnonzero(~judged).tolist(),
        groups=None if groups is None else groups[judged].tolist(),
    )


def not_evaluated_note(missed: Sequence, n_passes: int) -> str:
    """Say which samples no pass had out of bag."""
    listed = ", ".join(map(str, missed[:10])) + (", ..." if len(missed) > 10 else "")
    return (
        f"{len(missed)} sample(s) were out of bag in none of {n_passes} passes and are not judged: {listed}. "
        f"More passes would judge them."
    )


def evaluate_ensemble(
    probabilities: Iterable[np.ndarray],
    truth: np.ndarray,
    development: np.ndarray,
    classes: Sequence[str],
    why: str = "",
) -> EvalResult:
    """Average the passes' probabilities and compare with the truth; without passes there are no predictions.

    Parameters
    ----------
    probabilities
        One (n, C) array a pass; read once, one by one.
    truth
        (n,) class codes of the held-out samples.
    development
        Class codes of all other samples; gives the majority class.
    classes
        Names of the classes.
    why
        Why these samples are judged, in a sentence.
    """
    from sklearn.metrics import balanced_accuracy_score, classification_report, f1_score

    majority = float((truth == np.bincount(development).argmax()).mean())
    total, alone = np.zeros((len(truth), len(classes))), []
    for probability in probabilities:
        total += probability
        alone.append(float((probability.argmax(1) == truth).mean()))
    if not alone:
        return EvalResult(
            y_true=truth.tolist(),
            y_pred=[],
            y_proba=[],
            classes=list(classes),
            accuracy=float("nan"),
            macro_f1=float("nan"),
            majority_accuracy=majority,
            why=why,
        )
    mean = total / len(alone)
    predicted = mean.argmax(1)
    labels = np.arange(len(classes))
    return EvalResult(
        y_true=truth.tolist(),
        y_pred=predicted.tolist(),
        y_proba=mean.tolist(),
        classes=list(classes),
        accuracy=float((predicted == truth).mean()),
        macro_f1=float(f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)),
        per_pass_acc=alone,
        report=classification_report(
            truth, predicted, labels=labels, target_names=list(classes), output_dict=True, zero_division=0
        ),
        n_passes=len(alone),
        balanced_accuracy=float(balanced_accuracy_score(truth, predicted)),
        majority_accuracy=majority,
        why=why,
    )
