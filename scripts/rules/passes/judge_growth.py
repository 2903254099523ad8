"""Rule judge_growth: how well the first passes of a model agree, which decides whether there are more."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json
    from deepmapper.findings import convergence

    heads = convergence.read_heads(snakemake.input, snakemake.params.top_k, snakemake.params.min_accuracy)
    judged = convergence.agreement(heads)
    print(judged)
    write_json(judged, snakemake.output[0])
