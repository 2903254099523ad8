"""New samples on the features of a reference: columns found by name, values normalised as those of the reference."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..core.words import count, some, yaml_text
from ..errors import DeepMapperWarning, InputError
from .conversion import Conversion, compare_units, converted, logs_of_counts, other_layers, sums_of
from .layers import LAYERS_OF_COUNTS
from .matrix_stats import LARGEST_LOG, MatrixStats, scan
from .normalize import median_total, normalize_lazily
from .shared_features import columns_by_name_of, why_few_shared
from .units import SumsOfSamples, Units

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Scale:
    """How the values of a reference were normalised: all that new samples need to be treated alike.

    Attributes
    ----------
    method
        Normalisation, as in `normalize.normalize_lazily`.
    median
        Total of a sample to which "log1p_median" scales; 0 with other methods.
    is_integer, largest
        Whether the values before normalisation are whole numbers, and the largest of them.
    share
        (p,) share of all values of the reference that each feature holds.
    units
        Logarithm and total of the normalised values; None if the reference was normalised elsewhere in a way that does
        not show.
    negative
        Whether values of the reference are below 0; None in models that do not say it, nor have units.
    """

    method: str
    median: float
    is_integer: bool
    largest: float
    share: np.ndarray
    units: Units | None = None
    negative: bool | None = None

    def record(self) -> dict[str, Any]:
        """Return all but the shares as JSON can hold it; without units if they were not looked for."""
        names = ("method", "median", "is_integer", "largest")
        found: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.negative is None:
            return found
        return found | {"negative": self.negative, "units": None if self.units is None else asdict(self.units)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], share: np.ndarray) -> Scale:
        """Make a scale of what `record` returned, and of the shares."""
        units = record.get("units")
        return cls(**{**record, "units": None if units is None else Units(**units)}, share=share)


@dataclass(frozen=True, eq=False)
class Aligned:
    """New samples on the features of the reference.

    Attributes
    ----------
    values
        (n, p) normalised values, a source for `core.blocks.blocks`; 0 for features that the new samples lack.
    names
        Names of the n samples.
    missing
        Positions of the features of the reference that the new samples lack.
    n_other
        Number of features of the new samples that the reference lacks.
    depth, detected
        (n,) sum of the values before normalisation, and number of features above 0, on the features of the reference.
    note
        What is to be said about how the new samples were normalised; "" for nothing.
    """

    values: Any
    names: list[str]
    missing: np.ndarray
    n_other: int
    depth: np.ndarray
    detected: np.ndarray
    note: str = ""


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns of a matrix in another order, with columns of zeros; a source for `core.blocks.blocks`."""

    X: Any
    selection: sp.csr_matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self.X.shape[0], self.selection.shape[1]

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        for place, block in blocks(self.X):
            yield place, (sp.csr_matrix(block, dtype=np.float32) @ self.selection).sorted_indices()


def scale_of(adata: Any, method: str, rows: np.ndarray) -> Scale:
    """Measure how the samples in `rows`, the development part of a reference, are normalised.

    Parameters
    ----------
    adata
        Raw values, as `features.prepare.prepare_features` reads them.
    method
        Normalisation of the features.
    rows
        Rows of the development part, ascending.
    """
    X, sums = adata.layers["tpm"] if method == "log1p_tpm" else adata.X, SumsOfSamples()

    def read(block: Any, _place: slice) -> sp.csr_matrix:
        if method == "none":
            sums.update(block)
        return sp.csr_matrix(block, dtype=np.float32)

    stats = scan(MappedRows(X, rows, read).blocks())
    total = stats.feature_totals.sum()
    share = stats.feature_totals / total if total else np.zeros(X.shape[1])
    median = median_total(stats.totals) if method == "log1p_median" else 0.0
    totals = {"log1p_median": median, "log1p_cp10k": 1e4, "log1p_cpm": 1e6, "log1p_tpm": 1e6}
    units = sums.units() if method == "none" else Units("e", totals[method])
    return Scale(method, median, stats.is_integer, stats.largest, share, units, "negative" in stats.faults)


def align(adata: Any, var: pd.DataFrame, scale: Scale, source: str, rows: np.ndarray | None = None) -> Aligned:
    """Bring new samples onto the features of a reference, and normalise them in the same way.

    A sample is scaled by its total on the features that both have, to the share of the total that the reference has on
    these: features that are missing do not make the others larger. Values that are logarithms to another base than
    those of the reference, or were scaled to another total, are converted, if both are known.

    Parameters
    ----------
    adata
        AnnData or `io.expression.Expression` with raw values.
    var
        Features of the reference by name, with the column ``gene_ids`` if there are ids.
    scale
        Normalisation of the reference.
    source
        Name of the file, for messages.
    rows
        Rows to take, ascending; None for all.

    Raises
    ------
    InputError
        If no feature is shared, a layer is missing, or the values are of another kind than those of the reference:
        logarithms for counts whose total is not known, counts for logarithms, or values scaled to a mean of 0.

    Warns
    -----
    DeepMapperWarning
        If names that differ were matched, most features are missing, samples have no counts, or values were converted
        or could not be compared with those of the reference.
    """
    if not len(adata.var):
        raise InputError(f"{source}: there are no features")
    selection, missing = _selection(var, adata.var, source)
    X, tpm = _chosen(adata.X, selection), adata.layers.get("tpm")
    names = list(map(str, adata.obs_names if rows is None else np.asarray(adata.obs_names, dtype=object)[rows]))
    of_counts = [str(name) for name in adata.uns.get(LAYERS_OF_COUNTS, ())]
    kept = 1.0 - float(scale.share[missing].sum()) if len(missing) else 1.0
    with _said_of(source):
        if not len(names):
            raise InputError("there are no samples")
        conversion, note = _conversion(adata, scale, rows)
        is_counts = scale.method != "none"
        if conversion is not None:
            X = converted(X, conversion.undone if is_counts else conversion)
        values, stats = normalize_lazily(
            X,
            scale.method,
            None if tpm is None else _chosen(tpm, selection),
            1e4 * kept,
            names,
            rows,
            layers_of_counts=of_counts,
            median=scale.median * kept,
            million=1e6 * kept,
            what_to_do=_what_to_do(of_counts, adata),
            are_scaled_counts=is_counts and conversion is not None,
        )
        _check_kind(stats, scale)
        if note:
            warnings.warn(note, DeepMapperWarning, stacklevel=2)
    n_other = len(adata.var) - (len(var) - len(missing))
    return Aligned(values, names, missing, n_other, stats.totals, stats.detected, note)


def _conversion(adata: Any, scale: Scale, rows: np.ndarray | None) -> tuple[Conversion | None, str]:
    """How values become like those of the reference, and what is to be said about it."""
    if scale.negative is None or scale.method == "log1p_tpm":
        return None, ""
    if scale.method == "none":
        sums = sums_of(adata.X, rows)
        where = other_layers(adata, counts_wanted=False) if sums.negative else ""
        return compare_units(sums, scale.units, scale.negative, where)
    conversion = None if scale.units is None else logs_of_counts(adata.X, rows, scale.units)
    return conversion, "" if conversion is None else conversion.note


@contextmanager
def _said_of(source: str) -> Iterator[None]:
    """Begin errors and warnings with the name of the file, since one of several is meant."""

    def named(text: object) -> str:
        return f"{source}: {str(text).removeprefix('The matrix: ')}"

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except InputError as error:
            raise InputError(named(error)) from error
    for warning in caught:
        ours = issubclass(warning.category, DeepMapperWarning)
        warnings.warn(named(warning.message) if ours else str(warning.message), warning.category, stacklevel=4)


def _selection(var: pd.DataFrame, own: pd.DataFrame, source: str) -> tuple[sp.csr_matrix | None, np.ndarray]:
    """Matrix that moves columns to the places of the reference's features (None: they are there), and those missing."""
    if list(var.index) == list(own.index):
        return None, np.empty(0, dtype=np.int64)
    columns = columns_by_name_of(var, own, source, "reference")
    found = np.array([columns.get(name, -1) for name in var.index], dtype=np.int64)
    places = np.flatnonzero(found >= 0)
    if not len(places):
        raise InputError(
            f"{source}: none of its {count(len(own), 'feature')} ({some(list(own.index)[:3])}) is a feature of the "
            f"reference ({some(list(var.index)[:3])}, {len(var)} in all). "
            f"{why_few_shared(list(var.index), list(own.index)) or 'Name the features of both in the same way.'}"
        )
    if 2 * len(places) < len(var) and (why := why_few_shared(list(var.index), list(own.index))):
        text = f"{source}: only {len(places):,} of {len(var):,} features of the reference were found. {why}"
        warnings.warn(text, DeepMapperWarning, stacklevel=3)
    shape = (len(own), len(var))
    selection = sp.csr_matrix((np.ones(len(places), dtype=np.float32), (found[places], places)), shape=shape)
    return selection, np.flatnonzero(found < 0)


def _chosen(X: Any, selection: sp.csr_matrix | None) -> Any:
    return X if selection is None else _Columns(X, selection)


def _what_to_do(layers_of_counts: Sequence[str], adata: Any) -> str:
    """Advise on new samples that are not counts, where the reference is."""
    if not layers_of_counts:
        text = "The reference holds counts, so give the counts of these samples, too."
        return " ".join(filter(None, [text, other_layers(adata, counts_wanted=True)]))
    layer, option = yaml_text(layers_of_counts[0]), shlex.quote(layers_of_counts[0])
    return (
        f"The reference holds counts, and so does the layer {layers_of_counts[0]!r} of this file: read it (`task: "
        f"predict` with `matrix: {{layer: {layer}}}`, or `deepmapper predict --layer {option}`); or copy it to X, if "
        "the other files of the study have their counts there."
    )


def _check_kind(stats: MatrixStats, scale: Scale) -> None:
    """Refuse counts where the reference, which is not normalised here, holds logarithms, and the other way round."""
    if scale.method != "none" or not stats.nnz:
        return
    is_log = not scale.is_integer and scale.largest < LARGEST_LOG
    # logarithms of counts are hardly ever whole numbers, unless they are 0
    if is_log and stats.is_integer and stats.largest > 1:
        how = f" (the reference has {scale.units.words})" if scale.units else ""
        raise InputError(
            f"the values are whole numbers up to {stats.largest:g}, which look like counts; the reference holds values "
            f"up to {scale.largest:g} that are not whole numbers (features.normalization is none). Normalise the new "
            f"samples in the same way as the reference{how}."
        )
    if scale.is_integer and scale.largest >= LARGEST_LOG and not stats.is_integer and stats.largest < LARGEST_LOG:
        raise InputError(
            f"the values are up to {stats.largest:g} with fractions, which look like logarithms; the reference holds "
            f"whole numbers up to {scale.largest:g} (features.normalization is none). Give the new samples as counts."
        )


def feature_table(names: Sequence[str], ids: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table of features as `align` reads it."""
    import pandas as pd

    return pd.DataFrame({} if ids is None else {"gene_ids": list(ids)}, index=pd.Index(list(names), dtype=object))
