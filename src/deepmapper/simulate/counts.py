"""Simulated count matrices with planted markers, weak modules and interactions.

For tests and benchmarks. One matrix has several labels, and the informative genes of each are known:

==============  ====================================================================================================
label           what determines it
==============  ====================================================================================================
``module``      small effects on many genes, half up and half down; cycling and depth differ between the two states
``pair``        the parity of two on/off genes: neither gene is informative alone
``triplet``     the parity of three on/off genes: no gene and no pair of genes is informative
``programs``    the parity of two programs of co-expressed genes
``main``        lineages by markers, the second split by the module: additive effects only, no parity
``mixed``       like ``main``, with the third lineage split by the parity of the programs
==============  ====================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import InputError
from ..io.normalize import normalize_matrix

LINEAGES = ("A", "B", "C")

_BLOCK = 512  # genes drawn at a time, to bound the memory


@dataclass(frozen=True)
class Design:
    """The planted effects and their sizes.

    Attributes
    ----------
    cells, genes
        Size of the matrix.
    markers
        Number of marker genes of each of the three lineages.
    module
        Number of genes in the module.
    program
        Number of genes in each of the two programs.
    cycle
        Number of cell-cycle genes.
    depth
        Counts of a cell of median depth; should grow with `genes`, so that the counts per gene stay the same.
    dispersion
        Of the negative binomial: variance = mean + dispersion × mean².
    marker_effect, module_effect, program_effect, cycle_effect
        Log fold changes: of a marker in its lineage; between the states of the module; of a program's state from the
        program's mean; half of that of a cell-cycle gene at its peak.
    on, off
        Mean counts of an on/off gene in its two states, at median depth.
    depth_spread, depth_shift
        Standard deviation of log depth, and difference in log depth of cells in the second state of the module.
    cycling
        Share of cycling cells in each state of the module.
    """

    cells: int = 2000
    genes: int = 5000
    markers: int = 15
    module: int = 40
    program: int = 10
    cycle: int = 100
    depth: float = 3000.0
    dispersion: float = 0.3
    marker_effect: float = 1.2
    module_effect: float = 0.3
    program_effect: float = 0.9
    cycle_effect: float = 0.8
    on: float = 5.0
    off: float = 0.15
    depth_spread: float = 0.4
    depth_shift: float = 0.15
    cycling: tuple[float, float] = (0.25, 0.40)


PRESETS = {
    "full": Design(),
    "half": Design(cells=1200, genes=2000, depth=1200.0),
    "small": Design(cells=600, genes=300, markers=5, module=12, program=5, cycle=12, depth=300.0, module_effect=0.6),
}

# The categories of genes that are informative about each label.
TRUTH: dict[str, tuple[str, ...]] = {
    "module": ("module",),
    "pair": ("pair",),
    "triplet": ("triplet",),
    "programs": ("program_1", "program_2"),
    "main": ("marker_A", "marker_B", "marker_C", "module"),
    "mixed": ("marker_A", "marker_B", "marker_C", "module", "program_1", "program_2"),
}

# Range of mean counts of a category's genes, at median depth: detected in many cells, but not in all.
_MEANS = {"marker": (0.2, 1.5), "module": (0.6, 2.5), "program": (0.3, 1.5), "cycle": (0.2, 3.0)}


@dataclass(frozen=True)
class Planted:
    """A simulated matrix and its truth.

    Attributes
    ----------
    counts
        (cells, genes) CSR float32.
    obs
        One row per cell: the labels (categories "0", "1", ... or names), the hidden states, and `depth`.
    var
        One row per gene: `category` ("null" or what is planted), `mean` (counts at median depth, before effects).
    design, seed
        How it was made.
    """

    counts: sp.csr_matrix
    obs: pd.DataFrame
    var: pd.DataFrame
    design: Design
    seed: int

    @property
    def names(self) -> list[str]:
        """Names of the genes."""
        return self.var.index.tolist()

    def codes(self, label: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the class codes (cells,) and class names of a label."""
        codes, classes = pd.factorize(self.obs[label], sort=True)
        return codes.astype(np.int64), tuple(map(str, classes))

    def informative(self, label: str) -> np.ndarray:
        """Mask of the genes that are informative about a label, (genes,)."""
        return self.var["category"].isin(TRUTH[label]).to_numpy()

    def genes(self, *categories: str) -> np.ndarray:
        """Indices of the genes of these categories."""
        return np.flatnonzero(self.var["category"].isin(categories))

    def log_normalised(self) -> sp.csr_matrix:
        """Log1p of counts scaled to the median depth, the workflow's default normalisation; CSR float32."""
        return normalize_matrix(self.counts, "log1p_median")

    def to_anndata(self):
        """Return counts, labels and truth as an AnnData."""
        import anndata

        return anndata.AnnData(self.counts, obs=self.obs.copy(), var=self.var.copy())


def plant(design: Design | str = "full", seed: int = 0) -> Planted:
    """Simulate a matrix with planted effects.

    Parameters
    ----------
    design
        A design, or its name in `PRESETS`.
    seed
        The same seed gives the same counts.

    Raises
    ------
    InputError
        If the preset is unknown, or too few genes have a mean that suits the planted categories.
    """
    if isinstance(design, str):
        if design not in PRESETS:
            raise InputError(f"design={design!r}: expected one of {', '.join(PRESETS)}")
        design = PRESETS[design]
    gene_rng, cell_rng, count_rng = (np.random.default_rng([seed, part]) for part in range(3))
    base = np.exp(gene_rng.normal(0.0, 2.0, design.genes))
    mean = base / base.sum() * design.depth
    category = _categories(mean, design, gene_rng)
    state = _states(design, cell_rng)
    effect = _effects(category, state, design, gene_rng)
    counts = _counts(mean, category, state, effect, design, count_rng)
    cells = [f"cell{i:05d}" for i in range(design.cells)]
    genes = [f"gene{i:05d}" for i in range(design.genes)]
    var = pd.DataFrame({"category": category, "mean": mean}, index=genes)
    return Planted(counts, _labels(state, cells), var, design, seed)


def _categories(mean: np.ndarray, design: Design, rng: np.random.Generator) -> np.ndarray:
    """Assign the planted categories to genes with suitable means."""
    category = np.full(design.genes, "null", dtype=object)
    sizes = {f"marker_{lineage}": design.markers for lineage in LINEAGES}
    sizes |= {"module": design.module, "program_1": design.program, "program_2": design.program, "cycle": design.cycle}
    order = rng.permutation(design.genes)
    for name, size in sizes.items():
        low, high = _MEANS[name.split("_")[0]]
        free = order[(category[order] == "null") & (mean[order] >= low) & (mean[order] < high)]
        if len(free) < size:
            raise InputError(
                f"{len(free)} genes are left with a mean count from {low} to {high}, expected {size} for '{name}': "
                f"plant fewer, use more genes, or change the depth ({design.depth:g} for {design.genes} genes)"
            )
        category[free[:size]] = name
    free = order[category[order] == "null"]
    if len(free) < 5:
        raise InputError(
            f"{len(free)} of {design.genes} genes are left for the pair and the triplet, expected 5: use more genes"
        )
    category[free[:2]], category[free[2:5]] = "pair", "triplet"  # with the means of on/off genes instead of their own
    return category


def _states(design: Design, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the hidden states of the cells; all are independent, except that the module shifts cycling and depth."""
    n = design.cells
    module = rng.integers(0, 2, n)
    return {
        "lineage": rng.integers(0, 3, n),
        "module": module,
        "pair": rng.integers(0, 2, (n, 2)),
        "triplet": rng.integers(0, 2, (n, 3)),
        "programs": rng.integers(0, 2, (n, 2)),
        "cycling": rng.random(n) < np.asarray(design.cycling)[module],
        "phase": rng.uniform(0, 2 * np.pi, n),
        "depth": np.exp(rng.normal(0, design.depth_spread, n) + design.depth_shift * module),
    }


def _effects(category, state, design: Design, rng: np.random.Generator) -> dict[int, np.ndarray]:
    """Log fold changes (cells,) of each gene with an effect."""
    effect: dict[int, np.ndarray] = {}
    for code, lineage in enumerate(LINEAGES):
        for gene in _indices(category, f"marker_{lineage}"):
            effect[gene] = design.marker_effect * (state["lineage"] == code)
    for number, gene in enumerate(_indices(category, "module")):
        effect[gene] = (1 - 2 * (number % 2)) * design.module_effect * (state["module"] - 0.5)
    for program in (0, 1):
        for gene in _indices(category, f"program_{program + 1}"):
            effect[gene] = design.program_effect * (2 * state["programs"][:, program] - 1)
    for gene in _indices(category, "cycle"):
        peak = rng.uniform(0, 2 * np.pi)
        effect[gene] = design.cycle_effect * state["cycling"] * (1 + np.cos(state["phase"] - peak))
    return effect


def _indices(category: np.ndarray, name: str) -> list[int]:
    return np.flatnonzero(category == name).tolist()


def _counts(mean, category, state, effect, design: Design, rng: np.random.Generator) -> sp.csr_matrix:
    """Draw negative binomial counts, a block of genes at a time."""
    switches = {gene: state["pair"][:, i] for i, gene in enumerate(_indices(category, "pair"))}
    switches |= {gene: state["triplet"][:, i] for i, gene in enumerate(_indices(category, "triplet"))}
    blocks = []
    for start in range(0, design.genes, _BLOCK):
        genes = range(start, min(start + _BLOCK, design.genes))
        rate = np.tile(mean[genes.start : genes.stop], (design.cells, 1))
        for gene in genes:
            if gene in effect:
                rate[:, gene - start] *= np.exp(effect[gene])
            if gene in switches:
                rate[:, gene - start] = np.where(switches[gene] == 1, design.on, design.off)
        rate *= state["depth"][:, None]
        drawn = rng.poisson(rng.gamma(1 / design.dispersion, design.dispersion * rate))
        blocks.append(sp.csr_matrix(drawn.astype(np.float32)))
    return sp.hstack(blocks, format="csr")


def _labels(state, cells: list[str]) -> pd.DataFrame:
    parity = state["programs"].sum(1) % 2
    lineage = np.array(LINEAGES)[state["lineage"]]
    divided = np.where(lineage == "B", np.where(state["module"] == 1, "B+", "B-"), lineage)
    mixed = np.where(lineage == "C", np.where(parity == 1, "C+", "C-"), divided)
    columns = {
        "module": state["module"],
        "pair": state["pair"].sum(1) % 2,
        "triplet": state["triplet"].sum(1) % 2,
        "programs": parity,
        "main": divided,
        "mixed": mixed,
        "lineage": lineage,
        "cycling": state["cycling"],
        "phase": state["phase"],
        "depth": state["depth"],
    }
    return pd.DataFrame(columns, index=cells)
