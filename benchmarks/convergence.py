"""How good the expected number of passes is: judged from few passes, compared with what many others show.

    python benchmarks/convergence.py [--families heavy gap ...] [--sizes 10 20 40 80] [--repeats 12]
    python benchmarks/convergence.py --passes results/passes/linear --sizes 20 40     # of a run with hundreds of passes
    python benchmarks/convergence.py --auto [...]                                     # where `n_passes: auto` stops

Simulated passes draw the importance of 2,000 features as the exponential of an effect plus noise; the top 20 count. The
truth at m passes is the mean agreement of disjoint sets of m among 3,000 simulated, or among all given passes.
"""

import argparse
from pathlib import Path

import numpy as np

from deepmapper.findings import convergence, growth
from deepmapper.passes.result import PassResult

P, K, POOL, DIVISIONS = 2000, 20, 3000, 40


def heavy(rng):
    """Effects of all sizes."""
    effect = rng.normal(0, 1, P)
    return lambda n: np.exp(effect + rng.normal(size=(n, P)))


def gap(rng):
    """As many equal signals as places, nothing else."""
    effect = np.where(np.arange(P) < K, 3.0, 0.0)
    return lambda n: np.exp(effect + 1.5 * rng.normal(size=(n, P)))


def plateau(rng):
    """Ten strong signals; the other places go to features that hardly differ."""
    effect = rng.normal(0, 0.2, P) + np.where(np.arange(P) < 10, 5.0, 0.0)
    return lambda n: np.exp(effect + rng.normal(size=(n, P)))


def substitutes(rng):
    """Fifteen groups of four features that stand in for one another: each pass takes one of each."""
    effect, share = rng.normal(0, 0.5, P), rng.dirichlet(np.full(4, 2.0), 15)

    def draw(n):
        values = np.exp(effect + rng.normal(size=(n, P)))
        for group, shares in enumerate(share):
            values[np.arange(n), 4 * group + rng.choice(4, n, p=shares)] += np.exp(4 + rng.normal(size=n))
        return values

    return draw


def weak(rng):
    """Small effects under large noise."""
    effect = rng.normal(0, 0.5, P)
    return lambda n: np.exp(effect + 1.5 * rng.normal(size=(n, P)))


def noise(rng):
    """Nothing to find."""
    return lambda n: np.exp(rng.normal(size=(n, P)))


FAMILIES = {make.__name__: make for make in (heavy, gap, plateau, substitutes, weak, noise)}


def simulated(make):
    """Give a function that draws passes of a family, and the passes that tell the truth."""
    draw = make(np.random.default_rng(1))
    return draw, draw(POOL)


def given(folder):
    """Give the same of passes in files, drawn without replacement."""
    rng, files = np.random.default_rng(0), sorted(folder.glob("*.npz"), key=lambda path: int(path.stem))
    every = np.stack([PassResult.load(file, weights=False).importance for file in files])
    return lambda n: every[rng.choice(len(every), n, replace=False)], every


def truth(top_sets, sizes):
    """Mean agreement of disjoint sets, by their size, as a function of the size."""
    sizes = np.array([m for m in sizes if 2 * m <= len(top_sets)])
    shares = convergence.mean_agreement(top_sets, np.arange(len(top_sets)), sizes, DIVISIONS, np.random.default_rng(1))
    return lambda m: float(np.interp(np.log(m), np.log(sizes), shares)) if m <= sizes[-1] else np.nan


def compare(name, blocks, n, true, level):
    """Print a row: agreement at n, 2 n and 4 n passes, true and as expected from n, and the passes it takes."""
    told = [convergence.assess_convergence(top_sets, level) for top_sets in blocks]
    cells = []
    for m in (n, 2 * n, 4 * n):
        at = np.array(
            [
                [np.interp(np.log(m), np.log(one.curve["m"]), one.curve[c]) for c in ("mean", "low", "high")]
                for one in told
            ]
        )
        if np.isnan(true(m)):
            cells += ["-"] * 3
            continue
        error = at[:, 0] - true(m)
        covered = np.mean((at[:, 1] <= true(m)) & (true(m) <= at[:, 2]))
        cells += [f"{true(m):.2f}", f"{error.mean():+.2f} ± {np.sqrt((error**2).mean()):.2f}", f"{covered:.2f}"]
    needed = next((m for m in range(1, 1000) if true(m) >= level), None)
    ends = [[one.summary[key] or np.inf for key in ("estimate", "low", "high")] for one in told]
    found = sorted(estimate for estimate, _, _ in ends)
    spread = " ".join(str(found[round(q * (len(found) - 1))]) for q in (0, 0.5, 1))
    if needed is None:
        cells += ["-", spread, "-"]
    else:
        cells += [str(needed), spread, f"{np.mean([low <= needed <= high for _, low, high in ends]):.2f}"]
    print(f"| {name} | {n} | " + " | ".join(cells) + " |", flush=True)


def stops(name, draw, true, options):
    """Print where growing in tens from 20 to at most 200 stops, and what such passes truly agree by."""
    ended = []
    for _ in range(options.repeats):
        passes = draw(200)
        ended.append(
            growth.n_passes_needed(
                lambda n, passes=passes: convergence.expected_agreement(
                    convergence.make_top_sets(passes[:n], options.top_k)
                ),
                start=20,
                step=10,
                cap=200,
                level=options.level,
            )
        )
    shares = [true(n) for n in ended]
    print(
        f"{name}: stopped at {' '.join(map(str, sorted(ended)))}; true agreement there {np.mean(shares):.2f}",
        flush=True,
    )


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="*", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--passes", type=Path, help="a folder with {seed}.npz, in place of simulated passes")
    parser.add_argument("--auto", action="store_true", help="say where growing stops, in place of the table")
    parser.add_argument("--sizes", nargs="*", type=int, default=[10, 20, 40, 80])
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--top-k", type=int, default=K)
    parser.add_argument("--level", type=float, default=0.8)
    options = parser.parse_args()
    sizes = [1, 2, 3, 4, 6, 8, 10, 14, 20, 28, 40, 56, 80, 112, 160, 226, 320]
    if not options.auto:
        columns = " | ".join(f"{what} | error | within" for what in ("at n", "at 2 n", "at 4 n"))
        print(f"| passes | n | {columns} | needed | estimates | within |")
        print("|---" * 14 + "|")
    for name in [options.passes.name] if options.passes else options.families:
        draw, pool = given(options.passes) if options.passes else simulated(FAMILIES[name])
        true = truth(convergence.make_top_sets(pool, options.top_k), sizes)
        if options.auto:
            stops(name, draw, true, options)
            continue
        for n in options.sizes:
            blocks = [convergence.make_top_sets(draw(n), options.top_k) for _ in range(options.repeats)]
            compare(name, blocks, n, true, options.level)


if __name__ == "__main__":
    main()
