"""What single steps of a large study take: seconds, CPU seconds, anonymous memory and mapped pages of each.

    python benchmarks/synthetic.py study.h5ad --cells 100000 --features 30000
    python benchmarks/steps.py import study.h5ad expression.h5ad       # also a .zarr
    python benchmarks/steps.py prepare expression.h5ad features
    python benchmarks/steps.py audit features expression.h5ad
    python benchmarks/steps.py evidence features expression.h5ad       # --max-samples
    python benchmarks/steps.py screen features --min-detected 0.0525   # --max-samples, --memory-mb, --no-triplets
    python benchmarks/steps.py evaluate features --passes 30           # one pass of one epoch, judged so many times
    python benchmarks/steps.py store features --cells 1000000          # a store without the way to it

One process on one thread; nothing is written but what is named last, and a nameless file beside the store.
"""

import argparse
import time
from pathlib import Path

from common import configuration
from memory import Watch

ROOT = Path(__file__).parents[1]


class Step:
    """Tells what its body took, under a name."""

    def __init__(self, name):
        self.name, self.watch = name, Watch()

    def __enter__(self):
        self.started = time.process_time()
        return self.watch.__enter__()

    def __exit__(self, *given):
        self.watch.__exit__(*given)
        print(f"{self.name}: {self.watch}, {time.process_time() - self.started:.0f} CPU s", flush=True)


def bring_in(options):
    from deepmapper.io.expression import import_matrix

    with Step("import"):
        import_matrix(options.out, options.path)


def prepare(options):
    from deepmapper.features.prepare import prepare_features
    from deepmapper.features.store import write_features
    from deepmapper.io.expression import open_expression

    with Step("prepare"):
        write_features(options.out, prepare_features(open_expression(options.path), label_column="state"))


def store(options):
    import scaling

    with Step("store"):
        scaling.make(options.path, options.cells, options.features)


def audit(options):
    from deepmapper.features.store import open_features
    from deepmapper.findings.audit import audit_run
    from deepmapper.io.expression import open_expression

    features, expression = open_features(options.path), open_expression(options.out)
    with Step("audit"):
        notes = audit_run(features, expression, estimated=False).notes
    print(notes)


def evidence(options):
    from deepmapper.evidence.rank import rank_run
    from deepmapper.features.store import open_features
    from deepmapper.io.expression import open_expression

    features, expression = open_features(options.path), open_expression(options.out)
    asked = {"enabled": True, "draws": 4, "max_samples": options.max_samples}
    with Step("evidence"):
        _, about = rank_run(features, expression, asked, min_detected=options.min_detected, progress=print)
    print(about["statement"])


def screen(options):
    from deepmapper.chords.proof import prove, score_table
    from deepmapper.chords.run import screen_features
    from deepmapper.features.store import open_features
    from deepmapper.workflow import schema as workflow_schema
    from deepmapper.workflow import settings

    features = open_features(options.path)
    chosen = {"matrix": {"path": "x.h5ad"}, "labels": {"column": "y"}, "models": {"linear": {}}}
    given = {name: getattr(options, name) for name in ("min_detected", "max_samples", "memory_mb", "triplets")}
    chosen["chords"] = {**given, "device": "cpu"}
    schema = workflow_schema.load_schema(ROOT / "workflow/schemas/config.schema.yaml")
    chords = settings.validate_config(chosen, schema)["chords"]
    with Step("screen") as watch:

        def progress(line):
            spent = f"{time.process_time():.0f} CPU s, {watch.anonymous:.0f} + {watch.mapped:.0f} MB"
            print(f"  {spent}: {line}", flush=True)

        found = screen_features(features, chords, threads=1, folder=options.path.parent, progress=progress)
    print(found.summary["statement"])
    if found.chords:
        with Step("prove"):
            print(prove(features, found.chords, max_samples=options.max_samples)[1]["statement"])
            score_table(features, found.chords)


def evaluate(options):
    import numpy as np
    import torch

    from deepmapper.features.store import open_features
    from deepmapper.findings import ensemble, evaluation, metrics, predictions
    from deepmapper.passes.result import PassFile
    from deepmapper.passes.train import train_pass

    torch.set_num_threads(1)
    features = open_features(options.path)
    X, y, test = features.X, features.y, features.test
    file = options.path.with_name("pass.npz")
    with Step("a pass of one epoch"):
        config = configuration("cnn_small", epochs=1)
        train_pass(features.development_samples, config, 0).save(file)
    passes = [PassFile(file)] * options.passes
    with Step("judge"):
        probabilities = (ensemble.predict(one, X, test) for one in passes)
        judged = evaluation.evaluate_ensemble(probabilities, y[test], y[features.development], features.classes)
    with Step("metrics and predictions"):
        metrics.compute_metrics(judged, 10, 1000, 0, features.samples)
        predictions.prediction_table(features, passes, np.array(judged.y_proba))
    with Step("embedding"):
        embedding = ensemble.embed_ensemble(passes, X, np.arange(len(y)))
    with Step("map of the embedding"):
        ensemble.map_embedding(embedding)


STEPS = {
    "import": bring_in,
    "prepare": prepare,
    "store": store,
    "audit": audit,
    "evidence": evidence,
    "screen": screen,
    "evaluate": evaluate,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("path", type=Path)
    parser.add_argument("out", type=Path, nargs="?", help="what is written; for audit and evidence the expression")
    parser.add_argument("--min-detected", type=float, default=0.05)
    parser.add_argument("--max-samples", type=int, default=20_000)
    parser.add_argument("--memory-mb", type=int, default=512)
    parser.add_argument("--no-triplets", dest="triplets", action="store_false")
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=30_000)
    options = parser.parse_args()
    STEPS[options.step](options)


if __name__ == "__main__":
    main()
