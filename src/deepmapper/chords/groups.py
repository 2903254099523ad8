"""From significant products to chords: connected components, divided into sides, weighted and extended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..core.arrays import dense
from .columns import select_rows, spans
from .contrasts import Contrast, family_threshold
from .core_members import find_core
from .scan import score_products
from .types import Chord, Pair, Screen
from .values import squash

_BLOCK = 512  # features that are tested at once for joining


def group_chords(X, screen: Screen, triplets: Screen | None = None, *, max_members: int = 40) -> tuple[Chord, ...]:
    """Group significant pairs and triplets into chords.

    Pairs that share features form one chord; if they have more than `max_members` features, the communities of their
    graph do (Louvain, weighted by z). The two sides are chosen so that most pairs lie across them. Triplets that share
    two features form one chord of three sides; a triplet that contains a significant pair adds nothing and is dropped.
    A further feature joins a side if its product with the other sides' score exceeds what permutations reach with any
    feature (family-wise, at the level of the screen), since a score over many genes detects a programme better than
    each gene does. If there are too few permutations for that level, none joins.

    Parameters
    ----------
    X
        The matrix that was screened.
    screen, triplets
        What `screen_pairs` and `screen_triplets` returned.
    max_members
        Number of features beyond which connected pairs are divided into communities.

    Returns
    -------
    tuple of Chord
        By decreasing size of the strongest product, ties by position.
    """
    drafts = [(_sides_of_pairs(pairs), pairs) for pairs in _connected(screen.found, 1, max_members)]
    if triplets is not None:
        known = [set(pair.positions) for pair in screen.found]
        new = [triplet for triplet in triplets.found if not any(pair <= set(triplet.positions) for pair in known)]
        drafts += [(_sides_of_triplets(part), part) for part in _connected(new, 2, max_members)]
    drafts.sort(key=lambda draft: (-abs(draft[1][0].z), draft[1][0].positions))
    if not drafts:
        return ()
    X = select_rows(X, screen.rows)
    taken: set[int] = {feature for sides, _ in drafts for side in sides for feature in side}
    chords = []
    for number, (sides, products) in enumerate(drafts, start=1):
        code = screen.classes.index(products[0].class_name)
        contrast = next(contrast for contrast in screen.contrasts if contrast.code == code)
        weights = _weights(X, contrast, sides, screen)
        joined = _joining(X, screen, contrast, sides, weights, taken)
        taken |= {feature for side in joined for feature in side}
        extended = [[*side, *more] for side, more in zip(sides, joined, strict=True)]
        chords.append(_make_chord(X, screen, contrast, extended, products, f"chord_{number}", sum(joined, [])))
    return tuple(chords)


def _connected(products: Sequence[Pair], shared: int, max_members: int) -> list[list[Pair]]:
    """Divide products into components connected by `shared` features; within each, by decreasing |z|."""
    parts: list[list[Pair]] = []
    for product in products:
        own = set(product.positions)
        touching = [part for part in parts if any(len(own & set(other.positions)) >= shared for other in part)]
        merged = [*sum(touching, []), product]
        parts = [part for part in parts if not any(part is other for other in touching)] + [merged]
    divided = []
    for part in parts:
        members = {feature for product in part for feature in product.positions}
        divided += [part] if shared > 1 or len(members) <= max_members else _communities(part)
    return [sorted(part, key=lambda product: (-abs(product.z), product.positions)) for part in divided]


def _communities(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Divide the pairs of one large graph into communities; pairs between two communities belong to neither."""
    import networkx

    graph = networkx.Graph()
    ordered = sorted(pairs, key=lambda pair: pair.positions)
    graph.add_weighted_edges_from((*pair.positions, abs(pair.z)) for pair in ordered)
    communities = networkx.community.louvain_communities(graph, seed=0)
    inside = [[pair for pair in ordered if set(pair.positions) <= community] for community in communities]
    return [part for part in inside if part]


def _sides_of_pairs(pairs: list[Pair]) -> list[list[int]]:
    """Divide members into the two sides between which their pairs lie: the most negative eigenvector of |z|."""
    members = sorted({feature for pair in pairs for feature in pair.positions})
    index = {feature: i for i, feature in enumerate(members)}
    strength = np.zeros((len(members), len(members)))
    for pair in pairs:
        a, b = (index[feature] for feature in pair.positions)
        strength[a, b] = strength[b, a] = abs(pair.z)
    vector = np.linalg.eigh(strength)[1][:, 0]
    first, second = (index[feature] for feature in pairs[0].positions)
    side = np.sign(vector) * (np.sign(vector[first]) or 1) > 0
    side[first], side[second] = True, False  # the strongest pair always lies between the sides
    return [[members[i] for i in np.flatnonzero(side)], [members[i] for i in np.flatnonzero(~side)]]


def _sides_of_triplets(triplets: list[Pair]) -> list[list[int]]:
    """The strongest triplet starts three sides; a feature joins the side whose member it most often replaces."""
    sides = [[feature] for feature in triplets[0].positions]
    votes: dict[int, Counter] = {}
    for triplet in triplets[1:]:
        shared = [k for k in range(3) if sides[k][0] in triplet.positions]
        new = [feature for feature in triplet.positions if feature not in triplets[0].positions]
        if len(shared) == 2 and len(new) == 1:
            replaced = 3 - sum(shared)  # the one of 0, 1 and 2 that is not shared
            votes.setdefault(new[0], Counter())[replaced] += 1
    for feature in sorted(votes):
        sides[max(sorted(votes[feature]), key=votes[feature].__getitem__)].append(feature)
    return sides


def _weights(X, contrast: Contrast, sides: list[list[int]], screen: Screen) -> list[np.ndarray]:
    """Weight members by their contribution: of two sides the first singular vectors of the scores of their products."""
    values = [_columns(X, contrast, side, screen) for side in sides]
    if len(sides) == 2:
        scores = score_products(values[0], values[1], contrast.residuals[:1], contrast.weight)[0]
        left, _, right = np.linalg.svd(scores)
        sign = np.sign(left[np.abs(left[:, 0]).argmax(), 0])
        return [left[:, 0] * sign, right[0] * sign]
    weights = []
    for k, side in enumerate(sides):
        others = _product_of_others([value[:, [0]] for value in values], k)
        z = score_products(values[k], others, contrast.residuals[:1], contrast.weight)[0][:, 0]
        weights.append(z / np.abs(z).max() * np.sign(z[0]) if len(side) > 1 else np.ones(1))
    return weights


def _joining(X, screen: Screen, contrast: Contrast, sides, weights, taken: set[int]) -> list[list[int]]:
    """Find, for each side, the features whose product with the other sides' score passes the family-wise threshold."""
    scores = _side_scores([_columns(X, contrast, side, screen) for side in sides], weights)
    others = np.column_stack([_product_of_others(scores, k) for k in range(len(sides))]).astype(np.float32)
    candidates = np.array([feature for feature in screen.features if feature not in taken], dtype=np.int64)
    null_largest = np.zeros(len(contrast.residuals) - 1)
    size = np.zeros((len(candidates), len(sides)))
    for start, stop in spans(len(candidates), _BLOCK):
        values = _columns(X, contrast, candidates[start:stop], screen)
        z = np.abs(score_products(values, others, contrast.residuals, contrast.weight))
        size[start:stop] = z[0]
        null_largest = np.maximum(null_largest, z[1:].max((1, 2), initial=0))
    joins = size.max(1) > family_threshold(null_largest, screen.options.level)
    side = size.argmax(1)
    order = np.lexsort((candidates, -size.max(1)))
    return [[int(candidates[i]) for i in order if joins[i] and side[i] == k] for k in range(len(sides))]


def _make_chord(X, screen: Screen, contrast: Contrast, sides, products, name: str, joined: list[int]) -> Chord:
    """Weight and order all members, and estimate what the chord's value in any other sample depends on."""
    weights = _weights(X, contrast, sides, screen)
    order = [np.lexsort((side, -np.abs(weight))) for side, weight in zip(sides, weights, strict=True)]
    sides = [[side[i] for i in index] for side, index in zip(sides, order, strict=True)]
    weights = [weight[index] for weight, index in zip(weights, order, strict=True)]
    raw = [dense(X[:, side]) for side in sides]
    mean = [values.mean(0, dtype=np.float64) for values in raw]
    scale = [np.where(values.std(0) > 0, values.std(0, dtype=np.float64), 1) for values in raw]
    sums = [((v - m) / s) @ w for v, m, s, w in zip(raw, mean, scale, weights, strict=True)]
    side_scale = [float(values.std()) or 1.0 for values in sums]
    value = np.multiply.reduce([squash(v / s) for v, s in zip(sums, side_scale, strict=True)])
    columns = [_columns(X, contrast, side, screen) for side in sides]
    scores = _side_scores(columns, weights)
    member_z: list[float] = []
    for k, members in enumerate(columns):
        others = _product_of_others(scores, k)[:, None].astype(np.float32)
        z = score_products(members, others, contrast.residuals[:1], contrast.weight)[0][:, 0]
        member_z += z.tolist()
    core, core_share = find_core(columns, weights, contrast)
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
        core=tuple(tuple(screen.names[side[i]] for i in few) for side, few in zip(sides, core, strict=True)),
        core_share=core_share,
    )


def _columns(X, contrast: Contrast, features, screen: Screen) -> np.ndarray:
    """Standardised values of a few features, (n, k), as the screen used them for this class."""
    return contrast.columns(X, screen.options.clip, np.asarray(features)).block(0, len(features))


def _side_scores(columns: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Score of each side, (n,): the weighted sum of its members, standardised."""
    sums = [values @ weight for values, weight in zip(columns, weights, strict=True)]
    return [(values - values.mean()) / (values.std() or 1) for values in sums]


def _product_of_others(values: Sequence[np.ndarray], k: int) -> np.ndarray:
    """Product of all but the k-th of two or three arrays."""
    return np.multiply.reduce([other for i, other in enumerate(values) if i != k])
