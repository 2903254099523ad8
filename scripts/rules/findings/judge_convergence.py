"""Rule judge_convergence: assess whether another set of as many passes would rank the same features first."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.findings.convergence import assess_convergence, read_top_sets

    top_sets = read_top_sets(snakemake.input, snakemake.params.top_k, snakemake.params.min_accuracy)
    convergence = assess_convergence(top_sets, snakemake.params.level, snakemake.params.cap)
    print(convergence.summary["statement"])
    write_table(convergence.curve, snakemake.output.convergence_table)
    write_json(convergence.summary, snakemake.output.convergence_summary)
