"""Is there a signal? Yes, no, or too few samples to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import accumulate
from ..features.label_permutations import count_permutations, distinct_rows
from ..features.samples import Samples
from ..passes.result import PassResult, mean_probability
from .evaluation import evaluate_out_of_bag
from .intervals import effective_share
from .ranking import Findings

LEVEL = 0.05  # how often a study of nothing may be called signal


@dataclass(frozen=True)
class SignalTest:
    """What can be said of signal, and how sure it is.

    Attributes
    ----------
    signal
        True, False, or None where it cannot be told.
    statement
        The same in a sentence or two.
    control_accuracies
        What control passes reached; of few samples a number for every labeling, the mean of the passes on it.
    p_value
        How often a study of nothing does as well. Of few samples: the share of labelings, the true one included, under
        which passes predict as well. None where no pass was accepted or no control trained on few samples.
    n_labelings
        Labelings on which controls were trained; None where samples are many.
    n_possible
        All the ways to deal the labels out; None where samples are many.
    """

    signal: bool | None
    statement: str
    control_accuracies: list[float]
    p_value: float | None = None
    n_labelings: int | None = None
    n_possible: int | None = None


def compare_with_controls(findings: Findings, controls: Sequence[PassResult]) -> SignalTest:
    """Hold the passes against control passes on permuted labels, and against the largest class.

    Judged is the median out-of-bag accuracy of all passes, rejected ones included: those that `min_accuracy` lets
    through are better than chance by being chosen. Signal needs it to lie above the largest class, above what the
    passes reach against shuffled labels, and higher than at most 5 % of control passes would come by chance: Student's
    t for one more observation beside the controls. Controls vary by their labels and by their split and weights, the
    median over many passes on one labeling by little more than the former, so the test is wrong less often than it
    says. Above all controls, but not by so much, it cannot be told.

    Fewer than two controls have no spread. Then the passes' own tests against shuffled labels decide, as twice the
    median of their p-values, which bounds that of all together (Rüger 1978; see arXiv:2404.03484). It takes samples
    for independent, which those of one donor are not.
    """
    accuracy, control = np.array(findings.accuracies), [result.accuracy for result in controls]
    if not findings.n_accepted:
        return SignalTest(False, _none_accepted(findings), control)
    reached = float(np.median(accuracy))
    majority, shuffled = float(np.mean(findings.majority_accuracies)), float(np.mean(findings.permuted_accuracies))
    p = _chance(reached, np.array(control), findings)
    judged = f"the median out-of-bag accuracy of {len(accuracy)} passes, {reached:.3f},"
    best = f", best of {len(control)} control passes {max(control):.3f}" if control else "; no control pass was trained"
    beside = f"(largest class {majority:.3f}, shuffled labels {shuffled:.3f}{best})"
    if reached <= max(majority, shuffled) or (p > LEVEL and control and reached <= max(control)):
        said = f"No signal: {judged} is not above what needs no signal {beside}. The ranking is not to be read."
        return SignalTest(False, said, control, p)
    if p <= LEVEL:
        return SignalTest(True, f"Signal: {judged} is above what needs no signal {beside}, p = {p:.2g}.", control, p)
    said = (
        f"It cannot be told whether there is signal: {judged} is above what needs no signal {beside}, but not by more "
        f"than chance may give (p = {p:.2f}); more control passes tell finer (passes: n_permuted). The ranking is a "
        f"lead, not a finding."
    )
    return SignalTest(None, said, control, p)


def _chance(reached: float, control: np.ndarray, findings: Findings) -> float:
    """How often a study of nothing comes this high."""
    if len(control) < 2:
        own = min(1.0, 2 * float(np.median(findings.permutation_p)))
        return 1.0 if len(control) and np.median(findings.accuracies) <= control[0] else own
    from scipy.special import stdtr

    spread = max(control.std(ddof=1), 1e-9) * np.sqrt(1 + 1 / len(control))
    return float(stdtr(len(control) - 1, (control.mean() - reached) / spread))


def permutation_test(
    findings: Findings,
    passes: Sequence[PassResult],
    controls: Sequence[PassResult],
    samples: Samples,
) -> SignalTest:
    """Hold the passes against passes on other labelings of the same samples, and the samples against chance.

    Signal needs both: on at most 5 % of the labelings, the true one among them, passes give as much probability to the
    right class (a permutation test; Phipson & Smyth 2010, doi 10.2202/1544-6115.1585), and Wilson's interval of the
    share of samples that were named right lies above what always naming the largest class reaches. Where the test
    cannot reach 5 %, however good the passes, or where it does and the interval does not, it cannot be told.

    Parameters
    ----------
    findings
        Of all passes.
    passes
        All of them, rejected ones included.
    controls
        What `controls.train_control` returned.
    samples
        Those that the passes were given.
    """
    y, groups = samples.labels, samples.group_codes
    done = [part for part in (result.control for result in controls) if part is not None and len(part.labels)]
    labels = np.concatenate([part.labels for part in done]) if done else np.empty((0, len(y)))
    first = distinct_rows(labels)
    reached = np.array([value for part in done for value in part.accuracy])[first]
    probability = np.array([value for part in done for value in part.probability])[first]
    possible, n = count_permutations(y, groups, samples.strata_codes), len(first)
    if not findings.n_accepted:
        return SignalTest(False, _none_accepted(findings), reached.tolist(), None, n, possible)
    as_good = int((probability >= np.mean([mean_probability(result, y) for result in passes])).sum())
    p = (1 + as_good) / (1 + n)
    judged = evaluate_out_of_bag(passes, y, findings.classes, groups)
    right = np.array(judged.y_true) == np.array(judged.y_pred)
    units = effective_share(right, None if judged.groups is None else np.array(judged.groups)) * len(right)
    low, high = accumulate.wilson_interval(judged.accuracy, units)
    said = (
        f"{right.sum()} of {len(right)} samples were named right by passes that had not trained on them "
        f"({low:.2f} to {high:.2f} with 95 % confidence; always naming the largest class reaches "
        f"{judged.majority_accuracy:.2f})"
    )
    signal, statement = _statement(
        said,
        f"on {as_good or 'none'} of {n} other labelings of the samples passes predict as well (p = {p:.3f})",
        p,
        n,
        possible,
        above=judged.accuracy > judged.majority_accuracy,
        clear=low > judged.majority_accuracy,
    )
    return SignalTest(signal, statement, reached.tolist(), p if n else None, n, possible)


def _statement(
    said: str, compared: str, p: float, n: int, possible: int, above: bool, clear: bool
) -> tuple[bool | None, str]:
    """Decide, given p of `n` labelings, and whether the accuracy or its interval is above the largest class."""
    least = 1 / possible
    if not above:
        return False, f"No signal: {said}. The ranking is not to be read."
    if n and p <= LEVEL and clear:
        ways = f"; there are {possible} labelings in all, so p cannot be below {least:.3f}" if n + 1 >= possible else ""
        return True, f"Signal: {said}, and {compared}{ways}."
    if 1 / (1 + n) <= LEVEL < p:
        return False, f"No signal: {said}, but {compared}. The ranking is not to be read."
    if not n:
        why = "but no control pass was trained on permuted labels (passes: n_permuted)"
    elif p <= LEVEL:
        why = f"and {compared}, but so few samples may come out like this by chance"
    elif least > LEVEL:
        why = f"and {compared}, but there are only {possible} labelings in all, so p cannot be below {least:.2f}"
    else:
        why = f"and {compared}, but {n} labelings can show no p below {1 / (1 + n):.2f}; raise n_permuted (passes)"
    return None, f"It cannot be told whether there is signal: {said}, {why}. The ranking is a lead, not a finding."


def _none_accepted(findings: Findings) -> str:
    return f"No pass of {findings.n_passes_run} was accepted; there is no ranking."
