"""Rule write_summary: one page that answers in a few lines."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from html import unescape
    from pathlib import Path

    import numpy as np

    from deepmapper.report import Model, summary_page
    from deepmapper.store import open_features, whole_file
    from deepmapper.tables import read_table

    def read(path):
        return json.loads(Path(path).read_text())

    given = snakemake.input
    features = open_features(given.features)
    sizes = dict(zip(features.classes, np.bincount(features.y).tolist(), strict=True))
    models = [
        Model(
            summary=read(summary),
            metrics=read(metrics),
            features=read_table(ranking),
            audit=read_table(audit),
            significance=read(significance),
            stability=read(stability),
            convergence=read(converged),
            panel=read(panel),
            reads_chords=read(summary)["model"] in snakemake.params.reading_chords,
        )
        for summary, metrics, ranking, audit, significance, stability, converged, panel in zip(
            given.summaries,
            given.metrics,
            given.rankings,
            given.audits,
            given.significance,
            given.stability,
            given.converged,
            given.panels,
            strict=True,
        )
    ]
    page = summary_page(
        data={**{name: unescape(text) for name, text in snakemake.params.data.items()}, "sizes": sizes},
        models=models,
        table=read_table(given.models),
        baseline=read(given.baseline),
        confounders=read(Path(given.features) / "confounders.json"),
        screen=read(given.screen),
        proof=read(given.proof),
        chords=read_table(given.chords),
        evidence_panel=read(given.evidence_panel),
        chart=Path(given.chart).read_text(),
    )
    with whole_file(snakemake.output[0]) as path:
        path.write_text(page)
