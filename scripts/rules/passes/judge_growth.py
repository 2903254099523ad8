"""Rule judge_growth: how well the first passes of a model agree, which decides whether there are more."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper import convergence
    from deepmapper.tables import write_json

    heads = convergence.read_heads(snakemake.input, snakemake.params.top_k, snakemake.params.min_accuracy)
    judged = convergence.agreement(heads)
    print(judged)
    write_json(judged, snakemake.output[0])
