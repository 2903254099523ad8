"""Rule compare_models: one row a model, logistic regression last."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    from deepmapper import findings
    from deepmapper.tables import write_table

    def read(path):
        return json.loads(Path(path).read_text())

    table = findings.model_table(
        [read(path) for path in snakemake.input.summaries],
        [read(path) for path in snakemake.input.metrics],
        read(snakemake.input.baseline),
        snakemake.params.kinds,
    )
    print(table.to_string(index=False))
    write_table(table, snakemake.output[0])
