"""Rule write_summary: one page that answers in a few lines."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.features.store import open_features
    from deepmapper.report.models import read_models
    from deepmapper.report.summary import summary_page
    from deepmapper.workflow.snakemake_report import unescaped

    given = snakemake.input
    page = summary_page(
        data={**unescaped(snakemake.params.data), "sizes": open_features(given.features).class_sizes},
        models=read_models(
            features=given.features_tables,
            audit=given.audit_tables,
            summary=given.summaries,
            metrics=given.metrics,
            significance=given.significance_summaries,
            stability=given.stability_summaries,
            convergence=given.convergence_summaries,
            panel=given.panel_summaries,
            reading_chords=snakemake.params.reading_chords,
        ),
        table=read_table(given.models),
        baseline=read_json(given.baseline),
        confounders=read_json(Path(given.features, "confounders.json")),
        screen=read_json(given.screen_summary),
        proof=read_json(given.proof_summary),
        chords=read_table(given.chords),
        evidence_panel=read_json(given.evidence_panel_summary),
        chart=Path(given.chart).read_text(),
    )
    with atomic_write(snakemake.output[0]) as path:
        path.write_text(page)
