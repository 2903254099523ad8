"""Names of features: rows of totals that are not features, missing symbols, names that a spreadsheet changed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.missing import MISSING_WORDS, NAN_WORDS, is_missing
from ..core.words import count, listed, percent, some
from ..errors import DeepMapperWarning, InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Rows of totals that counting programs append to the features, in lower case, with underscores for other separators.
SPECIAL_ROWS = frozenset(
    (
        # htseq-count
        *("__no_feature", "__ambiguous", "__too_low_aqual", "__not_aligned", "__alignment_not_unique"),
        # STAR --quantMode GeneCounts
        *("n_unmapped", "n_multimapping", "n_nofeature", "n_ambiguous"),
        # featureCounts (its .summary, pasted below the counts by some pipelines)
        *("unassigned_unmapped", "unassigned_read_type", "unassigned_singleton", "unassigned_mappingquality"),
        *("unassigned_chimera", "unassigned_fragmentlength", "unassigned_duplicate", "unassigned_multimapping"),
        *("unassigned_secondary", "unassigned_nonsplit", "unassigned_nofeatures", "unassigned_overlapping_length"),
        *("unassigned_overlaplength", "unassigned_ambiguity", "unassigned_nonjunction", "unassigned_nonjuntion"),
        # samtools idxstats
        "*",
    )
)

# htseq-count before 0.6 wrote these without underscores. Taken as rows of totals only if at least two are present,
# since one alone may be a name that somebody chose.
OLD_SPECIAL_ROWS = frozenset(("no_feature", "ambiguous", "too_low_aqual", "not_aligned", "alignment_not_unique"))

# Columns of `var` with an id for every feature, the first of which is used.
ID_COLUMNS = (
    *("gene_ids", "gene_id", "ensembl_id", "ensembl_ids", "ensembl", "ensembl_gene_id", "feature_id", "feature_ids"),
    *("gene_ids_version", "Accession", "accession"),
)

# FlyBase numbers unnamed genes CG1234; there `nan` (nanchung) and `na` (narrow abdomen) are genes.
_FLY_GENE = re.compile(r"CG\d{4,5}")

_MONTHS = (
    "jan|feb|m[aä]r|mrz|apr|m[aä][iy]|jun|jul|aug|sept?|o[ck]t|nov|de[cz]|janv|f[eé]vr|mars|avr|mai|juin|juil|ao[uû]t|"
    "d[eé]c|ene|abr|ago|dic|gen|mag|giu|lug|set|ott"
)
_DATES = (
    re.compile(rf"(?P<n>\d{{1,2}})[-./ ]{{1,2}}(?P<month>{_MONTHS})\.?([-./ ]\d{{2,4}})?", re.IGNORECASE),  # 1-Mar
    re.compile(rf"(?P<month>{_MONTHS})\.?[-./ ](?P<n>\d{{1,2}})", re.IGNORECASE),  # Mar-01
    re.compile(r"(19|20)\d\d-(?P<number>\d\d)-(?P<n>\d\d)([ T]00:00(:00)?)?"),  # 2001-03-01
)
# 2310009E13Rik without its ending is read as a number.
_NUMBER = re.compile(r"\d([.,]\d+)?E\+\d{2,}", re.IGNORECASE)
# Gene families whose former symbols are dates: MARCH1, SEPT2, DEC1.
_FAMILIES = {"mar": "MARCHF", "mär": "MARCHF", "mrz": "MARCHF", "03": "MARCHF"}
_FAMILIES |= {"sep": "SEPTIN", "set": "SEPTIN", "09": "SEPTIN"}
_FAMILIES |= {"dec": "DELEC", "dez": "DELEC", "déc": "DELEC", "dic": "DELEC", "12": "DELEC"}


def texts(values: Iterable[Any]) -> list[str]:
    """Convert names to text; None and NaN become empty text."""
    return [
        value.decode() if isinstance(value, bytes) else "" if value is None or value != value else str(value)
        for value in values
    ]


def special_rows(names: Iterable[str]) -> np.ndarray:
    """Find the names that are no features but totals, such as ``__no_feature`` of HTSeq and ``N_unmapped`` of STAR.

    Names as R and Seurat rewrite them (``X__no_feature``, ``--no-feature``, ``N.unmapped``) are found too.

    Returns
    -------
    numpy.ndarray
        Their positions, ascending.
    """
    plain = [name.strip().lower().replace("-", "_").replace(".", "_") for name in names]
    plain = [name[1:] if name.startswith("x__") else name for name in plain]
    old = OLD_SPECIAL_ROWS if len(OLD_SPECIAL_ROWS & set(plain)) > 1 else frozenset()
    return np.flatnonzero([name in SPECIAL_ROWS or name in old for name in plain])


def special_rows_notice(names: Sequence[str], values: float, total: float, source: str) -> str:
    """Say which rows were left out, and which share of all counts they held."""
    share = f"{percent(values / total, 1)} of all counts" if total > 0 else "no counts"
    rows = count(len(names), "row")
    return f"{source}: left out {rows} of totals, which are not features ({some(names, 5)}), with {share}."


def drop_special_rows(adata: AnnData, source: str) -> AnnData:
    """Leave out features that are totals, with a warning that gives their share of the counts.

    Raises
    ------
    InputError
        If samples have such names, so that the matrix is the wrong way round, or if nothing else is left.
    """
    if len(wrong := special_rows(adata.obs_names)):
        raise InputError(
            f"{source}: found {some(adata.obs_names[wrong])} among the names of the samples. These are totals that "
            "counting programs write below the features, so the table has its features in rows. Set "
            "matrix: {transpose: true}."
        )
    found = special_rows(adata.var_names)
    if not len(found):
        return adata
    check_features_left(found, adata.n_vars, source)
    values, total = float(adata.X[:, found].sum()), float(adata.X.sum())
    warnings.warn(
        special_rows_notice(list(adata.var_names[found]), values, total, source), DeepMapperWarning, stacklevel=3
    )
    return adata[:, np.setdiff1d(np.arange(adata.n_vars), found)].copy()


def check_features_left(special: np.ndarray, n_features: int, source: str) -> None:
    """Refuse a matrix whose features are all totals."""
    if len(special) == n_features:
        raise InputError(
            f"{source}: all {n_features} features are totals of a counting program, such as __no_feature. Give the "
            "file that holds the counts of the features."
        )


def ids_of(var: pd.DataFrame) -> list[str] | None:
    """Return the ids of the features as text, from the first column of `ID_COLUMNS` that there is; None without one."""
    column = next((column for column in ID_COLUMNS if column in var), None)
    return None if column is None else texts(var[column])


def with_names(var: pd.DataFrame, source: str) -> pd.DataFrame:
    """Give features without a name (empty or NaN) their id, with a warning.

    Raises
    ------
    InputError
        If a feature has neither a name nor an id.
    """
    names, ids = texts(var.index), ids_of(var)
    # other words may be names, so they count only where there is an id to use instead
    words: tuple[str, ...] = NAN_WORDS if ids is None else (*NAN_WORDS, *MISSING_WORDS)
    if sum(bool(_FLY_GENE.fullmatch(name)) for name in names) > 2:
        words = ()
    missing = [i for i, name in enumerate(names) if is_missing(name, words)]
    if not missing:
        return var
    found = (
        f"{source}: found {count(len(missing), 'empty feature name')}, the first at "
        f"position {missing[0] + 1} ({names[missing[0]]!r})"
    )
    if ids is None:
        raise InputError(f"{found}, and no column of ids ({', '.join(ID_COLUMNS[:3])}). Give every feature a name.")
    if without := [i for i in missing if is_missing(ids[i], (*NAN_WORDS, *MISSING_WORDS))]:
        raise InputError(
            f"{found}, and {len(without)} of these features have no id either, the first at position {without[0] + 1}. "
            "Give every feature a name."
        )
    shown = some(ids[i] for i in missing)
    for i in missing:
        names[i] = ids[i]
    warnings.warn(
        f"{found}; {'its id is' if len(missing) == 1 else 'their ids are'} used ({shown}).",
        DeepMapperWarning,
        stacklevel=4,
    )
    return var.set_axis(names)


def warn_of_spreadsheet_names(names: Sequence[str], source: str) -> None:
    """Warn about names that a spreadsheet has turned into dates (``1-Mar``) or numbers (``2.31E+13``).

    Names are used as they are. Where most names look so, they are taken to be what somebody chose.
    """
    changed = {name: _before(name) for name in names if name[:1].isdigit() or "-" in name or "." in name}
    changed = {name: before for name, before in changed.items() if before}
    if not changed or len(changed) > len(names) / 2:
        return
    shown = listed([f"{name!r} was probably {before}" for name, before in changed.items()], 4, ", ...")
    warnings.warn(
        f"{source}: {count(len(changed), 'feature name')} {'looks' if len(changed) == 1 else 'look'} like gene symbols "
        f"that a spreadsheet changed into dates or numbers ({shown}). They are used as they are; take the names from "
        "the original file.",
        DeepMapperWarning,
        stacklevel=3,
    )


def _before(name: str) -> str:
    """What a name probably was before a spreadsheet changed it; "" for any other name."""
    if _NUMBER.fullmatch(name):
        return "an id such as 2310009E13Rik"
    for pattern in _DATES:
        if match := pattern.fullmatch(name.strip()):
            groups: dict[str, Any] = match.groupdict()
            month = (groups.get("number") or groups["month"][:3]).lower()
            family, n = _FAMILIES.get(month), int(groups["n"])
            return f"{family}{n}" if family else "a symbol that reads as a date"
    return ""
