"""A study in many files through the corridor: what each job costs, from the shards to a pass.

    python benchmarks/streaming.py shards --folder DIR/data --cells 1000000 --features 30000 --shards 20
    python benchmarks/shards.py --data DIR/data --folder DIR/run

Every job is a process of its own on one thread and does what the rule of this name does: `import_shard`, `scan_shard`
and `embed_cells` one shard, the others all cells. `stream_statistics` ranks variable features, too, `fit_embedding` has
50 components, `join_embedding` is `evaluate_embedding` without classifiers, and the pass has `--epochs`. Memory is that
which a job must be given (anonymous), beside pages of mapped files, which the system can take back. Of the shards the
largest is told. What every job cost is kept in jobs.jsonl of the folder, and jobs that are in it are not run again.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--shard", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        one(options)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    shards = sorted(options.data.glob("shard*.h5ad"))
    print("| job | jobs | CPU s, all | s, all | cells per CPU s | anonymous MB, largest | mapped MB, largest |")
    print("|---|---|---|---|---|---|---|")
    for step, parts in (
        ("import_shard", shards),
        ("merge_shards", [None]),
        ("prepare_features", [None]),
        ("scan_shard", shards),
        ("stream_statistics", [None]),
        ("fit_embedding", [None]),
        ("embed_cells", shards),
        ("join_embedding", [None]),
        ("train_pass", [None]),
    ):
        found = [measured(options, step, shard) for shard in parts]
        cpu, seconds, cells = (sum(part[key] for part in found) for key in ("cpu", "seconds", "cells"))
        most = [max(part[key] for part in found) for key in ("anonymous", "mapped")]
        used = f"{cpu:,.0f} | {seconds:,.0f} | {cells / cpu:,.0f} | {most[0]:.0f} | {most[1]:.0f}"
        print(f"| `{step}` | {len(found)} | {used} |", flush=True)


def measured(options, step, shard):
    """What a job cost: from the file of finished jobs, or by running it."""
    kept = options.folder / "jobs.jsonl"
    for line in kept.read_text().splitlines() if kept.exists() else ():
        if (job := json.loads(line))["job"] == [step, shard and shard.name]:
            return job
    job = {"job": [step, shard and shard.name], **run(options, step, shard)}
    with kept.open("a") as file:
        print(json.dumps(job), file=file)
    return job


def run(options, step, shard):
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, __file__, "--data", options.data, "--folder", options.folder, "--step", step]
    command += ["--epochs", options.epochs, *(["--shard", shard] if shard else [])]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{step} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def one(options):
    """One job, in this process; prints what it cost as JSON."""
    import time
    import warnings

    from memory import Watch

    warnings.simplefilter("ignore")
    with Watch() as watch:
        cells = STEPS[options.step](options.folder, options)
    seen = {name: getattr(watch, name) for name in ("seconds", "anonymous", "mapped")}
    print(json.dumps({"cpu": time.process_time(), "cells": cells, **seen}))


def import_shard(folder, options):
    from deepmapper.io.expression import import_matrix, open_expression

    out = folder / options.shard.name
    import_matrix(out, options.shard)
    return len(open_expression(out).obs)


def merge_shards(folder, options):
    from deepmapper.core.tables import write_json
    from deepmapper.io.join_shards import join_shards

    shards = {path.stem: path for path in sorted(folder.glob("shard*.h5ad"))}
    rows = join_shards(folder / "expression.h5ad", shards, described=["type"])
    write_json(rows, folder / "rows.json")
    return max(last for _, last in rows.values())


def prepare_features(folder, options):
    from deepmapper.features import prepare
    from deepmapper.features.store import write_features
    from deepmapper.io.expression import open_expression

    features = prepare.prepare_features(
        open_expression(folder / "expression.h5ad"), label_column="type", normalization="log1p_cp10k"
    )
    write_features(folder / "features", features)
    return len(features.y)


def scan_shard(folder, options):
    from deepmapper.features.store import open_features
    from deepmapper.findings.scans import scan_samples, write_scan
    from deepmapper.io.expression import open_expression

    first, last = json.loads((folder / "rows.json").read_text())[options.shard.stem]
    scan = scan_samples(open_features(folder / "features"), open_expression(folder / "expression.h5ad"), first, last)
    write_scan(folder / f"{options.shard.stem}.npz", scan)
    return last - first


def stream_statistics(folder, options):
    from deepmapper.features.store import open_features
    from deepmapper.findings.scans import merge_scans, read_scan
    from deepmapper.findings.statistics import feature_statistics
    from deepmapper.io.expression import open_expression

    features = open_features(folder / "features")
    scan = merge_scans(map(read_scan, sorted(folder.glob("shard*.npz"))))
    found = feature_statistics(features, open_expression(folder / "expression.h5ad"), False, folder, scan).table
    assert found["hvg_rank"].notna().any()
    return len(features.y)


def fit_embedding(folder, options):
    from deepmapper.features.store import open_features
    from deepmapper.findings.embedding import fit_run_embedding, write_run_embedding

    features = open_features(folder / "features")
    found = fit_run_embedding(features, n_components=50, out_of_bag=0.2, draws=[], seed=0)
    write_run_embedding(found, folder / "pca")
    return len(features.y)


def embed_cells(folder, options):
    from deepmapper.features.store import open_features
    from deepmapper.findings.embedded_samples import embed_samples, rows_of_shard
    from deepmapper.findings.embedding_files import write_part
    from deepmapper.io.expression import open_expression
    from deepmapper.models.fitted_embedding import open_embedding

    first, last = json.loads((folder / "rows.json").read_text())[options.shard.stem]
    features = open_features(folder / "features")
    rows = rows_of_shard(features, open_expression(folder / "expression.h5ad"), first, last)
    write_part(
        folder / f"pca.{options.shard.stem}.npy", embed_samples(open_embedding(folder / "pca"), features, rows=rows)
    )
    return len(rows)


def join_embedding(folder, options):
    from deepmapper.features.store import open_features
    from deepmapper.findings.embedding_files import join_parts, write_embedding

    features = open_features(folder / "features")
    parts = [folder / f"pca.{name}.npy" for name in json.loads((folder / "rows.json").read_text())]
    write_embedding(folder / "pca.npz", join_parts(parts, len(features.y)), features, folder / "pca")
    return len(features.y)


def train_pass(folder, options):
    import torch
    from common import configuration

    from deepmapper.features.store import open_features
    from deepmapper.passes.train import train_pass

    torch.set_num_threads(1)
    features = open_features(folder / "features")
    train_pass(features.development_samples, configuration("cnn_small", epochs=options.epochs), 0)
    return len(features.y)


STEPS = {
    function.__name__: function
    for function in (
        import_shard,
        merge_shards,
        prepare_features,
        scan_shard,
        stream_statistics,
        fit_embedding,
        embed_cells,
        join_embedding,
        train_pass,
    )
}

if __name__ == "__main__":
    main()
