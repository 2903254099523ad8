"""Rule compare_models: tabulate the models, one row each, with logistic regression last."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_json, read_table, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.model_table import against_baseline, model_table

    table = model_table(
        [read_json(path) for path in snakemake.input.summaries],
        [read_json(path) for path in snakemake.input.metrics],
        read_json(snakemake.input.baseline),
        snakemake.params.kinds,
        against_baseline(
            [read_table(path) for path in snakemake.input.predictions],
            read_table(snakemake.input.baseline_predictions),
            open_features(snakemake.input.features),
        ),
        {Path(path).stem: read_json(path) for path in snakemake.input.embeddings},
    )
    print(table.to_string(index=False))
    write_table(table, snakemake.output[0])
