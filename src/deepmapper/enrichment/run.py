"""The enrichment of a run: every gene set against the list to report and every ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..core.words import count
from ..features.store import Features
from .answers import Ranking, Reported, rankings, reported_lists
from .correlation import Residuals, mean_correlation, residuals_of
from .matching import MatchedFile
from .set_tests import list_test, rank_test

LIST, RANKING = "list", "ranking"

COLUMNS = (
    *("test", "of", "within", "class", "versus", "set", "source", "n_universe", "n_set", "n_list", "n_found"),
    *("expected", "odds_ratio", "correlation", "z", "p", "q", "similar_to", "members"),
)

MAX_LEADING = 10  # members of a set that are named for a ranking

_SIMILAR = 0.5  # share of the leading members that make a set similar to a stronger one; chosen by hand

_MANY_PER_GENE = 0.05  # share of genes with several features from which on the page says so; chosen by hand


@dataclass(frozen=True, eq=False)
class Enrichment:
    """Results of the enrichment.

    Attributes
    ----------
    table
        Contents of enrichment.tsv.
    summary
        Contents of enrichment.json, which begins with a statement in words.
    """

    table: pd.DataFrame
    summary: dict


@dataclass(frozen=True, eq=False)
class _Study:
    """The sets of one file with what is known about the genes of the study."""

    file: MatchedFile
    residuals: Residuals
    code: dict[str, int]  # gene of each feature
    min_size: int
    max_size: int
    correlations: dict = field(default_factory=dict)  # those of the sets so far, which most rankings share

    def correlation(self, members: Sequence[int], signed: bool) -> tuple[float, float]:
        """Mean correlation of a set, and its degrees of freedom."""
        key = frozenset(members), signed
        if key not in self.correlations:
            self.correlations[key] = mean_correlation(self.residuals, members, signed)
        return self.correlations[key]


def run_enrichment(
    features: Features,
    files: Sequence[MatchedFile],
    recommended: pd.DataFrame,
    differential: pd.DataFrame,
    models: Mapping[str, pd.DataFrame],
    *,
    min_size: int,
    max_size: int,
    level: float,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> Enrichment:
    """Test every gene set against the list to report, its part of every class, and every ranking of a run.

    Parameters
    ----------
    features
        The features of the run, in whose samples the correlation of genes is measured.
    files
        Gene sets (`matching.match_gene_sets`).
    recommended, differential, models
        Contents of recommended.tsv, of differential.tsv, and of features.tsv by model.
    min_size, max_size
        Sets with fewer or more genes among those tested are left out.
    level
        False discovery rate at which a set counts as enriched.
    seed
        Seed of the draw of samples in which correlations are measured.
    progress
        Receives progress.
    """
    lists, ranked = reported_lists(recommended), rankings(differential, models)
    studies = []
    for file in files:
        progress(file.statement)
        genes = np.unique(np.concatenate([own.members for own in file.sets]))
        code = {name: int(gene) for name, gene in zip(features.names, file.gene_of, strict=True) if gene >= 0}
        residuals = residuals_of(features, file.gene_of, genes, seed)
        studies.append(_Study(file, residuals, code, min_size, max_size))
    tables = []
    answers: list[Reported | Ranking] = [*lists, *ranked]
    for answer in answers:
        rows = [row for study in studies for row in _test(study, answer)]
        if rows:
            tables.append(_with_q(pd.DataFrame(rows), level))
    table = pd.concat(tables, ignore_index=True)[list(COLUMNS)] if tables else no_rows()
    return Enrichment(table, _summary(table, studies, lists, level))


def no_rows() -> pd.DataFrame:
    """Contents of enrichment.tsv without a test."""
    return pd.DataFrame(columns=list(COLUMNS))


def _test(study: _Study, answer: Reported | Ranking) -> list[dict]:
    """One row for each set of a file that is large enough among the genes tested."""
    test = _list_rows if isinstance(answer, Reported) else _rank_rows
    common = {"of": answer.of, "within": answer.within, "class": answer.class_, "versus": answer.versus}
    return [{**common, "source": study.file.source, **row} for row in test(study, answer)]


def _list_rows(study: _Study, answer):
    universe = {study.code[name] for name in answer.tested if name in study.code}
    # the genes of the list in its order; a gene is in the list if any of its features is
    listed = dict.fromkeys(study.code[name] for name in answer.features if name in study.code)
    for own, inside in _sets(study, universe):
        found = [gene for gene in listed if gene in inside]
        result = list_test(len(found), len(inside), len(listed), len(universe))
        yield {
            "test": LIST,
            "set": own.name,
            "n_universe": len(universe),
            "n_set": len(inside),
            "n_list": len(listed),
            "n_found": len(found),
            "expected": result.expected,
            "odds_ratio": result.odds_ratio,
            "correlation": np.nan,
            "z": np.nan,
            "p": result.p,
            "members": _names(study, found),
            "leading": frozenset(found),
        }


def _rank_rows(study: _Study, answer):
    from scipy.stats import rankdata

    known = answer.scores[[name in study.code for name in answer.scores.index]]
    if known.empty:
        return
    # the score of a gene is the mean of its features, so that genes with many features have no advantage
    scores = known.groupby([study.code[name] for name in known.index]).mean()
    rank = dict(zip(scores.index, rankdata(scores), strict=True))
    for own, inside in _sets(study, rank.keys()):
        members = sorted(inside, key=lambda gene: (-rank[gene], gene))
        correlation, n_free = study.correlation(members, answer.signed)
        result = rank_test(np.array([rank[gene] for gene in members]), len(rank), correlation, n_free, answer.signed)
        leading = (members if result.z >= 0 else members[::-1])[:MAX_LEADING]
        yield {
            "test": RANKING,
            "set": own.name,
            "n_universe": len(rank),
            "n_set": len(inside),
            "n_list": pd.NA,
            "n_found": pd.NA,
            "expected": np.nan,
            "odds_ratio": np.nan,
            "correlation": correlation,
            "z": result.z,
            "p": result.p,
            "members": _names(study, leading),
            "leading": frozenset(leading),
        }


def _sets(study: _Study, universe):
    """Every set with its genes in the universe, if there are neither too few nor too many, nor all."""
    for own in study.file.sets:
        inside = {gene for gene in own.members.tolist() if gene in universe}
        if study.min_size <= len(inside) <= study.max_size and len(inside) < len(universe):
            yield own, inside


def _names(study: _Study, genes: Sequence[int]) -> str:
    return ",".join(study.file.genes[gene] for gene in genes)


def _with_q(rows: pd.DataFrame, level: float) -> pd.DataFrame:
    """Add q-values over all sets, sort by p, and name for every set the first stronger one that it resembles."""
    from scipy.stats import false_discovery_control

    rows = rows.assign(q=false_discovery_control(rows["p"]), strength=-rows["z"].abs())
    rows = rows.sort_values(["p", "strength"], kind="stable").reset_index(drop=True)
    first: list[tuple[str, frozenset, bool]] = []
    similar = []
    for name, leading, q, z in zip(rows["set"], rows["leading"], rows["q"], rows["z"], strict=True):
        down = bool(z < 0)
        like = next(
            (o for o, genes, way in first if way == down and len(genes & leading) >= _SIMILAR * len(leading)), ""
        )
        like = like if q <= level and leading else ""
        similar.append(like)
        if q <= level and not like and leading:
            first.append((name, leading, down))
    return rows.assign(similar_to=similar)


def _summary(table: pd.DataFrame, studies: Sequence[_Study], lists: Sequence[Reported], level: float) -> dict:
    """Statement and notes."""
    files = [study.file for study in studies]
    sets = {(file.source, own.name) for file in files for own in file.sets}
    tested = set(zip(table["source"], table["set"], strict=True))
    enriched = table[table["q"] <= level]
    n_enriched = len(set(zip(enriched["source"], enriched["set"], strict=True)))
    size = f"{studies[0].min_size} to {studies[0].max_size:,}"
    statement = (
        f"{n_enriched} of {count(len(tested), 'gene set', separator=',')} "
        f"{'is' if n_enriched == 1 else 'are'} enriched in the list or a ranking at q ≤ {level:g}."
        if tested
        else f"No gene set was tested: none has {size} genes among those tested."
    )
    notes = [file.statement for file in files]
    if tested and len(tested) < len(sets):
        left_out = count(len(sets) - len(tested), "set was", "sets were", separator=",")
        notes.append(f"{left_out} left out: not {size} of their genes were tested (setting: enrichment).")
    if not lists:
        notes.append("No feature is reported, so there is no list to test; only the rankings were tested.")
    for file in files:
        features_of = np.bincount(file.gene_of[file.gene_of >= 0])
        if np.mean(features_of > 1) > _MANY_PER_GENE:
            several = count(int((features_of > 1).sum()), "gene has", "genes have", separator=",")
            notes.append(
                f"{several} several features. A gene counts once, and is in a list if any of its features is, which "
                "favours genes with many (setting: features.level)."
            )
            break
    return {"statement": statement, "notes": notes, "level": level, "n_sets": len(tested), "n_enriched": n_enriched}
