"""Rule judge_convergence: whether as many passes again would rank the same features first."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper import convergence, growth
    from deepmapper.tables import write_json, write_table

    level, cap = snakemake.params.level, snakemake.params.cap
    heads = convergence.read_heads(snakemake.input, snakemake.params.top_k, snakemake.params.min_accuracy)
    judged = convergence.judge(heads, level)
    if cap is not None:
        grew = growth.account(judged.about, cap, level)
        judged.about.update(growth=grew, statement=f"{grew} {judged.about['statement']}")
    print(judged.about["statement"])
    write_table(judged.curve, snakemake.output.curve)
    write_json(judged.about, snakemake.output.about)
