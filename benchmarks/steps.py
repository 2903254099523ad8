"""What single steps of a large study take: seconds, CPU seconds, anonymous memory and mapped pages of each.

    python benchmarks/synthetic.py study.h5ad --cells 100000 --features 30000
    python benchmarks/steps.py import study.h5ad expression.h5ad       # also a .zarr
    python benchmarks/steps.py prepare expression.h5ad features
    python benchmarks/steps.py audit features expression.h5ad
    python benchmarks/steps.py evidence features expression.h5ad       # --most-samples
    python benchmarks/steps.py screen features --min-detected 0.0525   # --most-samples, --memory-mb, --no-triplets
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
    from deepmapper.matrix_files import import_matrix

    with Step("import"):
        import_matrix(options.out, options.path)


def prepare(options):
    from deepmapper.matrix_files import open_expression
    from deepmapper.prepare import prepare_features
    from deepmapper.store import write_features

    with Step("prepare"):
        write_features(options.out, prepare_features(open_expression(options.path), label_column="state"))


def store(options):
    import scaling

    with Step("store"):
        scaling.make(options.path, options.cells, options.features)


def audit(options):
    from deepmapper.audit import audit_run
    from deepmapper.matrix_files import open_expression
    from deepmapper.store import open_features

    features, expression = open_features(options.path), open_expression(options.out)
    with Step("audit"):
        _, notes = audit_run(features, expression, estimated=False)
    print(notes)


def evidence(options):
    from deepmapper.evidence import weigh_run
    from deepmapper.matrix_files import open_expression
    from deepmapper.store import open_features

    features, expression = open_features(options.path), open_expression(options.out)
    asked = {"enabled": True, "draws": 4, "most_samples": options.most_samples}
    with Step("evidence"):
        _, about = weigh_run(features, expression, asked, min_detected=options.min_detected, tell=print)
    print(about["statement"])


def screen(options):
    from deepmapper import settings
    from deepmapper.chord_findings import prove, score_table, screen_features
    from deepmapper.store import open_features

    features = open_features(options.path)
    chosen = {"matrix": {"path": "x.h5ad"}, "labels": {"column": "y"}, "models": {"linear": {}}}
    given = {name: getattr(options, name) for name in ("min_detected", "most_samples", "memory_mb", "triplets")}
    chosen["chords"] = {**given, "device": "cpu"}
    schema = settings.load_schema(ROOT / "workflow/schemas/config.schema.yaml")
    chords = settings.validate_config(chosen, schema)["chords"]
    with Step("screen") as watch:

        def tell(line):
            spent = f"{time.process_time():.0f} CPU s, {watch.anonymous:.0f} + {watch.mapped:.0f} MB"
            print(f"  {spent}: {line}", flush=True)

        found = screen_features(features, chords, threads=1, folder=options.path.parent, tell=tell)
    print(found.about["statement"])
    if found.chords:
        with Step("prove"):
            print(prove(features, found.chords, most_samples=options.most_samples)[1]["statement"])
            score_table(features, found.chords)


def evaluate(options):
    import numpy as np
    import torch

    from deepmapper import evaluate, findings
    from deepmapper.pass_result import PassFile
    from deepmapper.passes import train_pass
    from deepmapper.store import open_features

    torch.set_num_threads(1)
    features = open_features(options.path)
    X, y, test = features.X, features.y, features.test
    file = options.path.with_name("pass.npz")
    with Step("a pass of one epoch"):
        config = configuration("cnn_small", epochs=1)
        train_pass(features.development_samples, config, 0).save(file)
    passes = [PassFile(file)] * options.passes
    with Step("judge"):
        probabilities = (evaluate.predict(one, X, test) for one in passes)
        judged = evaluate.judge_ensemble(probabilities, y[test], y[features.development], features.classes)
    with Step("metrics and predictions"):
        findings.metrics(judged, 10, 1000, 0, features.samples)
        findings.prediction_table(features, passes, np.array(judged.y_proba))
    with Step("embedding"):
        embedding = evaluate.embed_ensemble(passes, X, np.arange(len(y)))
    with Step("map of the embedding"):
        evaluate.map_embedding(embedding)


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
    parser.add_argument("--most-samples", type=int, default=20_000)
    parser.add_argument("--memory-mb", type=int, default=512)
    parser.add_argument("--no-triplets", dest="triplets", action="store_false")
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=30_000)
    options = parser.parse_args()
    STEPS[options.step](options)


if __name__ == "__main__":
    main()
