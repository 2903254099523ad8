"""Tables of screened pairs, of features and of chords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .types import Chord, ChordProof, Screen, Triplet


def pair_table(screen: Screen) -> pd.DataFrame:
    """One row for every candidate product, by falling size of z; `significant` tells those within the error rate."""
    width = 3 if screen.candidates and isinstance(screen.candidates[0], Triplet) else 2
    columns = [f"feature_{letter}" for letter in "abc"[:width]]
    columns += ["class", "z", "p_family", "q", "significant"]
    columns += [f"z[{screen.classes[contrast.code]}]" for contrast in screen.contrasts]
    kept = set(screen.found)
    records = [
        (*pair.features, pair.class_name, pair.z, pair.p_family, pair.q, pair in kept, *(z for _, z in pair.z_by_class))
        for pair in screen.candidates
    ]
    table = pd.DataFrame.from_records(records, columns=columns)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def feature_table(screen: Screen, chords: Sequence[Chord] = ()) -> pd.DataFrame:
    """One row for every feature: its strongest product and that product's other feature, and its chords.

    `z_chord` is the score of the feature times the other sides of its chord, which is more certain than any one pair.
    """
    names = np.array([*screen.names, ""], dtype=object)
    named: list[list[str]] = [[] for _ in screen.names]
    z_chord = np.full(len(screen.names), np.nan)
    for chord in chords:
        for position, z in zip(chord.positions, chord.member_z, strict=True):
            named[position].append(chord.name)
            z_chord[position] = np.fmax(z_chord[position], abs(z))
    screened = np.isin(np.arange(len(screen.names)), screen.features)
    return pd.DataFrame(
        {
            "feature": list(screen.names),
            "screened": screened,
            "z_pair": np.where(screened, screen.best, np.nan),
            "partner": names[screen.partner],
            "chord": [",".join(chord) for chord in named],
            "z_chord": z_chord,
        }
    )


def chord_table(chords: Sequence[Chord], proofs: Sequence[ChordProof] = ()) -> pd.DataFrame:
    """One row for every chord: members by side, strength, and, where proved, how well it tells its class."""
    by_name = {proof.chord: proof for proof in proofs}
    records = []
    for chord in chords:
        record = {
            "chord": chord.name,
            "order": chord.order,
            "class": chord.class_name,
            "z": chord.z,
            "n_members": len(chord.features),
            "n_products": chord.n_products,
            **{f"side_{k + 1}": ",".join(chord.side_names(k)) for k in range(3)},
            "joined": ",".join(chord.joined),
        }
        if chord.name in by_name:
            record |= by_name[chord.name].record()
        records.append(record)
    empty = ["chord", "order", "class", "z", "n_members", "n_products", "side_1", "side_2", "side_3", "joined"]
    return pd.DataFrame.from_records(records, columns=None if records else empty)
