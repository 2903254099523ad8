"""Rule select_stable: run stability selection on complementary halves of the development part."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.stability import select_stable
    from deepmapper.passes.result import HalfPass

    names = open_features(snakemake.input.features).names
    passes = [HalfPass.load(path) for path in snakemake.input.halves]
    selection = select_stable(passes, snakemake.params.top_k, snakemake.params.threshold, names)
    print(selection.summary["statement"])
    write_table(selection.table, snakemake.output.stability_table)
    write_json(selection.summary, snakemake.output.stability_summary)
