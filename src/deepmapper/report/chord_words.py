"""The answer about chords on the pages, in words."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..core.aliases import readable_names


def chords_in_words(screen: Mapping, proof: Mapping, chords: pd.DataFrame, aliases: Mapping[str, str]) -> str:
    """Say how many chords there are, whether they are proved, and what the first one says."""
    if chords.empty:
        return screen["statement"]
    return " ".join(filter(None, [screen["statement"], proof["statement"], _first(chords.iloc[0], aliases)]))


def _first(row: pd.Series, aliases: Mapping[str, str]) -> str:
    """What a chord says, if it has one member on each of two sides; else nothing."""
    core = [str(row[f"core_{k}"]).split(",") if isinstance(row[f"core_{k}"], str) else [] for k in (1, 2, 3)]
    if row["n_members"] != 2 or [len(side) for side in core] != [1, 1, 0]:
        return ""
    first, second = readable_names([core[0][0], core[1][0]], aliases)
    together, apart = "both are high or both are low", "one is high where the other is low"
    inside, outside = (together, apart) if row["z"] > 0 else (apart, together)
    text = f"{row['chord']} is {first} with {second}: in {row['class']} {inside}; elsewhere, more often {outside}"
    if pd.notna(row["auc_chord"]):
        text += (
            f". On the test split the two together predict {row['class']} with an AUC of {row['auc_chord']:.2f}, the "
            f"better one alone with {row['auc_best_member']:.2f}"
        )
    return f"{text}."
