"""Rule judge_growth: measure how well the first passes of a model agree, which decides whether more are trained."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json
    from deepmapper.findings.convergence import expected_agreement, read_top_sets

    top_sets = read_top_sets(snakemake.input, snakemake.params.top_k, snakemake.params.min_accuracy)
    agreement = expected_agreement(top_sets)
    print(agreement)
    write_json(agreement, snakemake.output[0])
