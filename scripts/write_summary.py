"""Rule write_summary: one page that answers in a few lines."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    from deepmapper.findings import read_table
    from deepmapper.report import summary_page
    from deepmapper.store import whole_file

    def read(path):
        return json.loads(Path(path).read_text())

    page = summary_page(
        data=snakemake.params.data,
        models=read_table(snakemake.input.models),
        summaries=[read(path) for path in snakemake.input.summaries],
        metrics=[read(path) for path in snakemake.input.metrics],
        baseline=read(snakemake.input.baseline),
        features=[read_table(path) for path in snakemake.input.features],
        chart=Path(snakemake.input.chart).read_text(),
    )
    with whole_file(snakemake.output[0]) as path:
        path.write_text(page)
