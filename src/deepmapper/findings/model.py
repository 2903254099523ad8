"""What the passes of one model say: its ranking and the tables of its passes, and the ranking joined with all else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ..accumulate import accepted_passes
from ..config import inert_notes
from ..features.splits import is_small
from ..features.store import Features
from ..passes.result import PassResult
from .feature_table import add_chords, feature_table, join_by_feature, rank_by_significance
from .pass_table import agreement_table, history_table, pass_table
from .ranking import accumulate_passes
from .signal_test import compare_with_controls, permutation_test
from .summary import summarise

# What is known of a model beside its passes: the parts of its summary that are made by rules of their own.
JOINED = ("convergence", "significance", "stability", "evidence")


@dataclass(frozen=True)
class ModelFindings:
    """Findings from the passes of one model alone.

    Attributes
    ----------
    ranking
        One row per feature, by selection frequency, then median importance; empty when no pass was accepted.
    passes
        One row per pass, controls last.
    history
        One row per epoch of every pass.
    agreement
        One row per pair of accepted passes.
    summary
        `findings.summarise`, and why samples are judged as they are (`scheme`, `why`).
    """

    ranking: pd.DataFrame
    passes: pd.DataFrame
    history: pd.DataFrame
    agreement: pd.DataFrame
    summary: dict

    @property
    def lines(self) -> list[str]:
        """The scheme, the notes and the statement, a line each."""
        return [self.summary["why"], *self.summary["notes"], self.summary["statement"]]


@dataclass(frozen=True)
class JoinedFindings:
    """All that is known of the features of one model, and its summary.

    Attributes
    ----------
    features
        One row per feature, significant ones first, by falling z; in the order of the ranking where none was tested.
    summary
        That of the passes with the statements of all that was joined.
    """

    features: pd.DataFrame
    summary: dict

    @property
    def lines(self) -> list[str]:
        """The statements, a line each."""
        return [self.summary["statement"], *(self.summary[name] for name in JOINED)]


def accumulate_model(
    model: str,
    features: Features,
    passes: Sequence[PassResult],
    controls: Sequence[PassResult],
    *,
    top_k: int,
    min_accuracy: float,
) -> ModelFindings:
    """Accumulate the passes of one model, and decide whether there is signal.

    Parameters
    ----------
    model
        Its name.
    features
        What the passes read; their test split is not.
    passes, controls
        All passes, and those on permuted labels; in memory or left in their files (`passes.PassFile`).
    top_k
        Head of each pass's ranking that counts as selected.
    min_accuracy
        Passes below are listed, not accumulated.

    Raises
    ------
    InputError
        If there is no pass.
    """
    found = accumulate_passes(passes, top_k, min_accuracy, features.names)
    found.notes = inert_notes(passes[0].config, features.n_features, top_k) + found.notes
    agreement = agreement_table(accepted_passes(passes, min_accuracy), top_k)
    samples = features.development_samples
    if is_small(samples.labels):
        signal = permutation_test(found, passes, controls, samples)
    else:
        signal = compare_with_controls(found, controls)
    summary = summarise(model, found, signal, len(controls), agreement, top_k)
    return ModelFindings(
        ranking=feature_table(found),
        passes=pass_table(passes, controls, min_accuracy),
        history=history_table([*passes, *controls]),
        agreement=agreement,
        summary=summary | {name: features.about[name] for name in ("scheme", "why")},
    )


def join_findings(
    ranking: pd.DataFrame,
    summary: Mapping,
    *,
    significance: pd.DataFrame,
    stability: pd.DataFrame,
    evidence: pd.DataFrame,
    audit: pd.DataFrame,
    chord_features: pd.DataFrame,
    chords: pd.DataFrame,
    summaries: Mapping[str, Mapping],
) -> JoinedFindings:
    """Join the ranking of a model with all else that is known of its features.

    Parameters
    ----------
    ranking, summary
        Of `ModelFindings`.
    significance, stability, evidence, audit
        Tables with one row per feature, in any order.
    chord_features, chords
        As in `findings.add_chords`.
    summaries
        For each name in `JOINED` a summary whose `statement` becomes part of the model's.
    """
    table = add_chords(ranking, chord_features, chords)
    for added in (significance, stability, evidence, audit):
        table = join_by_feature(table, added)
    return JoinedFindings(
        rank_by_significance(table),
        {**summary, **{name: summaries[name]["statement"] for name in JOINED}},
    )
