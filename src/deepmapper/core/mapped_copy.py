"""Copies of sparse matrices in unnamed temporary files, from which they are memory-mapped."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.sparse as sp


def mapped_csr(parts: Iterable[sp.csr_matrix], n_values: int, n_columns: int, folder: str | Path) -> sp.csr_matrix:
    """Write rows to an unnamed temporary file, and map them as one matrix.

    The memory needed is that of the largest part and of 8 bytes per row.

    Parameters
    ----------
    parts
        Rows in blocks, CSR with values that float32 can hold; each is written before the next is asked for.
    n_values, n_columns
        Number of stored values of all parts, and of columns.
    folder
        Folder for the file of 8 bytes per value; the system removes it even after a crash.
    """
    index_dtype = np.int32 if n_values < 2**31 else np.int64  # one type for indices and indptr, or scipy copies
    ends = [np.zeros(1, dtype=np.int64)]
    with tempfile.TemporaryFile(dir=folder) as values, tempfile.TemporaryFile(dir=folder) as indices:
        for part in parts:
            ends.append(ends[-1][-1] + part.indptr[1:].astype(np.int64))
            values.write(part.data.astype(np.float32, copy=False).data)
            indices.write(part.indices.astype(index_dtype, copy=False).data)
        if not n_values:  # an empty file cannot be mapped
            return sp.csr_matrix((sum(map(len, ends)) - 1, n_columns), dtype=np.float32)
        values.flush()
        indices.flush()
        mapped = [
            np.memmap(file, dtype, mode="r", shape=(n_values,))  # type: ignore[call-overload]
            for file, dtype in ((values, np.float32), (indices, index_dtype))
        ]
    end = np.concatenate(ends).astype(index_dtype)
    return sp.csr_matrix((*mapped, end), shape=(len(end) - 1, n_columns), copy=False)
