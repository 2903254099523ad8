"""Rule fit_linear_baseline: fit logistic regression on all features, and evaluate it on the same samples as the passes.

These are the test split or, if none was set aside, the out-of-bag samples of the first passes.
"""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.table_schemas import BASELINE_FEATURES
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.baseline import fit_run_baseline

    found = fit_run_baseline(
        open_features(snakemake.input.features, snakemake.input.get("kinds")),
        C=snakemake.params.C,
        max_iter=snakemake.params.max_iter,
        out_of_bag=snakemake.params.out_of_bag,
        draws=snakemake.params.draws,
        bins=snakemake.params.bins,
        n_resamples=snakemake.params.resamples,
        seed=snakemake.params.split_seed,
        progress=print,
    )
    print(*found.lines, sep="\n")
    aliases = alias_of(read_table(snakemake.input.aliases))
    write_table(add_aliases(found.ranking, aliases), snakemake.output.ranking, BASELINE_FEATURES)
    write_json(found.metrics.numbers, snakemake.output.metrics)
    write_table(found.predictions, snakemake.output.predictions)
    write_table(found.metrics.per_class, snakemake.output.per_class)
    write_table(found.metrics.confusion, snakemake.output.confusion)
    write_table(found.metrics.calibration, snakemake.output.calibration)
