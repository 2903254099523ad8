"""The ranking of one model from its passes, the tables of the passes, and the test for signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ..accumulate import accepted_passes
from ..config import inert_notes
from ..features.kinds import has_lowest_label, left_out_note
from ..features.splits import is_small
from ..features.store import Features
from ..passes.result import PassResult
from .feature_table import feature_table
from .pass_table import agreement_table, history_table, pass_table
from .ranking import accumulate_passes
from .signal_test import compare_with_controls, permutation_test
from .summary import summarise_model


@dataclass(frozen=True)
class ModelFindings:
    """Findings from the passes of one model.

    Attributes
    ----------
    ranking
        One row per feature, by selection frequency, then median importance; empty if no pass was accepted.
    passes
        One row per pass, controls last.
    history
        One row per epoch of every pass.
    agreement
        One row per pair of accepted passes.
    summary
        Result of `summarise_model`, with the evaluation scheme and the reason for it (`scheme`, `why`).
    """

    ranking: pd.DataFrame
    passes: pd.DataFrame
    history: pd.DataFrame
    agreement: pd.DataFrame
    summary: dict

    @property
    def lines(self) -> list[str]:
        """The reason for the scheme, the notes and the statement, one per line."""
        return [self.summary["why"], *self.summary["notes"], self.summary["statement"]]


def accumulate_model(
    model: str,
    features: Features,
    passes: Sequence[PassResult],
    controls: Sequence[PassResult],
    *,
    top_k: int,
    min_accuracy: float,
) -> ModelFindings:
    """Accumulate the passes of one model, and test whether there is signal.

    Parameters
    ----------
    model
        Name of the model.
    features
        Features that the passes read; their test split is not used.
    passes, controls
        All passes, and the passes on permuted labels; in memory or in their files (`PassFile`).
    top_k
        Number of features that each pass selects: the first of its ranking.
    min_accuracy
        Passes with a lower accuracy are listed, but not accumulated.

    Raises
    ------
    InputError
        If there are no passes.
    """
    findings = accumulate_passes(passes, top_k, min_accuracy, features.names)
    findings.notes = inert_notes(passes[0].config, features.n_features, top_k) + findings.notes
    agreement = agreement_table(accepted_passes(passes, min_accuracy), top_k)
    samples = features.development_samples
    if is_small(samples.labels):
        signal = permutation_test(findings, passes, controls, samples)
    else:
        signal = compare_with_controls(findings, controls)
    if samples.kinds is not None:
        n_upper = int((~has_lowest_label(samples.labels, samples.kinds)).sum())
        findings.notes = [*findings.notes, left_out_note(n_upper, len(samples.labels))]
    summary = summarise_model(model, findings, signal, len(controls), agreement, top_k)
    first = {"cautions": features.metadata["cautions"]} if "cautions" in features.metadata else {}
    return ModelFindings(
        ranking=feature_table(findings),
        passes=pass_table(passes, controls, min_accuracy, samples),
        history=history_table([*passes, *controls]),
        agreement=agreement,
        summary=first | summary | {name: features.metadata[name] for name in ("scheme", "why")},
    )
