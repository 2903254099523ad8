"""The final evaluation: the passes' predictions, averaged, on samples that those passes have not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from . import accumulate
from .config import DeepMapperConfig
from .draws import Draw, stream
from .errors import DeepMapperWarning, InputError
from .pass_result import PassFile, PassResult
from .passes import image_maker, restore_model, softmax, train_pass
from .samples_view import Samples
from .splits import set_test_aside

if TYPE_CHECKING:
    import torch

_AT_ONCE = 2**29  # numbers of embeddings held together, 2 GB; more are computed twice, in blocks of samples


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
    tell: Callable[[str], None] = lambda line: None,
) -> EvalResult:
    """Train passes and judge their average on samples that they have not seen.

    With a fixed test split, passes train on the rest, and the accepted ones are averaged. Where samples are too few to
    set any aside, passes draw from all of them, and every sample is judged by the average of the passes that did not
    train on it; of all passes, since to drop those that were wrong out of bag would flatter the rest.

    Parameters
    ----------
    X, y, config, groups, tell
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
    from .runner import as_groups, as_labels, as_matrix, inert_notes

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
        results.append(train_pass(samples, config, config.seed + len(results), tell=tell))
        members = accumulate.accepted_passes(results, config.min_accuracy)
    if repeated:
        judged = judge_out_of_bag(results, codes, classes, group_codes, chosen.why)
        if judged.not_judged:
            warnings.warn(not_judged_note(judged.not_judged, len(results)), DeepMapperWarning, stacklevel=2)
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
        judge_ensemble(probabilities, codes[test], codes[development], classes, chosen.why), rows=test.tolist()
    )


def _named_classes(class_names: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Names that were given for the classes, checked."""
    if len(class_names) != n_classes:
        raise InputError(f"class_names holds {len(class_names)} names, y holds {n_classes} classes: expected as many")
    classes = tuple(str(name) for name in class_names)
    if len(set(classes)) < len(classes):
        raise InputError(f"class_names={list(classes)}: expected all different, or the report would lose a class")
    return classes


def out_of_bag_probability(results: Sequence[PassResult | PassFile], n_samples: int, n_classes: int) -> np.ndarray:
    """Average, for every sample, what the passes say that had it out of bag: (n, C), NaN where none had."""
    total, times = np.zeros((n_samples, n_classes)), np.zeros(n_samples)
    for result in results:
        total[result.out_of_bag_rows] += result.out_of_bag_probability
        times[result.out_of_bag_rows] += 1
    return np.divide(total, times[:, None], out=np.full_like(total, np.nan), where=times[:, None] > 0)


def judge_out_of_bag(
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
    judged = judge_average(out_of_bag_probability(results, len(y), len(classes)), y, classes, groups, why)
    return replace(judged, per_pass_acc=[result.accuracy for result in results], n_passes=len(results))


def judge_average(
    probability: np.ndarray,
    y: np.ndarray,
    classes: Sequence[str],
    groups: np.ndarray | None = None,
    why: str = "",
) -> EvalResult:
    """Judge (n, C) out-of-bag averages, NaN for samples to leave out; the rest as in `judge_out_of_bag`."""
    judged = ~np.isnan(probability[:, 0])
    found = judge_ensemble([probability[judged]] if judged.any() else [], y[judged], y, classes, why)
    return replace(
        found,
        majority_accuracy=float(np.bincount(y[judged]).max() / judged.sum()) if judged.any() else float("nan"),
        scheme="repeated",
        rows=np.flatnonzero(judged).tolist(),
        not_judged=np.flatnonzero(~judged).tolist(),
        groups=None if groups is None else groups[judged].tolist(),
    )


def not_judged_note(missed: Sequence, n_passes: int) -> str:
    """Say which samples no pass had out of bag."""
    listed = ", ".join(map(str, missed[:10])) + (", ..." if len(missed) > 10 else "")
    return (
        f"{len(missed)} sample(s) were out of bag in none of {n_passes} passes and are not judged: {listed}. "
        f"More passes would judge them."
    )


def predict(result: PassResult | PassFile, X, rows: np.ndarray, device: torch.device | str | None = None) -> np.ndarray:
    """Probabilities that a trained pass gives to `rows` of `X`: (n, C) float64; `device` as in `passes.train_pass`."""
    from . import inference
    from .runtime import as_device

    device = as_device(device)
    images = image_maker(X, result.config, result.seed, device)
    return softmax(inference.predict(restore_model(result, X.shape[1], device), images, rows))


def embed(result: PassResult | PassFile, X, rows: np.ndarray, device: torch.device | str | None = None) -> np.ndarray:
    """What the last layer of a trained pass reads of `rows` of `X`: (n, d) float32; `device` as in `predict`."""
    from . import inference
    from .runtime import as_device

    device = as_device(device)
    images = image_maker(X, result.config, result.seed, device)
    return inference.embed(restore_model(result, X.shape[1], device), images, rows)


def embed_ensemble(
    results: Sequence[PassResult | PassFile],
    X,
    rows: np.ndarray,
    n_components: int = 32,
    device: torch.device | str | None = None,
) -> np.ndarray:
    """One embedding from all passes: the principal axes of their averaged kernel.

    Every pass's embedding is centred and scaled to unit total variance, so that each counts the same; the principal
    components of all of them side by side are those of the average of their linear kernels. Where they would take more
    than 2 GB, their covariance is added up over blocks of samples, which are then embedded once more to be projected.
    `device` is as in `passes.train_pass`.

    Returns
    -------
    numpy.ndarray
        (n, at most `n_components`) float32, columns by falling variance, signs fixed.
    """
    from sklearn.decomposition import PCA

    if not results:
        return np.zeros((len(rows), 0), dtype=np.float32)
    width = len(results) * embed(results[0], X, rows[:1], device).shape[1]  # passes of one model are of one shape
    if len(rows) * width > _AT_ONCE:
        return _embed_in_blocks(results, X, rows, n_components, max(1, _AT_ONCE // 8 // width), device)
    parts = []
    for result in results:
        part = embed(result, X, rows, device).astype(np.float64)
        part -= part.mean(0)
        spread = np.sqrt((part**2).sum() / len(rows))
        parts.append((part / spread if spread > 0 else part).astype(np.float32))
    stacked = np.concatenate(parts, axis=1)
    n_components = min(n_components, *stacked.shape)
    return PCA(
        n_components, svd_solver="covariance_eigh" if stacked.shape[1] <= 4096 else "randomized", random_state=0
    ).fit_transform(stacked)


def _embed_in_blocks(results, X, rows: np.ndarray, n_components: int, size: int, device=None) -> np.ndarray:
    """As `embed_ensemble`, `size` samples at a time, twice."""
    # no `Moments`: the sums are of products of all columns with one another
    from scipy.linalg import eigh

    def stacked(start: int) -> list[np.ndarray]:
        return [embed(result, X, rows[start : start + size], device).astype(np.float64) for result in results]

    total, products = np.zeros(()), np.zeros(())
    for start in range(0, len(rows), size):
        parts = stacked(start)
        values = np.hstack(parts)
        total, products = total + values.sum(0), products + values.T @ values
    mean = total / len(rows)
    covariance = products / len(rows) - np.outer(mean, mean)
    variance = np.diagonal(covariance).clip(0)
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    spread = [np.sqrt(variance[a:b].sum()) or 1.0 for a, b in zip(ends, ends[1:], strict=False)]
    scale = np.repeat(spread, np.diff(ends))
    covariance /= np.outer(scale, scale)
    n_components, d = min(n_components, len(rows), len(scale)), len(scale)
    axes = eigh(covariance, subset_by_index=[d - n_components, d - 1])[1][:, ::-1]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(n_components)])  # as scikit-learn turns them
    found = np.empty((len(rows), n_components), dtype=np.float32)
    for start in range(0, len(rows), size):
        found[start : start + size] = (np.hstack(stacked(start)) - mean) / scale @ axes
    return found


def map_embedding(embedding: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """Two dimensions to look at: UMAP (McInnes et al. 2018, arXiv:1802.03426), or the first two axes of few samples.

    Returns
    -------
    tuple
        (n, 2) float32 and what the axes are, "UMAP" or "PCA" (fewer than 10 samples or 3 columns; absent axes are 0).
    """
    n, d = embedding.shape
    if n < 10 or d < 3:
        return np.pad(embedding[:, :2], ((0, 0), (0, max(0, 2 - d)))).astype(np.float32), "PCA"
    import umap

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # one job is what a seed asks for
        return umap.UMAP(n_neighbors=min(15, n - 1), random_state=seed).fit_transform(embedding).astype(
            np.float32
        ), "UMAP"


def judge_ensemble(
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


def bootstrap_intervals(
    truth: np.ndarray, probability: np.ndarray, n_resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, tuple]:
    """Percentile intervals of the metrics over resampled test samples.

    Resamples are drawn within each class, so that none loses a class.

    Returns
    -------
    dict
        (low, high) of "accuracy", "balanced_accuracy" and "macro_f1".
    """
    n_classes = probability.shape[1]
    predicted = probability.argmax(1)
    rng = stream(seed, Draw.METRIC_RESAMPLES)
    counts = np.zeros((n_resamples, n_classes, n_classes))
    for code in np.unique(truth):
        row = np.bincount(predicted[truth == code], minlength=n_classes)
        counts[:, code] = rng.multinomial(row.sum(), row / row.sum(), size=n_resamples)
    found, present = per_class_scores(counts), counts[0].sum(1) > 0
    correct = np.trace(counts, axis1=1, axis2=2)
    values = {
        "accuracy": correct / len(truth),
        "balanced_accuracy": found["recall"][:, present].mean(1),
        "macro_f1": found["f1"].mean(1),
    }
    tail = (1 - confidence) / 2
    return {name: tuple(np.quantile(value, [tail, 1 - tail])) for name, value in values.items()}


def wilson_intervals(
    truth: np.ndarray, probability: np.ndarray, groups: np.ndarray | None = None, confidence: float = 0.95
) -> dict[str, tuple]:
    """Intervals of the metrics that keep a width where all samples are right, as a bootstrap does not.

    Accuracy is a share: Wilson's interval. Balanced accuracy is the mean of the recalls, which are independent: their
    limits' distances are added as squares (Zou & Donner 2008, doi 10.1002/sim.3095). Macro F1 is the mean of F1s that
    rise and fall together: the mean of their limits. Groups count as `effective_share` says.

    Returns
    -------
    dict
        (low, high) of "accuracy", "balanced_accuracy" and "macro_f1".
    """
    predicted, n_classes = probability.argmax(1), probability.shape[1]
    share = effective_share(predicted == truth, groups)
    confusion = np.zeros((n_classes, n_classes))
    np.add.at(confusion, (truth, predicted), 1)
    scores, limits = per_class_scores(confusion), per_class_intervals(confusion, confidence, share)
    present = confusion.sum(1) > 0
    recall, (low, high) = scores["recall"][present], (limit[present] for limit in limits["recall"])
    balanced = recall.mean()
    below, above = (np.sqrt(((recall - limit) ** 2).sum()) / len(recall) for limit in (low, high))
    return {
        "accuracy": accumulate.wilson_interval(float((predicted == truth).mean()), share * len(truth), confidence),
        "balanced_accuracy": (max(0.0, balanced - below), min(1.0, balanced + above)),
        "macro_f1": tuple(limit.mean() for limit in limits["f1"]),
    }


def effective_share(hit: np.ndarray, groups: np.ndarray | None) -> float:
    """How many independent samples each sample counts for, given which were right; 1 without groups.

    The samples of a group are right or wrong together more often than those of different groups. The variance of the
    accuracy between groups says how many independent samples would vary as much; at least as many as there are groups,
    and no more than there are samples. Where all are right or all wrong nothing is known: groups are counted.
    """
    if groups is None:
        return 1.0
    _, member = np.unique(groups, return_inverse=True)
    n, sizes = len(hit), np.bincount(member)
    accuracy, n_groups = hit.mean(), len(sizes)
    residual = np.bincount(member, weights=hit) - accuracy * sizes
    variance = n_groups / max(n_groups - 1, 1) * (residual**2).sum() / n**2
    if accuracy in (0, 1):
        return n_groups / n
    return float(np.clip(accuracy * (1 - accuracy) / variance if variance > 0 else n, n_groups, n) / n)


def per_class_intervals(
    confusion: np.ndarray, confidence: float = 0.95, share: float = 1.0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Wilson intervals of the precision, recall and F1 of every class, from (C, C) counts, true classes in rows.

    `share`: how many independent samples each sample counts for (`effective_share`).

    Unlike a bootstrap they keep a width where a score is 0 or 1. Precision and recall are shares; F1 is 2 J / (1 + J)
    of the share J of those named or there that are both. A class without samples to count has the interval (0, 1).
    """
    hit, named, there = np.diagonal(confusion), confusion.sum(0), confusion.sum(1)

    def wilson(out_of):
        shares = np.divide(hit, out_of, out=np.zeros(len(hit)), where=out_of > 0)
        pairs = zip(shares.tolist(), (share * out_of).tolist(), strict=True)
        return tuple(np.array([accumulate.wilson_interval(share, n, confidence) for share, n in pairs]).T)

    low, high = wilson(named + there - hit)
    return {"precision": wilson(named), "recall": wilson(there), "f1": (2 * low / (1 + low), 2 * high / (1 + high))}


def per_class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of every class from (..., C, C) counts, true classes in rows; 0 where undefined."""
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    named, there = confusion.sum(-2), confusion.sum(-1)

    def ratio(top, bottom):
        return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom > 0)

    return {"precision": ratio(hit, named), "recall": ratio(hit, there), "f1": ratio(2 * hit, named + there)}


def calibration_table(truth: np.ndarray, probability: np.ndarray, bins: int = 10) -> tuple[list[dict], float]:
    """Confidence against accuracy in equal-width bins, and the expected calibration error (Guo et al. 2017).

    Returns
    -------
    tuple
        One row a bin (confidence_low, confidence_high, n, mean_confidence, accuracy; NaN where empty), and the error.
    """
    confidence, hit = probability.max(1), probability.argmax(1) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for number in range(bins):
        members = bin_of == number
        n = int(members.sum())
        mean_confidence = float(confidence[members].mean()) if n else float("nan")
        accuracy = float(hit[members].mean()) if n else float("nan")
        rows.append(
            {
                "bin": number + 1,
                "confidence_low": number / bins,
                "confidence_high": (number + 1) / bins,
                "n": n,
                "mean_confidence": mean_confidence,
                "accuracy": accuracy,
            }
        )
        error += n / len(truth) * abs(mean_confidence - accuracy) if n else 0.0
    return rows, error
