"""Domains of the samples (studies, donors, batches): what the adversary of a network is to tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.files import atomic_write
from ..core.words import count, listed
from ..errors import InputError

_FEW = 2  # domains of up to so many samples are pointed out; chosen by hand


def why_no_adversary(domains: np.ndarray) -> str:
    """Say why there are no domains for an adversary to tell apart; "" if there are.

    Parameters
    ----------
    domains
        (n,) codes of the domains of all samples that a pass may be given, -1 for none.
    """
    n_domains = len(np.unique(domains[domains >= 0]))
    if n_domains >= 2:
        return ""
    of = "are of one domain" if n_domains else "lack a domain"
    return f"all labelled samples and target samples {of} (labels.domain)"


def refuse_adversary(adapt: str, why: str) -> str:
    """Return the message that refuses an adversary, for a reason of `why_no_adversary`."""
    return (
        f"extra adapt={adapt!r}: an adversary that tells these domains apart is of no use, since {why}. Set adapt to "
        "mixmatch or none; or leave labels.domain empty, and it tells target from reference."
    )


def domain_cautions(domains: np.ndarray, names: Sequence[str], y: np.ndarray) -> list[str]:
    """Return what an adversary can make little of.

    Parameters
    ----------
    domains, names
        (n,) codes of the domains of all samples that a pass may be given, -1 for none, and their names.
    y
        (n,) class codes, -1 for target samples.

    Returns
    -------
    list
        Sentences on samples without a domain, domains of one or two samples, and domains that each hold one class.
    """
    sizes, n_without = np.bincount(domains[domains >= 0], minlength=len(names)), int((domains < 0).sum())
    few = [f"{name!r} ({size})" for name, size in zip(names, sizes, strict=True) if 0 < size <= _FEW]
    cautions = []
    if n_without:
        cautions.append(
            f"labels.domain: {n_without} of {count(len(domains), 'sample')} {'has' if n_without == 1 else 'have'} no "
            "domain. The adversary learns nothing of them; they take part in all else."
        )
    if few:
        cautions.append(
            f"labels.domain: too few samples for an adversary to learn what they have in common: {listed(few, 6)}. If "
            "they belong to other domains, give them their names."
        )
    known = (domains >= 0) & (y >= 0)
    pairs = np.unique(np.column_stack([domains[known], y[known]]), axis=0)
    if len(np.unique(pairs[:, 0])) == len(pairs) and len(np.unique(pairs[:, 1])) > 1:
        cautions.append(
            "labels.domain: the labelled samples of every domain are of a single class. What tells these domains apart "
            "also tells the classes apart, so an adversary works against the labels."
        )
    return cautions


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
