"""Two simulated cohorts of bulk RNA-seq samples, counted against known and novel transcripts, with planted differences.

The design is that of Nguyen et al. 2021 (doi 10.1186/s12885-021-08021-1), who learnt signatures of risk by one
procedure from annotated genes and from sequences without annotation, and judged both on a cohort that had taken no
part. Here the truth is known: which transcripts differ between the classes, and whether any of the novel ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.draws import Draw, stream
from ..core.files import atomic_write
from ..errors import InputError
from ..reads.denovo import PREFIX

if TYPE_CHECKING:
    from anndata import AnnData

CLASSES = ("low", "high")


@dataclass(frozen=True)
class CohortDesign:
    """Sizes and effects.

    Attributes
    ----------
    samples
        Of each cohort, half of them of either class.
    known, novel
        Number of transcripts.
    differing_known, differing_novel
        How many of them differ between the classes.
    effect
        Log fold change between the classes; up for every other transcript that differs, else down.
    novel_abundance
        Mean of a novel transcript over that of a known one: what annotations lack is rarely abundant.
    reads
        Mean count of a known transcript.
    dispersion
        Of the negative binomial: variance = mean + dispersion × mean².
    mixture
        Standard deviation, over samples, of a log factor that a fifth of all transcripts follow and that has nothing
        to do with the class, such as the share of tumour cells.
    cohort_shift
        Standard deviation, over transcripts, of the log factor between the cohorts (other libraries, other centre).
    """

    samples: int = 160
    known: int = 800
    novel: int = 80
    differing_known: int = 12
    differing_novel: int = 8
    effect: float = 0.8
    novel_abundance: float = 0.4
    reads: float = 100.0
    dispersion: float = 0.4
    mixture: float = 0.4
    cohort_shift: float = 0.3


@dataclass(frozen=True)
class Cohorts:
    """Two cohorts with the same transcripts.

    Attributes
    ----------
    discovery, independent
        Counts, samples × transcripts; ``obs["risk"]`` is low or high.
    truth
        One row per transcript: ``is_denovo``, and ``log_fold`` (high over low; 0 if it does not differ).
    """

    discovery: AnnData
    independent: AnnData
    truth: pd.DataFrame


def simulate_cohorts(design: CohortDesign | None = None, seed: int = 0) -> Cohorts:
    """Simulate both cohorts; the same seed gives the same counts.

    Raises
    ------
    InputError
        If more transcripts are to differ than there are, or a cohort has fewer than two samples of a class.
    """
    design = design or CohortDesign()
    for kind in ("known", "novel"):
        if getattr(design, f"differing_{kind}") > getattr(design, kind):
            raise InputError(f"differing_{kind} is {getattr(design, f'differing_{kind}')}, expected at most {kind}.")
    if design.samples < 4:
        raise InputError(f"samples is {design.samples}, expected at least 4, two of each class.")
    transcripts = stream(seed, Draw.SIMULATED_COHORTS, 0)
    truth = _transcripts(design, transcripts)
    follows = np.where(transcripts.random(len(truth)) < 0.2, transcripts.choice([-1.0, 1.0], len(truth)), 0.0)
    shift = transcripts.normal(0, design.cohort_shift, len(truth))
    discovery, independent = (
        _cohort(design, truth, follows, change, name, stream(seed, Draw.SIMULATED_COHORTS, number))
        for number, (name, change) in enumerate((("discovery", 0 * shift), ("independent", shift)), start=1)
    )
    return Cohorts(discovery, independent, truth.drop(columns="mean"))


def write_cohorts(folder: Path, design: CohortDesign | None = None, seed: int = 0) -> pd.DataFrame:
    """Simulate both cohorts and write them; the same design and seed give the same counts.

    Writes ``known.h5ad`` and ``known_and_novel.h5ad`` (the first cohort without and with its novel transcripts),
    ``independent.h5ad`` (the second) and, last, ``truth.tsv``, which is also returned.
    """
    cohorts = simulate_cohorts(design, seed)
    known = (~cohorts.truth["is_denovo"]).to_numpy()
    matrices = {
        "known": cohorts.discovery[:, known].copy(),
        "known_and_novel": cohorts.discovery,
        "independent": cohorts.independent,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, adata in matrices.items():
        with atomic_write(folder / f"{name}.h5ad") as path:
            adata.write_h5ad(path)
    with atomic_write(folder / "truth.tsv") as path:
        cohorts.truth.to_csv(path, sep="\t", index_label="feature")
    return cohorts.truth


def _transcripts(design: CohortDesign, random: np.random.Generator) -> pd.DataFrame:
    """Mean count, kind and log fold change of every transcript."""
    names = [f"ENST{i:07d}" for i in range(design.known)] + [f"{PREFIX}{i + 1:04d}" for i in range(design.novel)]
    is_denovo = np.arange(len(names)) >= design.known
    mean = design.reads * np.exp(random.normal(-0.5, 1.0, len(names)))  # its mean is 1
    mean[is_denovo] *= design.novel_abundance
    fold = np.zeros(len(names))
    for first, size, n in (
        (0, design.known, design.differing_known),
        (design.known, design.novel, design.differing_novel),
    ):
        chosen = first + random.permutation(size)[:n]
        fold[chosen] = design.effect * (1 - 2 * (np.arange(n) % 2))
    return pd.DataFrame({"is_denovo": is_denovo, "log_fold": fold, "mean": mean}, index=names)


def _cohort(
    design: CohortDesign,
    truth: pd.DataFrame,
    follows: np.ndarray,
    shift: np.ndarray,
    name: str,
    random: np.random.Generator,
) -> AnnData:
    """Draw the counts of one cohort."""
    import anndata

    high = random.permutation(np.arange(design.samples) % 2)
    mixture = random.normal(0, design.mixture, design.samples)
    depth = random.normal(0, 0.3, design.samples)
    log_mean = np.log(truth["mean"].to_numpy()) + shift
    log_mean = log_mean + np.outer(high - 0.5, truth["log_fold"]) + np.outer(mixture, follows) + depth[:, None]
    counts = random.poisson(random.gamma(1 / design.dispersion, design.dispersion * np.exp(log_mean)))
    obs = pd.DataFrame(
        {"risk": np.array(CLASSES)[high], "cohort": name},
        index=[f"{name}_{i + 1:03d}" for i in range(design.samples)],
    )
    return anndata.AnnData(sp.csr_matrix(counts.astype(np.float32)), obs, truth[["is_denovo"]].copy())
