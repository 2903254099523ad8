"""Is there a signal? Yes, no, or too few samples to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import accumulate
from ..features.label_permutations import count_permutations, distinct_permutations
from ..features.samples import Samples
from ..passes.result import PassResult, mean_probability
from .evaluation import evaluate_out_of_bag
from .intervals import effective_share
from .ranking import Findings

LEVEL = 0.05  # significance level: how often data without signal may be called signal

_NO_SIGNAL = "Do not interpret the ranking."

_UNCLEAR = "Treat the ranking as a lead, not as a finding."


@dataclass(frozen=True)
class SignalTest:
    """Whether there is signal, and how certain this is.

    Attributes
    ----------
    signal
        True, False, or None if it is unclear.
    statement
        The result in a sentence or two.
    control_accuracies
        Accuracies of the control passes; for few samples one number per permutation of the labels, the mean of the
        passes on it.
    p_value
        Probability that data without signal give such a result. For few samples: the share of permutations, the true
        labels included, on which passes predict as well. None if no pass was accepted, or if there are few samples and
        no controls.
    n_permutations
        Permutations of the labels on which controls were trained; None for many samples.
    n_possible
        All distinct permutations of the labels, the true labels included; None for many samples.
    """

    signal: bool | None
    statement: str
    control_accuracies: list[float]
    p_value: float | None = None
    n_permutations: int | None = None
    n_possible: int | None = None


def compare_with_controls(findings: Findings, controls: Sequence[PassResult]) -> SignalTest:
    """Compare the passes with control passes on permuted labels, and with the largest class.

    The test statistic is the median out-of-bag accuracy of all passes, including rejected ones: passes selected by
    `min_accuracy` would be better than chance through the selection. There is signal if it is above the largest class,
    above the accuracy against shuffled labels, and higher than control passes reach by chance with a probability of
    5 %, by Student's t for one further observation. Controls vary by their labels and by their split and weights; the
    median over many passes on the same labels varies by little more than the former, so the test is conservative. If
    the statistic is above all controls, but not by enough, the result is unclear.

    Fewer than two controls have no spread. In that case the passes' own tests against shuffled labels decide, combined
    as twice the median of their p-values, which is a valid p-value for all together (Rüger 1978; see arXiv:2404.03484).
    These tests treat samples as independent, which the samples of one donor are not.
    """
    accuracies, control = _known(findings.accuracies), _known([result.accuracy for result in controls]).tolist()
    if not findings.n_accepted:
        return SignalTest(False, _none_accepted(findings), control)
    reached = float(np.median(accuracies))
    majority = float(np.mean(_known(findings.majority_accuracies)))
    shuffled = float(np.mean(_known(findings.permuted_accuracies)))
    p = _p_value(reached, np.array(control), findings)
    median = f"the median out-of-bag accuracy of {len(accuracies)} passes, {reached:.3f},"
    best = f", best of {len(control)} control passes {max(control):.3f}" if control else "; no control pass was trained"
    references = f"(largest class {majority:.3f}, shuffled labels {shuffled:.3f}{best})"
    if reached <= max(majority, shuffled) or (p > LEVEL and control and reached <= max(control)):
        statement = f"No signal: {median} is no higher than without signal {references}. {_NO_SIGNAL}"
        return SignalTest(False, statement, control, p)
    if p <= LEVEL:
        statement = f"Signal: {median} is higher than without signal {references}, p = {p:.2g}."
        return SignalTest(True, statement, control, p)
    statement = (
        f"It is unclear whether there is signal: {median} is higher than without signal {references}, but this may be "
        f"due to chance (p = {p:.2f}). More control passes give a more sensitive test (passes: n_permuted). {_UNCLEAR}"
    )
    return SignalTest(None, statement, control, p)


def _p_value(reached: float, control: np.ndarray, findings: Findings) -> float:
    """Probability of such an accuracy, or a higher one, on data without signal."""
    if len(control) < 2:
        if len(control) and reached <= control[0]:
            return 1.0
        return min(1.0, 2 * float(np.median(_known(findings.permutation_p))))
    from scipy.special import stdtr

    spread = max(control.std(ddof=1), 1e-9) * np.sqrt(1 + 1 / len(control))
    return float(stdtr(len(control) - 1, (control.mean() - reached) / spread))


def permutation_test(
    findings: Findings,
    passes: Sequence[PassResult],
    controls: Sequence[PassResult],
    samples: Samples,
) -> SignalTest:
    """Compare the passes with passes on permuted labels of the same few samples, and their accuracy with chance.

    There is signal if two conditions hold. On at most 5 % of the permutations, the true labels included, passes give as
    much probability to the right class (a permutation test; Phipson & Smyth 2010, doi 10.2202/1544-6115.1585). And
    Wilson's interval of the accuracy lies above the accuracy of always predicting the largest class. If the test cannot
    reach 5 % however good the passes are, or if only the second condition fails, the result is unclear.

    Parameters
    ----------
    findings
        Findings from all passes.
    passes
        All passes, including rejected ones.
    controls
        Results of `controls.train_control`.
    samples
        Samples that the passes were given.
    """
    y, groups = samples.labels, samples.group_codes
    parts = [part for part in (result.control for result in controls) if part is not None and len(part.labels)]
    labels = np.concatenate([part.labels for part in parts]) if parts else np.empty((0, len(y)))
    first = distinct_permutations(labels)
    control_accuracy = np.array([value for part in parts for value in part.accuracy])[first]
    probability = np.array([value for part in parts for value in part.probability])[first]
    n_possible, n = count_permutations(y, groups, samples.strata_codes), len(first)
    if not findings.n_accepted:
        return SignalTest(False, _none_accepted(findings), control_accuracy.tolist(), None, n, n_possible)
    n_as_good = int((probability >= np.mean([mean_probability(result, y, samples.kinds) for result in passes])).sum())
    p = (1 + n_as_good) / (1 + n)
    evaluated = evaluate_out_of_bag(passes, y, findings.classes, groups, kinds=samples.kinds)
    right = np.array(evaluated.y_true) == np.array(evaluated.y_pred)
    n_effective = effective_share(right, None if evaluated.groups is None else np.array(evaluated.groups)) * len(right)
    low, high = accumulate.wilson_interval(evaluated.accuracy, n_effective)
    accuracy = (
        f"{right.sum()} of {len(right)} samples were classified correctly by passes that had not trained on them "
        f"(95 % interval {low:.2f} to {high:.2f}; always predicting their largest class "
        f"reaches {evaluated.majority_accuracy:.2f})"
    )
    comparison = (
        f"on {n_as_good or 'none'} of {n} other permutations of the labels passes predict as well (p = {p:.3f})"
    )
    signal, statement = _conclude(
        accuracy,
        comparison,
        p,
        n,
        n_possible,
        above=evaluated.accuracy > evaluated.majority_accuracy,
        clearly_above=low > evaluated.majority_accuracy,
    )
    return SignalTest(signal, statement, control_accuracy.tolist(), p if n else None, n, n_possible)


def _conclude(
    accuracy: str, comparison: str, p: float, n: int, n_possible: int, above: bool, clearly_above: bool
) -> tuple[bool | None, str]:
    """Decide from p of `n` permutations, and from whether the accuracy or its interval is above the largest class."""
    min_p = 1 / n_possible
    if not above:
        return False, f"No signal: {accuracy}. {_NO_SIGNAL}"
    if n and p <= LEVEL and clearly_above:
        limit = ""
        if n + 1 >= n_possible:
            limit = f"; there are only {n_possible} permutations in all, so p cannot be below {min_p:.3f}"
        return True, f"Signal: {accuracy}, and {comparison}{limit}."
    if 1 / (1 + n) <= LEVEL < p:
        return False, f"No signal: {accuracy}, but {comparison}. {_NO_SIGNAL}"
    if not n:
        reason = "but no control pass was trained on permuted labels (passes: n_permuted)"
    elif p <= LEVEL:
        reason = f"and {comparison}, but with so few samples this accuracy may be due to chance"
    elif min_p > LEVEL:
        obstacle = f"there are only {n_possible} permutations in all, so p cannot be below {min_p:.2f}"
        reason = f"and {comparison}, but {obstacle}"
    else:
        obstacle = f"with {n} permutations p cannot be below {1 / (1 + n):.2f}; raise n_permuted (passes)"
        reason = f"and {comparison}, but {obstacle}"
    return None, f"It is unclear whether there is signal: {accuracy}, {reason}. {_UNCLEAR}"


def _known(values: Sequence[float]) -> np.ndarray:
    """Those that are not NaN, as those of passes that cannot be judged are."""
    found = np.array(values, dtype=np.float64)
    return found[~np.isnan(found)]


def _none_accepted(findings: Findings) -> str:
    return f"No pass of {findings.n_passes_run} was accepted; there is no ranking."
