"""Rule select_stable: stability selection on complementary halves of the development part."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.stability import select, stability_table
    from deepmapper.passes.result import HalfPass

    names = open_features(snakemake.input.features).names
    passes = [HalfPass.load(path) for path in snakemake.input.halves]
    summary, probability = select(passes, snakemake.params.top_k, snakemake.params.threshold, names)
    print(summary["statement"])
    write_table(stability_table(probability, names), snakemake.output.stability_table)
    write_json(summary, snakemake.output.stability_summary)
