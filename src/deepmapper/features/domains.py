"""Domains of the samples (studies, donors, batches): what the adversary of a network is to tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.files import atomic_write
from ..core.words import count
from ..errors import InputError


def encode_domains(names: Sequence[str | None] | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Encode domains as 0 .. n_domains - 1 in the order of their names.

    Parameters
    ----------
    names
        (n,) name of the domain of every sample; None for a sample without one.

    Returns
    -------
    tuple
        (n,) int64 codes, -1 without a domain; and the names.
    """
    codes, known = pd.factorize(np.array(names, dtype=object), sort=True)
    return codes.astype(np.int64), tuple(known)


def describe_domains(codes: np.ndarray, names: Sequence[str]) -> str:
    """Say how many samples each domain has, and how many have none."""
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    parts = [f"{name} {size}" for name, size in zip(names, sizes, strict=True)]
    n_without = int((codes < 0).sum())
    return ", ".join(parts or ["none"]) + (f"; {count(n_without, 'cell')} without one" if n_without else "")


def write_domains(codes: np.ndarray, path: str | Path) -> None:
    """Write the codes of all samples that passes may be given, those of the feature store first."""
    with atomic_write(path) as tmp, tmp.open("wb") as file:
        np.save(file, codes)


def read_domains(path: str | Path, n_samples: int) -> np.ndarray:
    """Read what `write_domains` wrote.

    Raises
    ------
    InputError
        If the file is damaged, or is about another number of samples.
    """
    try:
        codes = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is damaged or missing ({error}): run the rule prepare_target again") from error
    if codes.shape != (n_samples,):
        raise InputError(
            f"{path} has {len(codes)} domains for {n_samples} samples: expected one each. Run the rule prepare_target "
            "again."
        )
    return codes
