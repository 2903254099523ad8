"""How strange new samples are to a pass, beside the samples that it had out of bag."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..core.draws import Draw, stream
from .members import Member, Views, strangeness

# Neighbours with which strangeness is averaged, new samples for each of them, and new samples compared at once; all
# chosen by hand, the first after measurements (benchmarks/transfer.py).
_NEIGHBOURS, _PER_NEIGHBOUR, _AT_ONCE = 10, 5, 10_000


def strange_parts(member: Member, seen: Views, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield some new samples, how strange they are, and how strange the out-of-bag samples are beside them.

    New identities come in groups, and strange samples of known classes (damaged cells, doublets) rarely do. So the
    strangeness of every sample is averaged with that of its nearest neighbours among new and out-of-bag samples taken
    together. As nothing but the values decides who is whose neighbour, new samples of known classes and out-of-bag
    samples are still exchangeable, and p-values hold.

    Parameters
    ----------
    member
        The pass.
    seen
        What it says about the n new samples.
    seed
        Of the parts into which many new samples are divided.

    Yields
    ------
    tuple
        Positions of some new samples, their strangeness, and (m,) that of the out-of-bag samples.
    """
    known, new = member.strange, strangeness(seen.scores, member.scores)
    n_parts = max(1, -(-len(new) // _AT_ONCE))
    places, new_places = member.space.whitened(member.coordinates), member.space.whitened(seen.coordinates)
    for part in np.array_split(stream(seed, Draw.NEIGHBOUR_PARTS).permutation(len(new)), n_parts):
        rows = np.sort(part)
        together = np.concatenate([known, new[rows]])
        k = min(_NEIGHBOURS, len(rows) // _PER_NEIGHBOUR, len(known) // _PER_NEIGHBOUR)
        if k:
            together = _averaged(together, np.vstack([places, new_places[rows]]), k)
        yield rows, together[len(known) :], together[: len(known)]


def _averaged(values: np.ndarray, places: np.ndarray, k: int) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k + 1).fit(places).kneighbors(places, return_distance=False)
    return values[found].mean(1)
