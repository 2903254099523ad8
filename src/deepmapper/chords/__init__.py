"""Gene chords (interaction gene sets, differential co-expression): the screen, the sets and their test.

May use: core, features. Does not know passes or evidence.
"""

from ..core.lazy import load_name

_HOME = {
    "Chord": "types",
    "ChordProof": "types",
    "Pair": "types",
    "RATES": "types",
    "Screen": "types",
    "ScreenOptions": "types",
    "Triplet": "types",
    "chord_features": "values",
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
