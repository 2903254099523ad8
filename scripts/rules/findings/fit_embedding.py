"""Rule fit_embedding: fit an embedding on the development part."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tasks import run_in_tasks
    from deepmapper.findings.embedding import make_embedding

    arguments = {
        "store": snakemake.input.features,
        "folder": snakemake.output[0],
        "expression": snakemake.input.expression,
        "kind": snakemake.wildcards.embedding,
        **snakemake.params.options,
        "out_of_bag": snakemake.params.out_of_bag,
        "draws": snakemake.params.draws,
        "seed": snakemake.params.split_seed,
        "gpus": snakemake.resources.get("gpu", 0),
    }
    run_in_tasks(make_embedding, arguments, snakemake.resources.get("tasks", 1), snakemake.resources.scratch)
