"""Gene chords beside methods made for interactions, on planted data.

    python benchmarks/chord_peers.py                                     # every method, a process for each
    python benchmarks/chord_peers.py --methods screen correlation --labels main module --seeds 20

Genes that interact are planted (`simulate.counts`): parity of two or three genes, of two programmes, and programmes
besides main effects (mixed). `main` and `module` have main effects only, so every pair that is called is false. A
method gives a score for every gene, and names pairs if it states an error rate. AUPRC: genes of the interaction against
genes without any effect. skrebate, hidimstat and shapiq have to be installed for the methods that use them.
"""

import argparse
import subprocess
import sys
import time
import warnings

import numpy as np

METHODS = (
    *("screen", "with_triplets", "marginal", "multisurf", "turf", "correlation", "permuted", "forest", "lasso"),
    *("knockoffs", "shapiq"),
)
LABELS = ("pair", "triplet", "programs", "mixed", "main", "module")
RATED = ("screen", "with_triplets", "correlation", "permuted", "knockoffs")  # name pairs at an error rate
SIDES = {"pair": ("pair",), "triplet": ("triplet",)}
LEVEL = 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="all", choices=["all", "measure"])
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--labels", nargs="+", default=LABELS, choices=LABELS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", default="small", choices=["full", "half", "small"])
    options = parser.parse_args()
    if options.part == "measure":
        measure(options)
        return
    print("method label seeds auprc least chance named true any_named cpu_seconds peak_mb".replace(" ", "\t"))
    for method in options.methods:
        command = [sys.executable, __file__, "measure", "--methods", method, "--labels", *options.labels]
        command += ["--seeds", str(options.seeds), "--preset", options.preset]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        for line in done.stdout.splitlines() if done.returncode == 0 else [f"{method}\t{done.stderr.strip()[-300:]}"]:
            print(line, flush=True)


def measure(options):
    """Run one method on every label and seed; a line for each label."""
    import resource

    from sklearn.metrics import average_precision_score

    from deepmapper.simulate.counts import plant

    warnings.simplefilter("ignore")
    method = options.methods[0]
    for label in options.labels:
        if label in ("main", "module") and method not in RATED:
            continue
        rows = []
        for seed in range(options.seeds):
            planted = plant(options.preset, seed)
            X, (y, classes) = planted.log_normalised(), planted.codes(label)
            category = planted.var["category"].to_numpy()
            sides = SIDES.get(label, ("program_1", "program_2"))
            truth = np.isin(category, sides) & (label not in ("main", "module"))
            judged = truth | (category == "null")
            start = time.process_time()
            score, named = globals()[method](X, y, classes, seed)
            seconds = time.process_time() - start
            right = [truth[list(one)].all() and len(set(category[list(one)])) == len(sides) for one in named]
            auprc = average_precision_score(truth[judged], score[judged]) if truth.any() else np.nan
            rows.append([auprc, truth[judged].mean(), len(named), sum(right), len(named) > 0, seconds])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        auprc, chance, *counts, seconds = np.mean(rows, 0)
        counts = [f"{value:.2f}" if method in RATED else "" for value in counts]
        cells = [method, label, options.seeds, f"{auprc:.3f}", f"{np.min(rows, 0)[0]:.3f}", f"{chance:.3f}", *counts]
        print(*cells, f"{seconds:.1f}", f"{peak:.0f}", sep="\t", flush=True)


def screen(X, y, classes, seed):
    """Pairs of the screen, family-wise 5 %."""
    from deepmapper.chords.screen import screen_pairs
    from deepmapper.chords.types import ScreenOptions

    done = screen_pairs(X, y, ScreenOptions(seed=seed, threads=1))
    return done.best, [pair.positions for pair in done.found]


def with_triplets(X, y, classes, seed):
    """Pairs and triplets, each family-wise 5 %; the scores of both in units of their threshold."""
    from deepmapper.chords.screen import screen_pairs, screen_triplets
    from deepmapper.chords.types import ScreenOptions

    pairs = screen_pairs(X, y, ScreenOptions(seed=seed, threads=1))
    triplets = screen_triplets(X, pairs)
    found = [product.positions for product in (*pairs.found, *triplets.found)]
    return np.maximum(pairs.best / pairs.threshold, triplets.best / triplets.threshold), found


def marginal(X, y, classes, seed):
    """F statistic of each gene by itself."""
    from sklearn.feature_selection import f_classif

    return np.nan_to_num(f_classif(X.toarray(), y)[0]), []


def multisurf(X, y, classes, seed):
    """MultiSURF of skrebate."""
    from skrebate import MultiSURF

    return MultiSURF().fit(X.toarray().astype(np.float64), y).feature_importances_, []


def turf(X, y, classes, seed):
    """TuRF of skrebate over MultiSURF, with its defaults: half of the genes are left out in each of two rounds."""
    from skrebate import MultiSURF
    from skrebate.turf import TURF

    return TURF(MultiSURF(), pct=0.5).fit(X.toarray().astype(np.float64), y).feature_importances_, []


def correlation(X, y, classes, seed):
    """Differential correlation as DGCA has it: Fisher's z of a class against the rest, then Benjamini and Hochberg."""
    from scipy.stats import norm

    first, second = np.triu_indices(X.shape[1], 1)
    size = _differences(X.toarray(), y)
    named = _benjamini_hochberg(2 * norm.sf(size)) % len(first)
    return _largest(size.reshape(-1, len(first)).max(0), first, second, X.shape[1]), _pairs(first, second, named)


def permuted(X, y, classes, seed):
    """The same z with p from fifty permutations of the labels, all pairs together, as DGCA has it (ten by default)."""
    first, second = np.triu_indices(X.shape[1], 1)
    values, rng = X.toarray(), np.random.default_rng(seed)
    size = _differences(values, y)
    null = np.sort(np.concatenate([_differences(values, rng.permutation(y)) for _ in range(50)]))
    p = (1 + len(null) - np.searchsorted(null, size)) / (1 + len(null))
    named = _benjamini_hochberg(p) % len(first)
    return _largest(size.reshape(-1, len(first)).max(0), first, second, X.shape[1]), _pairs(first, second, named)


def _differences(X, y):
    """Fisher's z of the difference of every correlation, each class against the rest: (classes x pairs,)."""
    first, second = np.triu_indices(X.shape[1], 1)
    codes = range(1, 2) if y.max() == 1 else range(y.max() + 1)
    tests = []
    for code in codes:
        z, variance = [], 0.0
        for rows in (y == code, y != code):
            values = X[rows] - X[rows].mean(0)
            values /= np.maximum(np.sqrt((values**2).sum(0)), 1e-9)
            z.append(np.arctanh(np.clip((values.T @ values)[first, second], -0.999, 0.999)))
            variance += 1 / (rows.sum() - 3)
        tests.append(np.abs(z[0] - z[1]) / np.sqrt(variance))
    return np.concatenate(tests)


def _benjamini_hochberg(p):
    """Positions of the tests at a false discovery rate of 5 %."""
    order = np.argsort(p, kind="stable")
    passed = np.flatnonzero(p[order] <= LEVEL * np.arange(1, len(p) + 1) / len(p))
    return order[: passed[-1] + 1 if len(passed) else 0]


def _pairs(first, second, named):
    return [(first[i], second[i]) for i in np.unique(named)]


def forest(X, y, classes, seed):
    """Random forest: decrease of impurity where a gene splits below another, beyond what the two give by chance."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(500, min_samples_leaf=5, random_state=seed, n_jobs=1).fit(X.toarray(), y)
    p = X.shape[1]
    joint = np.zeros((p, p))
    for tree in (estimator.tree_ for estimator in model.estimators_):
        weight = tree.weighted_n_node_samples * tree.impurity
        stack = [(0, ())]
        while stack:
            node, above = stack.pop()
            left, right = tree.children_left[node], tree.children_right[node]
            if left < 0:
                continue
            gene = tree.feature[node]
            for other in above:
                joint[gene, other] += weight[node] - weight[left] - weight[right]
            stack += [(left, (*above, gene)), (right, (*above, gene))]
    joint += joint.T
    np.fill_diagonal(joint, 0)
    expected = np.outer(joint.sum(0), joint.sum(0)) / max(joint.sum(), 1e-9)
    return ((joint - expected) / np.sqrt(expected + 1e-9)).max(0), []


def lasso(X, y, classes, seed):
    """Logistic regression with all products and an L1 penalty, half of the smallest one that leaves nothing."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import l1_min_c

    Z = _standardised(X)
    first, second = np.triu_indices(Z.shape[1], 1)
    products = Z[:, first] * Z[:, second]
    products = (products - products.mean(0)) / np.maximum(products.std(0), 1e-6)
    both = np.asfortranarray(np.hstack([Z, products]), dtype=np.float64)
    score = np.zeros(Z.shape[1])
    for code in range(1, 2) if len(classes) == 2 else range(len(classes)):
        C = 2 * l1_min_c(both, y == code, loss="log")
        model = LogisticRegression(C=C, l1_ratio=1, solver="liblinear", tol=1e-2, random_state=seed)
        size = np.abs(model.fit(both, y == code).coef_[0, Z.shape[1] :])
        score = np.maximum(score, _largest(size, first, second, Z.shape[1]))
    return score, []


def knockoffs(X, y, classes, seed):
    """Gaussian knockoffs of hidimstat, and the filter for pairs of Diamond, at a false discovery rate of 5 %.

    The statistic of a pair is the size of the correlation of its product with a class.
    """
    from hidimstat.samplers import GaussianKnockoffs

    Z = _standardised(X).astype(np.float64)
    copies = GaussianKnockoffs().fit(Z).sample(random_state=seed)
    copies = copies.reshape(Z.shape)
    both = np.hstack([Z, (copies - copies.mean(0)) / copies.std(0)])
    p, size = Z.shape[1], 0.0
    for code in range(len(classes)):
        member = (y == code) - (y == code).mean()
        total, squared = (both * member[:, None]).T @ both, (both**2).T @ both**2
        mean = both.T @ both / len(y)
        size = np.maximum(size, np.abs(total) / np.sqrt(np.maximum(squared - len(y) * mean**2, 1e-9) * member.var()))
    first, second = np.triu_indices(p, 1)
    real, copied = size[first, second], size[first + p, second + p]
    mixed = np.concatenate([size[first, second + p], size[first + p, second]])
    named = []
    for threshold in np.sort(real)[::-1][:2000]:
        false = max((mixed >= threshold).sum() - (copied >= threshold).sum(), 0)
        if (false + 1) / max((real >= threshold).sum(), 1) <= LEVEL:
            named = [(first[i], second[i]) for i in np.flatnonzero(real >= threshold)]
    return _largest(real, first, second, p), named


def shapiq(X, y, classes, seed):
    """Pairwise Shapley interactions of a trained mlp: KernelSHAP-IQ, 10 cells, 2,000 evaluations of each.

    Its players are the 40 genes that are most important to the network: 300 have too many pairs. The other genes follow
    by their importance.
    """
    import torch
    from common import configuration
    from shapiq import KernelSHAPIQ

    from deepmapper.features.samples import Samples
    from deepmapper.findings import ensemble
    from deepmapper.passes.train import train_pass

    torch.set_num_threads(1)
    X = X.toarray()
    result = train_pass(Samples(X, y, classes), configuration("mlp"), seed)
    importance = np.asarray(result.importance, dtype=np.float64)
    genes, mean = np.argsort(-importance)[:40], X.mean(0)
    size = np.zeros((40, 40))
    for row in np.random.default_rng(seed).choice(len(y), 10, replace=False):

        def game(coalitions, row=row):
            values = np.tile(mean, (len(np.atleast_2d(coalitions)), 1)).astype(np.float32)
            values[:, genes] = np.where(np.atleast_2d(coalitions), X[row, genes], mean[genes])
            return ensemble.predict(result, values, np.arange(len(values)))[:, y[row]].astype(np.float64)

        found = KernelSHAPIQ(n=40, max_order=2, index="k-SII", random_state=seed).approximate(2000, game)
        for players, value in found.dict_values.items():
            if len(players) == 2:
                size[players] += abs(value)
    score = importance / importance.max() - 1
    score[genes] = np.maximum(size, size.T).max(0)
    return score, []


def _standardised(X):
    X = X.toarray()
    return (X - X.mean(0)) / np.maximum(X.std(0), 1e-6)


def _largest(size, first, second, p):
    """For each gene, the largest value of its pairs."""
    score = np.zeros(p)
    np.maximum.at(score, first, size)
    np.maximum.at(score, second, size)
    return score


if __name__ == "__main__":
    main()
