"""All networks on the same cells: accuracy, seconds and memory of a pass, and how far rankings agree.

    python benchmarks/backbones.py    # the demo's matrix; writes docs/backbones.tsv, .svg and the table in .md
    python benchmarks/backbones.py --kinds resnet18 resnet18_s --passes 2    # measures these anew, keeps the others
    python benchmarks/backbones.py --kinds timm:resnet10t    # needs timm; not among those that are measured unasked

A quarter of the cells is held out (split seed 0); on the rest every kind trains its passes with the workflow's
defaults, each kind in a process of its own. Agreement is between the mean importances of the first and of the second
half of the passes, which share no seed: the rank correlation over all features, and the share of the first 20 that both
name. Seconds are those of the processor.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The residual networks at the width that a processor trains in reasonable time.
KINDS = {
    "linear": {},
    "mlp": {},
    "cnn_small": {},
    "cnn": {},
    "vit_cct": {},
    "conv_vae": {},
    "resnet18": {"width": 16},
    "resnet18_s": {"width": 16},
    "resnet34_s": {"width": 16},
    "resnet50_s": {"width": 16},
    "timm:resnet10t": {},
}
COLUMNS = {
    "kind": "network",
    "passes": "passes",
    "accuracy": "one pass",
    "ensemble": "ensemble",
    "seconds": "CPU seconds a pass",
    "peak": "peak MB",
    "spearman": "agreement, rank correlation",
    "overlap": "agreement, first 20",
}
DIGITS = {"passes": 0, "peak": 0, "seconds": 2}
BEGIN, END = "<!-- head to head -->", "<!-- /head to head -->"


def main():
    from common import add_matrix

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_matrix(parser)
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=[kind for kind in KINDS if not kind.startswith("timm:")]
    )
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/backbones", help="path without its ending")
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    found = []
    for kind in options.kinds:
        found.append(in_a_process(kind, options))
        print("  ".join(f"{key} {shown(key, found[-1][key])}" for key in COLUMNS), flush=True)
    save(with_earlier(found, options.out.with_suffix(".tsv")), options.out)


def in_a_process(kind, options):
    threads = {name: str(options.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    command = [sys.executable, __file__, *sys.argv[1:], "--child", kind]
    done = subprocess.run(command, env={**os.environ, **threads}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(options):
    """Train and judge the passes of one kind."""
    import resource
    import time

    import numpy as np
    import torch
    from common import configuration, read
    from scipy.stats import spearmanr

    from deepmapper.features.samples import Samples
    from deepmapper.features.splits import split_off_test
    from deepmapper.findings.ensemble import predict
    from deepmapper.passes.train import train_pass

    torch.set_num_threads(options.threads)
    X, y, classes, _ = read(options)
    rest, test = split_off_test(y, 0.25, 0)
    kind = options.child
    config = configuration("network", kind=kind, extra=KINDS[kind])
    importances, probabilities, seconds = [], [], 0.0
    for seed in range(options.passes):
        start = time.process_time()
        result = train_pass(Samples(X, y, classes, rows=rest), config, seed)
        seconds += (time.process_time() - start) / options.passes
        importances.append(result.importance)
        probabilities.append(predict(result, X, test))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    half = options.passes // 2
    one, other = np.mean(importances[:half], axis=0), np.mean(importances[half:], axis=0)
    first = [set(np.argsort(-importance, kind="stable")[:20].tolist()) for importance in (one, other)]
    return {
        "kind": kind + "".join(f", {name} {value}" for name, value in KINDS[kind].items()),
        "passes": options.passes,
        "accuracy": float(np.mean([(p.argmax(1) == y[test]).mean() for p in probabilities])),
        "ensemble": float((np.mean(probabilities, axis=0).argmax(1) == y[test]).mean()),
        "seconds": seconds,
        "peak": peak,
        "spearman": float(spearmanr(one, other).statistic),
        "overlap": len(first[0] & first[1]) / 20,
    }


def shown(key, value):
    return value if key == "kind" else f"{value:.{DIGITS.get(key, 3)}f}"


def with_earlier(found, table):
    """Add the rows of an earlier table about networks that were not measured now, in the order of `KINDS`."""
    rows = {one["kind"]: one for one in found}
    if table.exists():
        for line in table.read_text(encoding="utf-8").splitlines()[1:]:
            kind, *figures = line.split("\t")
            rows.setdefault(kind, {"kind": kind} | dict(zip(list(COLUMNS)[1:], map(float, figures), strict=True)))
    order = list(KINDS)
    return sorted(rows.values(), key=lambda one: order.index(one["kind"].split(",")[0]))


def save(found, out):
    """Write the figures, the plot, and the table into the page about networks, where it has a place for it."""
    lines = ["\t".join(COLUMNS), *("\t".join(str(one[key]) for key in COLUMNS) for one in found)]
    out.with_suffix(".tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    plot(found, out.with_suffix(".svg"))
    rows = [list(COLUMNS.values()), ["---"] * len(COLUMNS)]
    rows += [[shown(key, one[key]) for key in COLUMNS] for one in found]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    page = out.with_suffix(".md")
    if page.exists():
        text = page.read_text(encoding="utf-8")
        page.write_text(
            re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{table}\n\n{END}", text, flags=re.DOTALL), encoding="utf-8"
        )
    print(table)


def plot(found, path):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "backbones"  # the same file from the same figures
    panels = (("ensemble", "accuracy held out"), ("seconds", "CPU seconds a pass"), ("spearman", "rankings' agreement"))
    figure, axes = plt.subplots(1, 3, figsize=(11, 0.4 * len(found) + 1.2), sharey=True, layout="constrained")
    names = [one["kind"] for one in found]
    for axis, (key, title) in zip(axes, panels, strict=True):
        axis.barh(names, [one[key] for one in found], color="#4477aa")
        axis.set_title(title, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].plot([one["accuracy"] for one in found], names, "o", color="#ee6677", label="one pass")
    axes[0].set_xlim(0, 1)
    axes[0].legend(fontsize=8, loc="lower right")
    axes[1].set_xscale("log")
    axes[2].set_xlim(0, 1)
    axes[0].invert_yaxis()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
