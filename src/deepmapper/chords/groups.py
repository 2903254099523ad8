"""From significant products to chords: connected components, split into sides, weighted and completed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from .contrasts import Contrast
from .scan import of_rows, score_products, spans
from .types import Chord, Pair, Screen

_BLOCK = 512


def group_chords(X, screen: Screen, triplets: Screen | None = None, *, max_members: int = 40) -> tuple[Chord, ...]:
    """Group significant pairs and triplets into chords.

    Pairs that share features make one chord; beyond `max_members` features, the communities of its graph do (Louvain,
    weighted by z). Its two sides are those that most pairs cross. Triplets that share two features make one chord of
    three sides; those that hold a significant pair say nothing new and are left to it. Then a feature joins a side if
    its product with the other sides' score passes what null draws reach with any feature (family-wise, at the level of
    the screen), since a program of many genes is told by its score before it is told by each gene. Where the null draws
    are too few for that level, none joins.

    Parameters
    ----------
    X
        The matrix that was screened.
    screen, triplets
        What `screen_pairs` and `screen_triplets` returned.
    max_members
        Size beyond which connected pairs are divided into communities.

    Returns
    -------
    tuple of Chord
        By falling size of the strongest product, ties by position.
    """
    drafts = [_sides_of_pairs(part) for part in _connected(screen.found, 1, max_members)]
    if triplets is not None:
        pairs = {frozenset(pair.positions) for pair in screen.found}
        new = [t for t in triplets.found if not any(pair <= set(t.positions) for pair in pairs)]
        drafts += [_sides_of_triplets(part) for part in _connected(new, 2, max_members)]
    drafts.sort(key=lambda draft: (-abs(draft[1][0].z), draft[1][0].positions))
    if not drafts:
        return ()
    X = of_rows(X, screen.rows)
    taken: set[int] = {feature for sides, _ in drafts for side in sides for feature in side}
    chords = []
    for number, (sides, products) in enumerate(drafts, start=1):
        code = screen.classes.index(products[0].class_name)
        contrast = next(contrast for contrast in screen.contrasts if contrast.code == code)
        weights = _weights(X, contrast, sides, screen.clip)
        joined = _joining(X, screen, contrast, sides, weights, taken)
        taken |= {feature for side in joined for feature in side}
        full = [[*side, *more] for side, more in zip(sides, joined, strict=True)]
        chords.append(_finished(X, screen, contrast, full, products, f"chord_{number}", sum(joined, [])))
    return tuple(chords)


def _connected(products: Sequence[Pair], shared: int, max_members: int) -> list[list[Pair]]:
    """Divide products into those that hang together by `shared` features, each part by falling size of z."""
    parts: list[list[Pair]] = []
    for product in products:
        own = set(product.positions)
        touching = [part for part in parts if any(len(own & set(other.positions)) >= shared for other in part)]
        joined = [product] if not touching else sum(touching, []) + [product]
        parts = [part for part in parts if not any(part is other for other in touching)] + [joined]
    divided = []
    for part in parts:
        members = {feature for product in part for feature in product.positions}
        divided += [part] if shared > 1 or len(members) <= max_members else _communities(part)
    return [sorted(part, key=lambda product: (-abs(product.z), product.positions)) for part in divided]


def _communities(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Divide the pairs of one large graph; pairs between two communities belong to neither."""
    import networkx

    graph = networkx.Graph()
    ordered = sorted(pairs, key=lambda pair: pair.positions)
    graph.add_weighted_edges_from((*pair.positions, abs(pair.z)) for pair in ordered)
    found = networkx.community.louvain_communities(graph, seed=0)
    inside = [[pair for pair in ordered if set(pair.positions) <= community] for community in found]
    return [part for part in inside if part]


def _sides_of_pairs(pairs: list[Pair]) -> tuple[list[list[int]], list[Pair]]:
    """Divide members into the two sides between which their pairs lie: the most negative eigenvector of |z|."""
    members = sorted({feature for pair in pairs for feature in pair.positions})
    place = {feature: i for i, feature in enumerate(members)}
    strength = np.zeros((len(members), len(members)))
    for pair in pairs:
        a, b = (place[feature] for feature in pair.positions)
        strength[a, b] = strength[b, a] = abs(pair.z)
    vector = np.linalg.eigh(strength)[1][:, 0]
    first, second = (place[feature] for feature in pairs[0].positions)
    side = np.sign(vector) * (np.sign(vector[first]) or 1) > 0
    side[first], side[second] = True, False  # the strongest pair always lies between the sides
    sides = [[members[i] for i in np.flatnonzero(side)], [members[i] for i in np.flatnonzero(~side)]]
    return sides, pairs


def _sides_of_triplets(triplets: list[Pair]) -> tuple[list[list[int]], list[Pair]]:
    """The strongest triplet starts three sides; a feature joins the side whose member it most often replaces."""
    sides = [[feature] for feature in triplets[0].positions]
    votes: dict[int, Counter] = {}
    for triplet in triplets[1:]:
        held = [k for k in range(3) if sides[k][0] in triplet.positions]
        new = [feature for feature in triplet.positions if feature not in triplets[0].positions]
        if len(held) == 2 and len(new) == 1:
            votes.setdefault(new[0], Counter())[3 - sum(held)] += 1
    for feature in sorted(votes):
        sides[max(sorted(votes[feature]), key=votes[feature].__getitem__)].append(feature)
    return sides, triplets


def _weights(X, contrast: Contrast, sides: list[list[int]], clip: float) -> list[np.ndarray]:
    """Weight members by their part in the chord: the best approximation of all scores by one product of weights."""
    values = [_columns(X, contrast, side, clip) for side in sides]
    if len(sides) == 2:
        scores = score_products(values[0], values[1], contrast.residuals[:1], contrast.weight)[0]
        left, _, right = np.linalg.svd(scores)
        sign = np.sign(left[np.abs(left[:, 0]).argmax(), 0])
        return [left[:, 0] * sign, right[0] * sign]
    weights = []
    for k, side in enumerate(sides):
        others = np.multiply.reduce([values[other][:, [0]] for other in range(3) if other != k])
        z = score_products(values[k], others, contrast.residuals[:1], contrast.weight)[0][:, 0]
        weights.append(z / np.abs(z).max() * np.sign(z[0]) if len(side) > 1 else np.ones(1))
    return weights


def _joining(X, screen: Screen, contrast: Contrast, sides, weights, taken: set[int]) -> list[list[int]]:
    """Find features whose product with the other sides' score passes the family-wise threshold."""
    scores = [_standard(_columns(X, contrast, s, screen.clip) @ w) for s, w in zip(sides, weights, strict=True)]
    others = np.column_stack(
        [np.multiply.reduce([scores[o] for o in range(len(sides)) if o != k]) for k in range(len(sides))]
    ).astype(np.float32)
    candidates = np.array([feature for feature in screen.features if feature not in taken])
    largest = np.zeros(len(contrast.residuals) - 1)
    found = np.zeros((len(candidates), len(sides)))
    for start, stop in spans(len(candidates), _BLOCK):
        values = _columns(X, contrast, candidates[start:stop], screen.clip)
        z = np.abs(score_products(values, others, contrast.residuals, contrast.weight))
        found[start:stop] = z[0]
        largest = np.maximum(largest, z[1:].max((1, 2), initial=0))
    allowed = int(np.floor(screen.level * (1 + len(largest)) + 1e-9)) - 1
    if allowed < 0 or not len(candidates):
        return [[] for _ in sides]
    strong = found.max(1) > np.sort(largest)[::-1][allowed]
    side = found.argmax(1)
    order = np.lexsort((candidates, -found.max(1)))
    return [[int(candidates[i]) for i in order if strong[i] and side[i] == k] for k in range(len(sides))]


def _finished(X, screen, contrast, sides, products, name: str, joined: list[int]) -> Chord:
    """Weight all members once more, order them, and learn what their values need on any other rows."""
    weights = _weights(X, contrast, sides, screen.clip)
    order = [np.lexsort((side, -np.abs(weight))) for side, weight in zip(sides, weights, strict=True)]
    sides = [[side[i] for i in at] for side, at in zip(sides, order, strict=True)]
    weights = [weight[at] for weight, at in zip(weights, order, strict=True)]
    raw = [_dense(X[:, side]) for side in sides]
    mean = [values.mean(0, dtype=np.float64) for values in raw]
    scale = [np.where(values.std(0) > 0, values.std(0, dtype=np.float64), 1) for values in raw]
    sums = [((v - m) / s) @ w for v, m, s, w in zip(raw, mean, scale, weights, strict=True)]
    side_scale = [float(values.std()) or 1.0 for values in sums]
    value = np.multiply.reduce([bend(v / s) for v, s in zip(sums, side_scale, strict=True)])
    parts = [_columns(X, contrast, side, screen.clip) for side in sides]
    scores = [_standard(part @ weight) for part, weight in zip(parts, weights, strict=True)]
    member_z = []
    for k, part in enumerate(parts):
        other = np.multiply.reduce([scores[o] for o in range(len(sides)) if o != k])[:, None].astype(np.float32)
        z = score_products(part, other, contrast.residuals[:1], contrast.weight)[0][:, 0]
        member_z += z.tolist()
    return Chord(
        name=name,
        order=len(sides),
        class_name=products[0].class_name,
        z=products[0].z,
        n_products=len(products),
        sides=tuple(map(tuple, sides)),
        side_features=tuple(tuple(screen.names[i] for i in side) for side in sides),
        weights=tuple(tuple(w.tolist()) for w in weights),
        mean=tuple(tuple(m.tolist()) for m in mean),
        scale=tuple(tuple(s.tolist()) for s in scale),
        side_scale=tuple(side_scale),
        product_mean=float(value.mean()),
        product_scale=float(value.std()) or 1.0,
        joined=tuple(screen.names[i] for i in joined),
        member_z=tuple(member_z),
    )


def bend(score: np.ndarray) -> np.ndarray:
    """Bend a standardised score towards 1 and -1, so that a few cells far out do not make the product."""
    return score / np.sqrt(1 + np.square(score))


def _columns(X, contrast: Contrast, features, clip: float) -> np.ndarray:
    return contrast.columns(X, clip, np.asarray(features)).block(0, len(features))


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() or 1)


def _dense(X) -> np.ndarray:
    return X.toarray() if sp.issparse(X) else np.asarray(X)
