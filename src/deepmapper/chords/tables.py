"""Tables of screened products, of features and of chords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .types import Chord, ChordProof, Screen

_CHORD_COLUMNS = (
    *("chord", "order", "class", "z", "n_members", "n_products", "core_1", "core_2", "core_3", "core_share"),
    *("side_1", "side_2", "side_3", "joined"),
)


def pair_table(screen: Screen, n_features: int = 2) -> pd.DataFrame:
    """One row per candidate product of 2 or 3 features, by decreasing |z|; `significant`: within the error rate."""
    columns = [f"feature_{letter}" for letter in "abc"[:n_features]]
    columns += ["class", "z", "p_family", "q", "significant"]
    columns += [f"z[{screen.classes[contrast.code]}]" for contrast in screen.contrasts]
    significant = set(screen.found)
    records = [
        (
            *(*pair.features, pair.class_name, pair.z, pair.p_family, pair.q, pair in significant),
            *(z for _, z in pair.z_by_class),
        )
        for pair in screen.candidates
    ]
    table = pd.DataFrame.from_records(records, columns=columns)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def feature_table(screen: Screen, chords: Sequence[Chord] = ()) -> pd.DataFrame:
    """One row per feature: its strongest product and that product's other feature, and its chords.

    `z_chord` is the score of the feature times the other sides of its chord, which is more certain than any one pair.
    """
    names = np.array([*screen.names, ""], dtype=object)  # partner -1 takes the last: none
    chords_of: list[list[str]] = [[] for _ in screen.names]
    z_chord = np.full(len(screen.names), np.nan)
    for chord in chords:
        for position, z in zip(chord.positions, chord.member_z, strict=True):
            chords_of[position].append(chord.name)
            z_chord[position] = np.fmax(z_chord[position], abs(z))
    screened = np.isin(np.arange(len(screen.names)), screen.features)
    return pd.DataFrame(
        {
            "feature": list(screen.names),
            "screened": screened,
            "z_pair": np.where(screened, screen.best, np.nan),
            "partner": names[screen.partner],
            "chord": [",".join(own) for own in chords_of],
            "z_chord": z_chord,
        }
    )


def unscreened_feature_table(names: Sequence[str]) -> pd.DataFrame:
    """Columns of `feature_table` where nothing was screened."""
    return pd.DataFrame(
        {"feature": list(names), "screened": False, "z_pair": np.nan, "partner": "", "chord": "", "z_chord": np.nan}
    )


def chord_table(chords: Sequence[Chord], proofs: Sequence[ChordProof] = ()) -> pd.DataFrame:
    """One row per chord: core and members by side, strength, and, if there are proofs, how well it predicts its class.

    By decreasing synergy where there are proofs, else in the order of the chords.
    """
    by_name = {proof.chord: proof for proof in proofs}
    records = []
    for chord in sorted(chords, key=lambda one: -by_name[one.name].synergy) if by_name else chords:
        record = {
            "chord": chord.name,
            "order": chord.order,
            "class": chord.class_name,
            "z": chord.z,
            "n_members": len(chord.features),
            "n_products": chord.n_products,
            **{f"core_{k + 1}": ",".join(chord.core[k]) if k < chord.order else "" for k in range(3)},
            "core_share": chord.core_share,
            **{f"side_{k + 1}": ",".join(chord.side_names(k)) for k in range(3)},
            "joined": ",".join(chord.joined),
        }
        if chord.name in by_name:
            record |= by_name[chord.name].record()
        records.append(record)
    return pd.DataFrame.from_records(records, columns=None if records else list(_CHORD_COLUMNS))
