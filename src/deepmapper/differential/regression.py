"""Regression on samples, or on sums of the cells of each donor and class: which design, and the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ..core.words import count, listed
from ..errors import InputError
from .contrasts import NO_OVERLAPS, NOTHING_APART, Overlaps, TestDesign, formula_design, plain_design
from .count_model import MIN_TOTAL, fit_counts
from .divisions import compare_divisions, log_counts
from .linear_model import fit_values
from .results import Tested
from .units import Units, with_counts

_NAMES = {"deseq2": "PyDESeq2", "linear": "linear model with moderated t"}


def compare_units(
    units: Units,
    test: str,
    label: str,
    group: str,
    classes: tuple[str, ...],
    options: Mapping,
    *,
    level: float,
    overlaps: Overlaps = NO_OVERLAPS,
    n_threads: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Tested:
    """Test every feature between the classes.

    Parameters
    ----------
    units
        The observations.
    test
        "deseq2" (negative binomial model of counts) or "linear" (values with moderated t).
    label, group
        Names of the label column and of the column of the groups; "" without groups.
    classes
        Name of every class.
    options
        Options "design", "reference" and "shrink" of the section `differential`.
    level
        False discovery rate at which a feature counts as different.
    overlaps
        Classes that are not compared with each other (`contrasts.plain_design`).
    n_threads
        Number of processes.
    progress
        Receives progress.

    Raises
    ------
    InputError
        If the design does not fit the samples.
    """
    units, without_counts = with_counts(units) if test == "deseq2" else (units, "")
    left_out = [without_counts] if without_counts else []
    summed = bool((units.sizes > 1).any())
    unit = f"sum of the samples of each {group} and class" if summed else "sample"
    method = f"{_NAMES[test]} with moderated t" if summed and test == "deseq2" else _NAMES[test]
    about = Tested(test=test, unit=unit, n_units=len(units.y), method=method)
    if problem := too_few(units, classes, group, options["reference"]):
        return about.noting(" ".join([*left_out, problem]))
    design, blocks, notes = choose_design(units, label, group, classes, options, overlaps)
    if not design.contrasts:
        return about.noting(" ".join([*left_out, NOTHING_APART]), *notes)
    if test == "deseq2":
        results, untested = fit_counts(
            units.values,
            design,
            level=level,
            shrink=options["shrink"],
            of_sums=summed,
            n_threads=n_threads,
            progress=progress,
        )
    else:
        results, untested = fit_values(units.values, design)
    notes += left_out + ([f"Features {untested}."] if untested else [])
    if all(np.isnan(result["p"].to_numpy()).all() for result in results):
        return about.noting(*notes)
    what = count(len(units.y), "sum of samples", "sums of samples") if summed else count(len(units.y), "sample")
    divisions = None
    if blocks is not None:
        logs = log_counts(units.values, MIN_TOTAL) if test == "deseq2" else units.values
        divisions = compare_divisions(logs, units.y, blocks, options["reference"], classes, overlaps)
        notes += [divisions.statement] if divisions.statement else []
    return Tested(
        tuple(results),
        tuple((contrast.name, contrast.versus) for contrast in design.contrasts),
        test,
        f"{method}, design {design.formula}, {what}",
        unit,
        design.formula,
        len(units.y),
        tuple(notes),
        divisions,
    )


def too_few(units: Units, classes: tuple[str, ...], group: str, reference: str = "") -> str:
    """Say which class has a single unit or that there is nothing to compare; "" if the units can be tested."""
    sizes = np.bincount(units.y, minlength=len(classes))
    present = np.flatnonzero(sizes)
    single = [classes[code] for code in present if sizes[code] < 2]
    if len(present) < 2:
        return f"All samples belong to the class {classes[present[0]]!r}, so there is nothing to compare."
    if reference and classes.index(reference) not in present:
        return f"No sample belongs to the class {reference!r}, which the others are compared with."
    if single:
        what = f"{group} (the column of the groups)" if group else "sample"
        return (
            f"The {'classes' if len(single) > 1 else 'class'} {listed(single)} {'have' if len(single) > 1 else 'has'} "
            f"samples of one {what} only; expected at least two, since a difference between the classes cannot be told "
            "apart from one between single donors."
        )
    return ""


def choose_design(
    units: Units, label: str, group: str, classes: tuple[str, ...], options: Mapping, overlaps: Overlaps = NO_OVERLAPS
) -> tuple[TestDesign, dict[str, np.ndarray] | None, list[str]]:
    """Build the design asked for; else that of the label with the confounders and, in a paired study, the groups.

    Returns
    -------
    TestDesign, dict or None, list of str
        The design; the groups of a paired study by their name, None if labels cannot be permuted in this design (a
        formula or confounders); and sentences on what it does not adjust for.
    """
    reference = options["reference"]
    if options["design"]:
        return formula_design(options["design"], label, units.y, classes, units.columns, reference, overlaps), None, []
    blocks = {group: units.groups} if units.groups is not None and is_paired(units) else {}
    covariates = units.covariates.loc[:, units.covariates.std(ddof=0) > 0]
    try:
        design = plain_design(label, units.y, classes, blocks, covariates, reference, overlaps)
        return design, blocks if covariates.empty else None, []
    except InputError:
        if not blocks and covariates.empty:
            raise
    left_out = listed([*blocks, *covariates])
    note = (
        f"The test of single features does not adjust for {left_out}: in these samples it cannot be separated from "
        "the classes."
    )
    return plain_design(label, units.y, classes, reference=reference, overlaps=overlaps), {}, [note]


def is_paired(units: Units) -> bool:
    """Whether every group has samples of several classes, and the groups leave enough to estimate a variance from."""
    table = pd.crosstab(units.groups, units.y) > 0
    n_free = len(units.y) - len(table) - (table.shape[1] - 1)
    return bool((table.sum(axis=1) > 1).all()) and n_free >= 1
