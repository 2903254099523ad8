"""Rule fit_embedding: fit principal components, and evaluate classifiers on them on the same samples as the passes."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json
    from deepmapper.features.store import open_features
    from deepmapper.findings.embedding import fit_run_embedding, write_embedding

    features = open_features(snakemake.input.features)
    found = fit_run_embedding(
        features,
        kind=snakemake.wildcards.embedding,
        **snakemake.params.options,
        out_of_bag=snakemake.params.out_of_bag,
        draws=snakemake.params.draws,
        bins=snakemake.params.bins,
        n_resamples=snakemake.params.resamples,
        seed=snakemake.params.split_seed,
    )
    print(*found.lines, sep="\n")
    write_embedding(snakemake.output.embedding, found, features)
    write_json(found.metrics, snakemake.output.metrics)
