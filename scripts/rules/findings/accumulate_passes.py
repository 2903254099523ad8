"""Rule accumulate_passes: rank the features by the passes of a model, and write the tables of the passes."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.model_ranking import accumulate_model
    from deepmapper.passes.result import PassFile

    found = accumulate_model(
        snakemake.wildcards.model,
        open_features(snakemake.input.features, snakemake.input.get("kinds")),
        [PassFile(path) for path in snakemake.input.passes],
        [PassFile(path) for path in snakemake.input.controls],
        top_k=snakemake.params.top_k,
        min_accuracy=snakemake.params.min_accuracy,
    )
    print(*found.lines, sep="\n")
    write_table(found.ranking, snakemake.output.ranking)
    write_table(found.passes, snakemake.output.passes)
    write_table(found.history, snakemake.output.history)
    write_table(found.agreement, snakemake.output.agreement)
    write_json(found.summary, snakemake.output.summary)
