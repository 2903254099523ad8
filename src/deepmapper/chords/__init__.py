"""Gene chords (interaction gene sets): the screen of all pairs, the sets, and their test on the test split.

May use: core, features. Does not know passes or evidence.
"""

from ..core.lazy import load_name

_HOME = {
    "Chord": "types",
    "ChordProof": "types",
    "Pair": "types",
    "RATES": "screen",
    "Screen": "types",
    "Triplet": "types",
    "chord_features": "proof",
    "chord_table": "tables",
    "feature_table": "tables",
    "group_chords": "groups",
    "pair_table": "tables",
    "prove_chords": "proof",
    "screen_pairs": "screen",
    "screen_triplets": "screen",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    return load_name(__name__, _HOME, name)


def __dir__():
    return __all__
