"""The feature store: a memory-mapped matrix with labels, split and names, written once and read by every pass.

It is a folder with `features.json` (shape, names, metadata) and .npy files: ``matrix.data``, ``matrix.indices`` and
``matrix.indptr`` of a CSR matrix, or ``matrix.dense``; ``labels``, ``split`` and, if there are any, ``groups``; with
confounders also ``design``, ``strata`` and, for people to read, `confounders.tsv` and `confounders.json`.
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

from ..core.blocks import HStack, MappedRows, VStack, blocks
from ..core.files import atomic_folder, digest
from ..errors import InputError
from .kinds import has_lowest_label, read_kinds
from .samples import Samples

if TYPE_CHECKING:
    import pandas as pd

# Version of the folder's layout; a store of another version is refused.
FORMAT = 3

# Codes of `Features.split`.
DEVELOPMENT, TEST, UNLABELLED = 0, 1, 2


@dataclass(frozen=True)
class Features:
    """The matrix of a run, with everything known about its samples and features.

    Attributes
    ----------
    X
        (n, p) float32, CSR or dense; memory-mapped when read from a store. Before it is written it can also be another
        source of `blocks`.
    y
        (n,) int64 class codes, 0 .. len(classes) - 1; -1 for a sample without a label.
    classes
        Name of every class.
    names
        Name of every feature.
    samples
        Name of every sample; empty when unknown.
    split
        (n,) uint8: 0 for development, 1 for the fixed test split, 2 for a sample without a label, which neither passes
        nor the evaluation use.
    groups
        (n,) int64 group codes, or None.
    metadata
        Label column, normalisation, split scheme, accuracy of the confounders: ``about`` in `features.json`.
    design
        (n, q) float64 design matrix of the confounders to adjust for (`design.make_design`), or None.
    design_names
        Name of every column of `design`.
    strata
        (n,) int64 codes within which labels are permuted for control passes, -1 outside the development part; or None.
    chords
        Names of the gene chords whose values are the last columns of `X`, behind the features (`with_chords`).
    confounders
        The confounders as given or computed, one row per sample, written for people to read. None when read from a
        store.
    kinds
        (C, C) which classes are kinds of others (`samples.Samples.kinds`), or None; not part of a store.
    digest
        Hash of all that a pass reads: the arrays and the classes, but not the names. Empty if not read from a store.
    """

    X: Any
    y: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]
    samples: tuple[str, ...]
    split: np.ndarray
    groups: np.ndarray | None = None
    metadata: dict = field(default_factory=dict)
    design: np.ndarray | None = None
    design_names: tuple[str, ...] = ()
    strata: np.ndarray | None = None
    chords: tuple[str, ...] = ()
    confounders: pd.DataFrame | None = None
    kinds: np.ndarray | None = None
    digest: str = ""

    @property
    def n_features(self) -> int:
        """Number of features p, without chords."""
        return self.X.shape[1] - len(self.chords)

    @property
    def class_sizes(self) -> dict[str, int]:
        """Number of samples of every class, by class name."""
        sizes = np.bincount(self.y[self.labelled], minlength=len(self.classes))
        return dict(zip(self.classes, sizes.tolist(), strict=True))

    @property
    def development(self) -> np.ndarray:
        """Rows of the development part, which passes may use."""
        return np.flatnonzero(self.split == DEVELOPMENT)

    @property
    def test(self) -> np.ndarray:
        """Rows of the test split, which only the final evaluation may use."""
        return np.flatnonzero(self.split == TEST)

    @property
    def unlabelled(self) -> np.ndarray:
        """Rows without a label."""
        return np.flatnonzero(self.split == UNLABELLED)

    @property
    def labelled(self) -> np.ndarray:
        """Rows of the development part and the test split."""
        return np.flatnonzero(self.split != UNLABELLED)

    @property
    def development_samples(self) -> Samples:
        """The samples of the development part, which passes may use."""
        return self.select(self.development)

    def with_lowest_label(self, rows: np.ndarray) -> np.ndarray:
        """Those of `rows` that can be judged: their class has no kinds among the classes."""
        return rows[has_lowest_label(self.y[rows], self.kinds)]

    def names_of(self, rows: np.ndarray) -> list[str]:
        """Return the names of the samples in `rows`; empty if names are unknown."""
        return [self.samples[row] for row in rows] if self.samples else []

    def select(self, rows: np.ndarray) -> Samples:
        """Return the samples in `rows`, all of which need a label."""
        return Samples(self.X, self.y, self.classes, rows, self.groups, self.strata, len(self.chords), kinds=self.kinds)


def with_chords(features: Features, values: np.ndarray, names: Sequence[str]) -> Features:
    """Append the values of chords, (n, chords), as columns behind the features; `X` is then a source of `blocks`."""
    return replace(features, X=HStack(features.X, np.asarray(values, dtype=np.float32)), chords=tuple(names))


def write_features(folder: str | Path, features: Features) -> None:
    """Write a store, the matrix block by block; the folder is written atomically and replaces an existing one."""
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
        if "confounders" in features.metadata:
            (tmp / "confounders.json").write_text(json.dumps(features.metadata["confounders"], indent=2) + "\n")
        content = {
            "format": FORMAT,
            "shape": list(features.X.shape),
            "classes": list(features.classes),
            "about": features.metadata,
            "design": list(features.design_names),
            "chords": list(features.chords),
            "names": list(features.names),
            "samples": list(features.samples),
        }
        used_by_passes = [content["shape"], content["classes"], len(features.chords)]
        content["digest"] = digest(json.dumps(used_by_passes), sorted(tmp.glob("*.npy")))
        (tmp / "features.json").write_text(json.dumps(content, indent=0) + "\n")


def open_features(folder: str | Path, kinds: str | Path | None = None) -> Features:
    """Open a store without reading its matrix into memory.

    Parameters
    ----------
    folder
        The store.
    kinds
        kinds.json, which says what classes are kinds of others; nothing if there is no ontology.

    Raises
    ------
    InputError
        If the folder is not a complete store of this version.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / "features.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is not a feature store ({error}): run the rule prepare_features first") from error
    version = content.get("format") if isinstance(content, dict) else None
    if version != FORMAT:
        raise InputError(f"{folder} has format {version}, expected {FORMAT}: run the rule prepare_features again")

    def array(name: str) -> np.ndarray:
        path = folder / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is damaged or missing ({error}): run the rule prepare_features again") from error

    def optional(name: str) -> np.ndarray | None:
        return np.array(array(name)) if (folder / f"{name}.npy").exists() else None

    X: sp.csr_matrix | np.ndarray
    if (folder / "matrix.dense.npy").exists():
        X = array("matrix.dense")
    else:
        parts = (array("matrix.data"), array("matrix.indices"), array("matrix.indptr"))
        X = sp.csr_matrix(parts, shape=tuple(content["shape"]), copy=False)
    return Features(
        X=X,
        y=np.array(array("labels")),
        classes=tuple(content["classes"]),
        names=tuple(content["names"]),
        samples=tuple(content["samples"]),
        split=np.array(array("split")),
        groups=optional("groups"),
        metadata=content["about"],
        design=optional("design"),
        design_names=tuple(content["design"]),
        strata=optional("strata"),
        chords=tuple(content["chords"]),
        kinds=read_kinds(kinds) if kinds else None,
        digest=content["digest"],
    )


def _write_matrix(folder: Path, X) -> None:
    if isinstance(X, np.ndarray) or (isinstance(X, MappedRows | HStack | VStack) and X.dense):
        with _npy_writer(folder / "matrix.dense.npy", np.float32, X.shape) as file:
            for _, block in blocks(X):
                file.write(np.ascontiguousarray(block, dtype=np.float32).data)
        return
    dtype = np.int32 if X.nnz < 2**31 else np.int64  # of indices and indptr alike, or scipy copies them
    indptr, n_values = [np.zeros(1, dtype=dtype)], 0
    with (
        _npy_writer(folder / "matrix.data.npy", np.float32, (X.nnz,)) as data,
        _npy_writer(folder / "matrix.indices.npy", dtype, (X.nnz,)) as indices,
    ):
        for _, block in blocks(X):
            data.write(block.data.astype(np.float32, copy=False).data)
            indices.write(block.indices.astype(dtype, copy=False).data)
            indptr.append(n_values + block.indptr[1:].astype(dtype))
            n_values += block.nnz
    np.save(folder / "matrix.indptr.npy", np.concatenate(indptr))


@contextmanager
def _npy_writer(path: Path, dtype, shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    """Open a .npy file of a known shape, to which the values are written piece by piece."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        yield file
        written, expected = file.tell() - start, int(np.prod(shape)) * np.dtype(dtype).itemsize
    if written != expected:
        raise RuntimeError(f"{path}: {written} bytes of values were written, expected {expected}")
