"""Rule calibrate_features: compute z, p and q of every feature against shadow features, and intervals over passes."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.model_q_values import calibrate_model
    from deepmapper.passes.result import PassFile

    found = calibrate_model(
        open_features(snakemake.input.features),
        [PassFile(path) for path in snakemake.input.passes],
        [PassFile(path) for path in snakemake.input.shadows],
        min_accuracy=snakemake.params.min_accuracy,
        level=snakemake.params.level,
        min_detected=snakemake.params.min_detected,
        n_resamples=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
    print(found.summary["statement"])
    write_table(found.table, snakemake.output.significance_table)
    with atomic_write(snakemake.output.pass_scores) as path:
        np.save(path, found.scores)
    write_table(found.null, snakemake.output.null_table)
    write_json(found.summary, snakemake.output.significance_summary)
