"""Rule fit_embedding: fit an embedding, and evaluate classifiers on it on the same samples as the passes."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tasks import run_in_tasks
    from deepmapper.findings.embedding import make_embedding

    arguments = {
        "store": snakemake.input.features,
        "embedding": snakemake.output.embedding,
        "metrics": snakemake.output.metrics,
        "expression": snakemake.input.get("expression"),
        "kinds": snakemake.input.get("kinds") or None,
        "kind": snakemake.wildcards.embedding,
        **snakemake.params.options,
        "out_of_bag": snakemake.params.out_of_bag,
        "draws": snakemake.params.draws,
        "bins": snakemake.params.bins,
        "n_resamples": snakemake.params.resamples,
        "seed": snakemake.params.split_seed,
        "gpus": snakemake.resources.get("gpu", 0),
    }
    run_in_tasks(make_embedding, arguments, snakemake.resources.get("tasks", 1), snakemake.resources.scratch)
