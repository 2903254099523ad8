"""Accuracy of averaged predictions, on the test split or out of bag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError
from ..features.kinds import has_lowest_label, left_out_note, to_lowest
from ..passes.result import PassFile, PassResult


@dataclass
class EvalResult:
    """The ensemble's predictions on the evaluated samples, and how good they are.

    With a fixed test split, its samples are evaluated with all accepted passes. Without one, every sample is evaluated
    with the passes that had it out of bag.

    Attributes
    ----------
    y_true, y_pred
        Class codes of the evaluated samples.
    y_proba
        Probabilities, the softmax averaged over passes: a list of C numbers for every evaluated sample.
    classes
        Names of the classes.
    accuracy, balanced_accuracy, macro_f1
        Of `y_pred`; balanced is the mean recall of the classes.
    majority_accuracy
        Accuracy of always predicting the largest class: of the development part, or of the samples evaluated out of
        bag.
    per_pass_acc
        Accuracy of each pass alone: on the test split, or on its out-of-bag samples.
    report
        Classification report of scikit-learn as a dictionary.
    n_passes
        Passes averaged.
    scheme, why
        "fixed" (a test split) or "repeated" (out of bag), and the reason in a sentence; see `splits.Scheme`.
    rows
        Indices of the evaluated samples.
    not_judged
        Indices of the samples that no pass had out of bag; empty with a fixed test split.
    groups
        Group codes of the evaluated samples, if groups were kept together.
    upper
        Indices of the samples left out because other classes are kinds of theirs; `classes` are then those without
        kinds. None if no class is a kind of another.
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
    upper: list[int] | None = None


def out_of_bag_probability(results: Sequence[PassResult | PassFile], n_samples: int, n_classes: int) -> np.ndarray:
    """Average for every sample the predictions of the passes that had it out of bag: (n, C), NaN if none had."""
    total, count = np.zeros((n_samples, n_classes)), np.zeros(n_samples)
    for result in results:
        total[result.out_of_bag_rows] += result.out_of_bag_probability
        count[result.out_of_bag_rows] += 1
    return np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)


def evaluate_out_of_bag(
    results: Sequence[PassResult | PassFile],
    y: np.ndarray,
    classes: Sequence[str],
    groups: np.ndarray | None = None,
    why: str = "",
    kinds: np.ndarray | None = None,
) -> EvalResult:
    """Evaluate the average prediction of every sample by the passes that did not train on it.

    Parameters
    ----------
    results
        All passes, not only accepted ones.
    y
        (n,) class codes of the samples that the passes were given.
    classes
        Names of the classes.
    groups
        (n,) group codes, if groups were kept together.
    why
        Reason why there is no test split, in a sentence.
    kinds
        (C, C) which classes are kinds of others (`features.samples.Samples.kinds`); see `evaluate_ensemble`.
    """
    average = out_of_bag_probability(results, len(y), len(classes))
    evaluated = evaluate_average(average, y, classes, groups, why, kinds)
    return replace(evaluated, per_pass_acc=[result.accuracy for result in results], n_passes=len(results))


def evaluate_average(
    probability: np.ndarray,
    y: np.ndarray,
    classes: Sequence[str],
    groups: np.ndarray | None = None,
    why: str = "",
    kinds: np.ndarray | None = None,
) -> EvalResult:
    """Evaluate averaged out-of-bag predictions, (n, C); samples with NaN are left out.

    The other parameters are those of `evaluate_out_of_bag`.
    """
    if kinds is not None:
        lowest = _on_lowest(y, classes, kinds)
        own = lowest.rows
        evaluated = evaluate_average(
            lowest.of(probability), lowest.codes, lowest.classes, None if groups is None else groups[own], why
        )
        rows, missed = (
            own[np.array(found, dtype=np.int64)].tolist() for found in (evaluated.rows, evaluated.not_judged)
        )
        return replace(evaluated, rows=rows, not_judged=missed, upper=lowest.upper)
    known = ~np.isnan(probability[:, 0])
    evaluated = evaluate_ensemble([probability[known]] if known.any() else [], y[known], y, classes, why)
    return replace(
        evaluated,
        majority_accuracy=float(np.bincount(y[known]).max() / known.sum()) if known.any() else float("nan"),
        scheme="repeated",
        rows=np.flatnonzero(known).tolist(),
        not_judged=np.flatnonzero(~known).tolist(),
        groups=None if groups is None else groups[known].tolist(),
    )


def not_evaluated_note(missed: Sequence, n_passes: int) -> str:
    """State which samples no pass had out of bag."""
    listed = ", ".join(map(str, missed[:10])) + (", ..." if len(missed) > 10 else "")
    return (
        f"{len(missed)} sample(s) were not out of bag in any of {n_passes} passes and are not evaluated: {listed}. "
        f"Run more passes to evaluate them."
    )


def left_out_lines(result: EvalResult) -> list[str]:
    """State how many samples are left out because their label is above others; nothing if none can be."""
    if result.upper is None:
        return []
    return [left_out_note(len(result.upper), len(result.upper) + len(result.y_true) + len(result.not_judged))]


def evaluate_ensemble(
    probabilities: Iterable[np.ndarray],
    truth: np.ndarray,
    development: np.ndarray,
    classes: Sequence[str],
    why: str = "",
    kinds: np.ndarray | None = None,
) -> EvalResult:
    """Average the predictions of passes and compare them with the true classes; no passes give no predictions.

    Parameters
    ----------
    probabilities
        One (n, C) array per pass; read once, one at a time.
    truth
        (n,) class codes of the held-out samples.
    development
        Class codes of all other samples, which define the largest class.
    classes
        Names of the classes.
    why
        Reason why these samples are evaluated, in a sentence.
    kinds
        (C, C) which classes are kinds of others (`features.samples.Samples.kinds`). Samples with such an upper label
        are left out, whatever model predicts them, and the probability of an upper label goes to its kinds.

    Raises
    ------
    InputError
        If all samples have an upper label.
    """
    if kinds is not None:
        lowest, others = _on_lowest(truth, classes, kinds), _on_lowest(development, classes, kinds)
        of_lowest = (lowest.of(probability) for probability in probabilities)
        return replace(
            evaluate_ensemble(of_lowest, lowest.codes, others.codes, lowest.classes, why), upper=lowest.upper
        )
    from sklearn.metrics import balanced_accuracy_score, classification_report, f1_score

    majority = float((truth == np.bincount(development).argmax()).mean())
    total, accuracies = np.zeros((len(truth), len(classes))), []
    for probability in probabilities:
        total += probability
        accuracies.append(float((probability.argmax(1) == truth).mean()))
    if not accuracies:
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
    mean = total / len(accuracies)
    predicted = mean.argmax(1)
    labels = np.arange(len(classes))
    return EvalResult(
        y_true=truth.tolist(),
        y_pred=predicted.tolist(),
        y_proba=mean.tolist(),
        classes=list(classes),
        accuracy=float((predicted == truth).mean()),
        macro_f1=float(f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)),
        per_pass_acc=accuracies,
        report=classification_report(
            truth, predicted, labels=labels, target_names=list(classes), output_dict=True, zero_division=0
        ),
        n_passes=len(accuracies),
        balanced_accuracy=float(balanced_accuracy_score(truth, predicted)),
        majority_accuracy=majority,
        why=why,
    )


@dataclass(frozen=True, eq=False)
class _OnLowest:
    """Samples with a lowest label, with class codes among the lowest labels alone.

    Attributes
    ----------
    rows, upper
        Indices of these samples, and of those with a label above others.
    codes, classes
        Class codes of these samples, and the names of the classes.
    kinds
        As for all samples.
    """

    rows: np.ndarray
    upper: list[int]
    codes: np.ndarray
    classes: tuple[str, ...]
    kinds: np.ndarray

    def of(self, probability: np.ndarray) -> np.ndarray:
        """Probabilities of the lowest labels for these samples, from those of all."""
        return to_lowest(probability[self.rows], self.kinds)[:, self.kinds.diagonal()]


def _on_lowest(y: np.ndarray, classes: Sequence[str], kinds: np.ndarray) -> _OnLowest:
    """Select the samples that can be judged if some classes are kinds of others."""
    judged, lowest = has_lowest_label(y, kinds), kinds.diagonal()
    if not judged.any():
        raise InputError(
            f"labels.ontology: all {len(y)} samples to evaluate, or to compare with, have a label of which others are "
            f"kinds, so no prediction of them is right or wrong. Use another split.seed, give some of them a label "
            f"without kinds, or leave the ontology out."
        )
    code = np.cumsum(lowest) - 1
    names = tuple(name for name, has_none in zip(classes, lowest, strict=True) if has_none)
    return _OnLowest(np.flatnonzero(judged), np.flatnonzero(~judged).tolist(), code[y[judged]], names, kinds)
