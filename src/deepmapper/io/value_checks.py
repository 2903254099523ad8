"""What values probably are, if they are not the counts of whole samples that a normalisation expects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.words import count, listed, percent, some, yaml_text
from ..errors import InputError
from .matrix_stats import LARGEST_LOG, MatrixStats

# What all samples sum to if they were scaled to it.
_SCALES = {1.0: "shares", 100.0: "percentages", 1e4: "counts per 10,000", 1e6: "CPM or TPM"}

# All chosen by hand: relative tolerance of these sums; ratio of a total to the median from which on it is named, and
# among few samples, which are hardly cells: a failed library makes a class of three look different by its depth; share
# of values with fractions from which on a sample is not one of counts; and share of all counts that no feature, and no
# kind of technical features, should hold.
_TOLERANCE, _FAR, _FAR_OF_FEW, _FEW, _FRACTIONAL, _MOST = 2e-3, 1000, 20, 50, 0.1, 0.5

# Samples with fewer values than this, and than half of all features, may be equal by chance.
_MIN_VALUES = 10

# Logarithms rounded to whole numbers are looked for in matrices with at least this many features.
_MANY_FEATURES = 500

_PRECISE = 2**24  # float32 holds all whole numbers up to this one

_TECHNICAL = {
    "ERCC spike-ins": ("ERCC-", "ERCC_"),
    "mitochondrial genes": ("MT-", "MT_"),
    "ribosomal proteins": ("RPL", "RPS"),
}


def advice(layers_of_counts: Sequence[str] = ()) -> str:
    """Advise on values that are not counts, given the other matrices of the file that hold counts."""
    if layers_of_counts:
        return (
            f"The file holds counts in {listed([repr(name) for name in layers_of_counts])}: set "
            f"`matrix: {{layer: {yaml_text(layers_of_counts[0])}}}`. To use the values as they are, set "
            f"`features: {{normalization: none}}`."
        )
    return (
        "Set normalization to none (`features: {normalization: none}`) if they are already normalised, or read another "
        "layer that holds counts (`matrix: {layer: NAME}`)."
    )


def common_total(stats: MatrixStats) -> float | None:
    """Return the number to which all samples with fractions were scaled: 1, 100, 10,000 or a million; None if none."""
    totals = stats.totals[stats.totals > 0]
    if not len(totals) or not stats.faults.get("not integer") or "negative" in stats.faults:
        return None
    return next((scale for scale in _SCALES if np.abs(totals / scale - 1).max() < _TOLERANCE), None)


def check_scale(stats: MatrixStats, method: str) -> None:
    """Refuse values that would not be what they are after scaling every sample to the same total.

    Raises
    ------
    InputError
        If they are shares or percentages and are scaled to the median total (the logarithm of 1 + a share is about the
        share), or those of a single feature.
    """
    total = common_total(stats)
    if method == "log1p_median" and total in (1.0, 100.0):
        raise InputError(
            f"The matrix: the values of every sample sum to {total:g}, so they are {_SCALES[total]}; log1p_median "
            f"expects counts, and would leave them about as they are. Read counts, or set "
            f"`features: {{normalization: log1p_cp10k}}`, which scales samples to 10,000 first."
        )
    if len(stats.feature_totals) == 1:
        raise InputError(
            "The matrix has 1 feature: scaling every sample to the same total makes them all equal. Expected at least "
            "2 features, or `features: {normalization: none}`."
        )


def check_varies(stats: MatrixStats) -> None:
    """Refuse a matrix without any difference between its samples.

    Raises
    ------
    InputError
        If it has no values other than 0, or all samples are equal.
    """
    if not stats.nnz:
        raise InputError("The matrix: all values are 0: expected values that differ between samples. Check its source.")
    if len(stats.totals) > 1 and len(np.unique(_keys(stats), axis=0)) == 1:
        raise InputError(
            f"The matrix: all {len(stats.totals)} samples have the same values: expected values that differ between "
            f"samples. Check its source."
        )


def value_cautions(
    stats: MatrixStats,
    method: str,
    names: Sequence[str],
    features: Sequence[str],
    layers_of_counts: Sequence[str] = (),
    groups: np.ndarray | None = None,
) -> list[str]:
    """Say in which way values are probably not what they should be, though they can be used.

    Parameters
    ----------
    stats
        Statistics of the values before normalisation.
    method
        Name of the normalisation.
    names, features
        Names of the n samples and of the p features.
    layers_of_counts
        Further matrices of the same file that hold counts.
    groups
        (n,) codes of groups that are never split, or None.

    Returns
    -------
    list of str
        One caution for each fault.
    """
    found = [_copies(stats, names, groups)]
    if method == "none":
        return [text for text in [_not_normalised(stats), *found] if text]
    found = [
        _scaled(stats, method, layers_of_counts),
        _mixed(stats, names),
        _depths(stats, names),
        _rounded_logs(stats),
        *found,
        _technical(stats, features),
    ]
    return [text for text in found if text]


def tpm_caution(stats: MatrixStats) -> str:
    """Say that transcripts per million are far too small to be that; "" if they are not."""
    median = np.median(stats.totals)
    if stats.largest >= LARGEST_LOG or median > 1e5 or not stats.fractional.sum() > _FRACTIONAL * stats.nnz:
        return ""
    return (
        f"The values of the layer 'tpm' are at most {stats.largest:.3g} and sum to {median:,.4g} in the median sample, "
        f"where TPM sum to a million: check that they are not logarithms."
    )


def precision_note(stats: MatrixStats) -> str:
    """Say that counts are too large to be held exactly; "" if they are not."""
    if not stats.is_integer or stats.largest < _PRECISE:
        return ""
    return (
        f"Counts above {_PRECISE:,} (the largest is {stats.largest:,.0f}) are rounded, by less than 1 in ten million."
    )


def empty_features_note(stats: MatrixStats) -> str:
    """Say how many features are 0 in every sample; "" if none is."""
    n = 0 if "negative" in stats.faults else int((stats.feature_totals == 0).sum())
    return f"{n} of {len(stats.feature_totals)} features {'is' if n == 1 else 'are'} 0 in every sample." if n else ""


def empty_samples_note(empty: np.ndarray, names: Sequence[str]) -> str:
    """Say which samples have no counts, given for each of the n whether it is empty."""
    n = int(empty.sum())
    have, their, them = ("has", "its", "it") if n == 1 else ("have", "their", "them")
    named = _names(empty, names)
    return f"{n} of {len(empty)} samples {have} no counts ({named}): {their} values stay 0. Leave {them} out."


def _scaled(stats: MatrixStats, method: str, layers_of_counts: Sequence[str]) -> str:
    if layers_of_counts and stats.fractional.sum() > _FRACTIONAL * stats.nnz:
        return f"The values are not counts ({_share(stats)} have fractions). {advice(layers_of_counts)}"
    total = common_total(stats)
    if total is None or method == "log1p_tpm":
        return ""
    return (
        f"The values are not counts: those of every sample sum to {total:,.0f}, as {_SCALES[total]} do. {method} is "
        f"applied to them; how deeply samples were sequenced is unknown and cannot be adjusted for."
    )


def _share(stats: MatrixStats) -> str:
    return percent(stats.fractional.sum() / stats.nnz, 0)


def _kinds(stats: MatrixStats) -> tuple[np.ndarray, np.ndarray]:
    """(n,) samples of small values with fractions, and of whole numbers; none of either if there are not both."""
    used = stats.detected >= min(_MIN_VALUES, len(stats.feature_totals) / 2)
    logs = used & (stats.fractional > _FRACTIONAL * stats.detected) & (stats.row_largest < LARGEST_LOG)
    whole = used & (stats.fractional == 0) & (stats.row_largest >= LARGEST_LOG)
    both = bool(logs.any() and whole.any())
    return logs & both, whole & both


def _mixed(stats: MatrixStats, names: Sequence[str]) -> str:
    logs, whole = _kinds(stats)
    if not logs.any():
        return ""
    return (
        f"{count(int(logs.sum()), 'sample holds', 'samples hold')} small values with fractions, like logarithms "
        f"({_names(logs, names)}), and {int(whole.sum())} whole numbers, like counts ({_names(whole, names)}): "
        f"expected one kind in all samples, since this difference would be found instead of that of the classes."
    )


def _depths(stats: MatrixStats, names: Sequence[str]) -> str:
    totals = stats.totals
    lines = []
    empty = totals == 0
    if empty.any():
        lines.append(empty_samples_note(empty, names))
    compared = (totals > 0) & ~_kinds(stats)[0]  # logarithms among counts are named by themselves
    median = np.median(totals[compared]) if compared.any() else 0
    factor = _FAR_OF_FEW if len(totals) < _FEW else _FAR
    far = compared & ((totals * factor < median) | (totals > median * factor))
    if far.any():
        lines.append(
            f"{count(int(far.sum()), 'sample has a total', 'samples have totals')} more than {factor:,} times below or "
            f"above the median of {median:,.6g} ({_names(far, names)}): check that they hold the same kind of values, "
            "and leave out a library that failed."
        )
    return " ".join(lines)


def _rounded_logs(stats: MatrixStats) -> str:
    p, n_values = len(stats.feature_totals), max(stats.nnz, 1)
    small = stats.is_integer and stats.largest < LARGEST_LOG and p >= _MANY_FEATURES
    if not small or stats.nnz < _MOST * p * len(stats.totals) or stats.totals.sum() / n_values < 3:
        return ""
    return (
        f"All values are whole numbers up to {stats.largest:.0f}, and most are not 0: for counts of {p} features the "
        f"largest is unusually small. If they are rounded logarithms, set `features: {{normalization: none}}`."
    )


def _copies(stats: MatrixStats, names: Sequence[str], groups: np.ndarray | None) -> str:
    if len(stats.feature_totals) < _MIN_VALUES:
        return ""
    keys = _keys(stats)
    large = np.flatnonzero(stats.detected >= min(_MIN_VALUES, len(stats.feature_totals) / 2))
    _, first, code = np.unique(keys[large], axis=0, return_index=True, return_inverse=True)
    original, copy = large[first[code.ravel()]], large
    again = (original != copy) if groups is None else (original != copy) & (groups[original] != groups[copy])
    if not again.any():
        return ""
    pairs = [f"{names[a]} = {names[b]}" for a, b in zip(original[again][:3], copy[again][:3], strict=True)]
    n = int(again.sum())
    return (
        f"{count(n, 'sample has', 'samples have')} exactly the values of another ({listed(pairs)}"
        f"{', ...' if n > len(pairs) else ''}): if they are copies, a model is tested on what it was trained on. Leave "
        f"the copies out, or give copies the same value in a column and name it (`labels: {{group: COLUMN}}`)."
    )


def _keys(stats: MatrixStats) -> np.ndarray:
    return np.column_stack([stats.row_keys, stats.totals, stats.detected])


def _not_normalised(stats: MatrixStats) -> str:
    if not stats.is_integer or stats.largest < LARGEST_LOG:
        return ""
    return (
        f"The values are whole numbers up to {stats.largest:,.0f}, like counts, and are used as they are "
        f"(features.normalization is none): samples differ by how deeply they were sequenced. For counts, set "
        f"`features: {{normalization: log1p_median}}`."
    )


def _technical(stats: MatrixStats, features: Sequence[str]) -> str:
    """Features, or kinds of technical features, that hold most of all counts."""
    total = stats.feature_totals.sum()
    if not total > 0 or len(features) < 3:
        return ""
    share = stats.feature_totals / total
    most = int(share.argmax())
    upper = [str(name).upper() for name in features]
    held = {
        kind: share[np.array([name.startswith(starts) for name in upper])].sum() for kind, starts in _TECHNICAL.items()
    }
    kind = max(held, key=lambda name: held[name])
    if held[kind] > _MOST:
        what = kind
        n = held[kind]
    elif share[most] > _MOST:
        what, n = f"the feature {str(features[most])!r}", share[most]
    else:
        return ""
    return (
        f"{percent(n, 0)} of all counts are those of {what}: after scaling to the same total, the other features "
        f"follow from them. Consider leaving them out of the matrix."
    )


def _names(chosen: np.ndarray, names: Sequence[str]) -> str:
    return some([names[i] for i in np.flatnonzero(chosen)[:4]])
