"""Rule write_summary: write the summary page."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    from deepmapper.core.aliases import alias_of
    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.features.store import open_features
    from deepmapper.reads.cautions import reads_cautions
    from deepmapper.reads.denovo import is_denovo
    from deepmapper.reads.fates import describe_fragments, read_fragments
    from deepmapper.report.models import read_models
    from deepmapper.report.summary import summary_page
    from deepmapper.workflow.snakemake_report import unescaped

    inputs = snakemake.input
    features = open_features(inputs.features)
    of_reads, of_fragments = [], ""
    if aligned_to := snakemake.params.get("aligned_to"):
        of_reads = reads_cautions(
            inputs.get("chromosomes", ""),
            inputs.quantifications,
            inputs.get("fragments", ""),
            inputs.get("alignment", ""),
            aligned_to=aligned_to,
        )
    if inputs.get("fragments"):
        n_novel = sum(map(is_denovo, features.names))
        of_fragments = describe_fragments(read_fragments(inputs.fragments), n_novel)
        of_fragments += " " + read_json(inputs.error_rate)["statement"]
    enrichment = None
    if inputs.get("enrichment_table"):
        enrichment = read_table(inputs.enrichment_table), read_json(inputs.enrichment_summary)
    page = summary_page(
        data={**unescaped(snakemake.params.data), "sizes": features.class_sizes},
        models=read_models(
            features=inputs.features_tables,
            audit=inputs.audit_tables,
            summary=inputs.summaries,
            metrics=inputs.metrics,
            significance=inputs.significance_summaries,
            stability=inputs.stability_summaries,
            convergence=inputs.convergence_summaries,
            panel=inputs.panel_summaries,
            reading_chords=snakemake.params.reading_chords,
        ),
        table=read_table(inputs.models),
        baseline=read_json(inputs.baseline),
        confounders=read_json(Path(inputs.features, "confounders.json")),
        screen=read_json(inputs.screen_summary),
        proof=read_json(inputs.proof_summary),
        chords=read_table(inputs.chords),
        evidence_panel=read_json(inputs.evidence_panel_summary),
        differential=read_json(inputs.differential_summary),
        markers=read_table(inputs.markers),
        recommended=read_table(inputs.recommended),
        recommendation=read_json(inputs.recommended_summary),
        baseline_features=read_table(inputs.baseline_features),
        enrichment=enrichment,
        aliases=alias_of(read_table(inputs.aliases)),
        of_symbols=read_json(inputs.symbols_summary)["statement"],
        of_data=[*features.metadata.get("cautions", ()), *of_reads],
        of_fragments=of_fragments,
        targets=dict(zip(snakemake.params.models, map(read_json, inputs.get("targets", [])), strict=False)),
        withheld=dict(zip(snakemake.params.models, map(read_table, inputs.get("withheld", [])), strict=False)),
        chart=Path(inputs.chart).read_text(),
    )
    with atomic_write(snakemake.output[0]) as path:
        path.write_text(page)
