"""The feature store: a memory-mapped matrix with labels, split and names, written once and read by every pass.

A folder holds `features.json` (what it is) and plain .npy files: ``matrix.data``, ``matrix.indices`` and
``matrix.indptr`` of a CSR matrix, or ``matrix.dense``; ``labels``, ``split`` and, where given, ``groups``; with
confounders ``design``, ``strata`` and, for people, `confounders.tsv` and `confounders.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import HStack, MappedRows, blocks
from ..core.files import atomic_folder, digest
from ..errors import InputError
from .samples import Samples

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 3

DEVELOPMENT, TEST, UNLABELLED = 0, 1, 2


@dataclass(frozen=True)
class Features:
    """Samples × features with what is known of both.

    Attributes
    ----------
    X
        (n, p) float32, CSR or dense; memory-mapped when read from a store. Before it is written, also a source of
        `blocks`.
    y
        (n,) int64 class codes, 0 .. len(classes) - 1; -1 for a sample without a label.
    classes
        Name of every class.
    names
        Name of every feature.
    samples
        Name of every sample; empty when unknown.
    split
        (n,) uint8: 0 development, 1 the fixed test split, 2 a sample without a label, which no pass sees and nothing
        judges.
    groups
        (n,) int64 group codes, or None.
    about
        Whatever else `features.json` says: normalisation, source, settings.
    design
        (n, q) float64 confounders to adjust for, as `confounders.make_design` gives them, or None.
    design_names
        Name of every column of `design`.
    strata
        (n,) int64 codes within which null draws permute labels, -1 outside the development part; or None.
    chords
        Names of gene chords whose values are the last columns of `X`, beyond the features (`with_chords`).
    digest
        Hash of what passes read: the arrays and the classes, not the names. Empty where not read from a store.
    confounders
        One column a confounder, one row a sample, as given or computed: what is written for people to read. None when
        read from a store.
    """

    X: Any
    y: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]
    samples: tuple[str, ...]
    split: np.ndarray
    groups: np.ndarray | None = None
    about: dict = field(default_factory=dict)
    design: np.ndarray | None = None
    design_names: tuple[str, ...] = ()
    strata: np.ndarray | None = None
    chords: tuple[str, ...] = ()
    confounders: pd.DataFrame | None = None
    digest: str = ""

    @property
    def n_features(self) -> int:
        """Number of features p, chords not counted."""
        return self.X.shape[1] - len(self.chords)

    @property
    def class_sizes(self) -> dict[str, int]:
        """Samples of every class, by its name."""
        return dict(
            zip(self.classes, np.bincount(self.y[self.labelled], minlength=len(self.classes)).tolist(), strict=True)
        )

    @property
    def development(self) -> np.ndarray:
        """Rows that passes may see."""
        return np.flatnonzero(self.split == DEVELOPMENT)

    @property
    def test(self) -> np.ndarray:
        """Rows that only the final evaluation may see."""
        return np.flatnonzero(self.split == TEST)

    @property
    def unlabelled(self) -> np.ndarray:
        """Rows without a label."""
        return np.flatnonzero(self.split == UNLABELLED)

    @property
    def labelled(self) -> np.ndarray:
        """Rows of the development part and of the test split."""
        return np.flatnonzero(self.split != UNLABELLED)

    @property
    def development_samples(self) -> Samples:
        """The samples that passes may see."""
        return self.select(self.development)

    def names_of(self, rows: np.ndarray) -> list[str]:
        """Names of some samples; none where they are unknown."""
        return [self.samples[row] for row in rows] if self.samples else []

    def select(self, rows: np.ndarray) -> Samples:
        """Take labelled samples by their rows."""
        return Samples(self.X, self.y, self.classes, rows, self.groups, self.strata, len(self.chords))


def check_finite(X, samples=None, names=None) -> None:
    """Refuse NaN and infinite values, naming the first one.

    Raises
    ------
    InputError
        With the row and column of the first such value and their number.
    """
    if sp.issparse(X):
        X = X.tocsr()
    values = X.data if sp.issparse(X) else X
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    if sp.issparse(X):
        first = int(np.argmax(bad))
        row, column = int(np.searchsorted(X.indptr, first, side="right") - 1), int(X.indices[first])
    else:
        row, column = (int(i) for i in np.argwhere(bad)[0])
    value = values[bad].ravel()[0]
    raise InputError(
        f"the matrix holds {int(bad.sum())} value(s) that are NaN or infinite, the first ({value}) at sample "
        f"{samples[row] if samples is not None and len(samples) else row}, feature "
        f"{names[column] if names is not None and len(names) else column}: expected finite numbers. "
        f"Fill or remove them before the analysis."
    )


def with_chords(features: Features, values: np.ndarray, names: Sequence[str]) -> Features:
    """Put the values of chords, (n, chords) for all samples, behind the features; `X` is then a source of `blocks`."""
    return replace(features, X=HStack(features.X, np.asarray(values, dtype=np.float32)), chords=tuple(names))


def write_features(folder: str | Path, features: Features) -> None:
    """Write a store, its matrix block by block; the folder appears whole or not at all, an existing one is replaced."""
    folder, X = Path(folder), features.X
    with atomic_folder(folder) as tmp:
        _write_matrix(tmp, X)
        np.save(tmp / "labels.npy", features.y.astype(np.int64))
        np.save(tmp / "split.npy", features.split.astype(np.uint8))
        if features.groups is not None:
            np.save(tmp / "groups.npy", features.groups.astype(np.int64))
        if features.design is not None:
            np.save(tmp / "design.npy", features.design.astype(np.float64))
        if features.strata is not None:
            np.save(tmp / "strata.npy", features.strata.astype(np.int64))
        if features.confounders is not None:
            features.confounders.to_csv(tmp / "confounders.tsv", sep="\t", index_label="sample", float_format="%.6g")
        if "confounders" in features.about:
            (tmp / "confounders.json").write_text(json.dumps(features.about["confounders"], indent=2) + "\n")
        about = {
            "format": FORMAT,
            "shape": list(features.X.shape),
            "classes": list(features.classes),
            "about": features.about,
            "design": list(features.design_names),
            "chords": list(features.chords),
            "names": list(features.names),
            "samples": list(features.samples),
        }
        read = [about["shape"], about["classes"], len(features.chords)]
        about["digest"] = digest(json.dumps(read), sorted(tmp.glob("*.npy")))
        (tmp / "features.json").write_text(json.dumps(about, indent=0) + "\n")


def _write_matrix(folder: Path, X) -> None:
    if isinstance(X, np.ndarray) or (isinstance(X, MappedRows | HStack) and X.dense):
        with _growing(folder / "matrix.dense.npy", np.float32, X.shape) as file:
            for _, block in blocks(X):
                file.write(np.ascontiguousarray(block, dtype=np.float32).data)
        return
    index = np.int32 if X.nnz < 2**31 else np.int64  # one type for both, or scipy copies
    ends, n_values = [np.zeros(1, dtype=index)], 0
    with (
        _growing(folder / "matrix.data.npy", np.float32, (X.nnz,)) as data,
        _growing(folder / "matrix.indices.npy", index, (X.nnz,)) as indices,
    ):
        for _, block in blocks(X):
            data.write(block.data.astype(np.float32, copy=False).data)
            indices.write(block.indices.astype(index, copy=False).data)
            ends.append(n_values + block.indptr[1:].astype(index))
            n_values += block.nnz
    np.save(folder / "matrix.indptr.npy", np.concatenate(ends))


@contextmanager
def _growing(path: Path, dtype, shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    """Open a .npy file to which the values of an array are written one after the other."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        yield file
        found, expected = file.tell() - start, int(np.prod(shape)) * np.dtype(dtype).itemsize
    if found != expected:
        raise RuntimeError(f"{path}: {found} bytes of values were written, {expected} were announced")


def open_features(folder: str | Path) -> Features:
    """Open a store without reading its matrix into memory.

    Raises
    ------
    InputError
        If the folder is not a store of this version.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "features.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is not a feature store ({error}): run the rule prepare_features first") from error
    found = about.get("format") if isinstance(about, dict) else None
    if found != FORMAT:
        raise InputError(f"{folder} has format {found}, expected {FORMAT}: run the rule prepare_features again")

    def array(name: str) -> np.ndarray:
        path = folder / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is not whole ({error}): run the rule prepare_features again") from error

    def optional(name: str) -> np.ndarray | None:
        return np.array(array(name)) if (folder / f"{name}.npy").exists() else None

    X: sp.csr_matrix | np.ndarray
    if (folder / "matrix.dense.npy").exists():
        X = array("matrix.dense")
    else:
        parts = (array("matrix.data"), array("matrix.indices"), array("matrix.indptr"))
        X = sp.csr_matrix(parts, shape=tuple(about["shape"]), copy=False)
    return Features(
        X=X,
        y=np.array(array("labels")),
        classes=tuple(about["classes"]),
        names=tuple(about["names"]),
        samples=tuple(about["samples"]),
        split=np.array(array("split")),
        groups=optional("groups"),
        about=about["about"],
        design=optional("design"),
        design_names=tuple(about["design"]),
        strata=optional("strata"),
        chords=tuple(about["chords"]),
        digest=about["digest"],
    )
