"""Rule judge_convergence: whether as many passes again would rank the same features first."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.findings.convergence import assess_convergence, read_top_sets

    heads = read_top_sets(snakemake.input, snakemake.params.top_k, snakemake.params.min_accuracy)
    judged = assess_convergence(heads, snakemake.params.level, snakemake.params.cap)
    print(judged.about["statement"])
    write_table(judged.curve, snakemake.output.convergence_table)
    write_json(judged.about, snakemake.output.convergence_summary)
