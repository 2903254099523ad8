"""Rule evaluate_ensemble: average the predictions of the passes on samples that they have not seen, and evaluate them.

If there is a test split, it is evaluated; otherwise the out-of-bag predictions of the passes are.
"""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.model_evaluation import evaluate_model
    from deepmapper.passes.result import PassFile

    found = evaluate_model(
        open_features(snakemake.input.features, snakemake.input.get("kinds")),
        [PassFile(path) for path in snakemake.input.passes],
        min_accuracy=snakemake.params.min_accuracy,
        bins=snakemake.params.bins,
        n_resamples=snakemake.params.resamples,
        seed=snakemake.params.split_seed,
        threads=snakemake.threads,
    )
    print(*found.lines, sep="\n")
    write_json(found.metrics.numbers, snakemake.output.metrics)
    write_table(found.metrics.per_class, snakemake.output.per_class)
    write_table(found.metrics.confusion, snakemake.output.confusion)
    write_table(found.metrics.calibration, snakemake.output.calibration)
    write_table(found.predictions, snakemake.output.predictions)
    with atomic_write(snakemake.output.embedding) as path:
        np.savez(path, **found.embedding)
