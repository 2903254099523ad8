"""New samples brought to the logarithm and the total of a reference, or what to say where these are not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks, without_duplicates
from ..core.words import listed, yaml_text
from ..errors import InputError
from .layers import LAYERS_OF_COUNTS, UNSCALED_LAYERS, describe_layers
from .matrix_stats import LARGEST_LOG
from .units import LINEAR, SumsOfSamples, Units

# Share of the values with fractions from which on they may be logarithms, as in `matrix_stats.check_counts`.
_FRACTIONAL = 0.1


# Where the values from before the scaling are, if nothing else is known.
_USUALLY = "They are usually in `adata.raw` or in a layer; this file has none, so ask for a file that does."


@dataclass(frozen=True)
class Conversion:
    """How the values of new samples become like those of the reference.

    Attributes
    ----------
    found, wanted
        Units of the new samples, and of the reference.
    """

    found: Units
    wanted: Units

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return values in the units of the reference."""
        return self.wanted.apply(self.undone(values))

    def undone(self, values: np.ndarray) -> np.ndarray:
        """Return values without logarithm, scaled to the total of the reference."""
        return self.found.undo(values) * (self.wanted.total / self.found.total)

    @property
    def note(self) -> str:
        """Say what was done."""
        return (
            f"the values were {self.found.words}; they were converted to {self.wanted.words}, as those of the "
            f"reference are."
        )


def sums_of(X: Any, rows: np.ndarray | None) -> SumsOfSamples:
    """Sum some rows of a matrix (None for all) over all of its features, under every base."""
    sums = SumsOfSamples()
    for _, block in blocks(X, rows):
        sums.update(block)
    return sums


def compare_units(
    sums: SumsOfSamples, wanted: Units | None, reference_negative: bool, where: str = ""
) -> tuple[Conversion | None, str]:
    """Compare the values of new samples with those of a reference that is used as it is.

    Parameters
    ----------
    sums
        Of the new samples.
    wanted
        Units of the reference; None if they are not known.
    reference_negative
        Whether the reference has values below 0.
    where
        Where the file has other values, a sentence (`other_layers`).

    Returns
    -------
    tuple
        What to convert, None for nothing; and what to say about it, "" for nothing.

    Raises
    ------
    InputError
        If the new values were scaled to a mean of 0, and those of the reference were not.
    """
    reference = f"those of the reference are {wanted.words}" if wanted else "no value of the reference is"
    if sums.negative and not reference_negative:
        if sums.is_centred:
            raise InputError(
                f"values are below 0, as after scaling every feature to a mean of 0, and {reference}. Scaling cannot "
                f"be undone: give the values from before it. {where or _USUALLY}"
            )
        return None, (
            f"some values are below 0, as after a correction for batches, and {reference}: cells may look new for that "
            f"reason alone. Give values that were made as those of the reference."
        )
    if reference_negative and not sums.negative and not sums.is_integer:
        return None, (
            "no value is below 0, and values of the reference are, as after scaling every feature to a mean of 0 or a "
            "correction for batches: cells may look new for that reason alone. Give values that were made as those of "
            "the reference, or train a model on values from before that."
        )
    if sums.is_integer or sums.negative or (wanted is not None and sums.are(wanted)):
        return None, ""
    found = sums.units()
    if found is None or wanted is None:
        return None, _unknown(found, wanted)
    conversion = Conversion(found, wanted)
    return (None, "") if found.is_like(wanted) else (conversion, conversion.note)


def _unknown(found: Units | None, wanted: Units | None) -> str:
    """Say that the units of one of the two are not known; nothing if those of neither are."""
    no_total = "do not have the same total, as in a part of the genes or without scaling"
    what = "if they were normalised in another way, most cells will look new for that reason alone"
    if found is not None:
        return (
            f"the values are {found.words}; whether those of the reference are, too, cannot be told, since its samples "
            f"{no_total}. Check how both were normalised: {what}."
        )
    if wanted is None:
        return ""
    return (
        f"whether the values are {wanted.words}, as those of the reference, cannot be told, since the samples "
        f"{no_total}. Check how both were normalised: {what}. Files with all genes are recognised and converted."
    )


def logs_of_counts(X: Any, rows: np.ndarray | None, wanted: Units) -> Conversion | None:
    """Find the counts, up to the depth of the samples, behind logarithms, where counts are expected.

    Parameters
    ----------
    X, rows
        The matrix and its rows (None for all). If its first values may be counts, no others are read.
    wanted
        Units of the reference.
    """
    first = next((block for _, block in blocks(X, rows)), None)
    values = np.empty(0) if first is None else without_duplicates(first).data
    if not values.size or not 0 <= values.min() <= values.max() < LARGEST_LOG:
        return None
    if (values != np.rint(values)).mean() <= _FRACTIONAL:
        return None
    found = sums_of(X, rows).units()
    return None if found is None or found.base == LINEAR else Conversion(found, wanted)


def converted(X: Any, change: Callable[[np.ndarray], np.ndarray]) -> MappedRows:
    """Return a matrix whose values other than 0 are changed one by one as they are read."""

    def of_block(block: Any, _place: slice) -> sp.csr_matrix:
        block = without_duplicates(block)
        values = change(block.data).astype(np.float32)
        return sp.csr_matrix((values, block.indices, block.indptr), shape=block.shape)

    return MappedRows(X, None, of_block)


def other_layers(adata: Any, counts_wanted: bool) -> str:
    """Say which other matrices of a file hold counts, or fractions that are not below 0; "" if none does.

    Parameters
    ----------
    adata
        AnnData or `io.expression.Expression`.
    counts_wanted
        Whether counts are asked for, rather than values that were normalised.
    """
    named = dict(adata.uns)
    if LAYERS_OF_COUNTS not in named and UNSCALED_LAYERS not in named:
        raw = getattr(adata, "raw", None)
        named = describe_layers(adata.X, {**({} if raw is None else {"raw": raw.X}), **dict(adata.layers)})
    counts, others = (list(map(str, named.get(key, ()))) for key in (LAYERS_OF_COUNTS, UNSCALED_LAYERS))
    names = [*counts, *others] if counts_wanted else others
    if not names and counts:
        return f"This file has counts in {counts[0]!r}: normalise them in this way, and copy the result to X."
    if not names:
        return ""
    layer = yaml_text(names[0])
    hold = listed([f"{name!r} ({'counts' if name in counts else 'fractions, none below 0'})" for name in names])
    in_python = "adata.raw.to_adata()" if names[0] == "raw" else f"adata.X = adata.layers[{names[0]!r}]"
    return (
        f"Other values of this file are in {hold}. Read {layer} (`task: predict` with `matrix: {{layer: {layer}}}`, "
        f"`deepmapper predict --layer {layer}`, or in Python `{in_python}`); or copy it to X, if other files of the "
        f"study have such values there."
    )
