"""Rule write_summary: write the page to open first, and that with every answer."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    from deepmapper.core.aliases import alias_of
    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.features.store import open_features
    from deepmapper.plots.volcanoes import bounded_fold_changes, comparisons
    from deepmapper.reads.cautions import reads_cautions
    from deepmapper.reads.denovo import is_denovo
    from deepmapper.reads.fates import describe_fragments, read_fragments
    from deepmapper.report.figures import MAX_PAGE, figures_of
    from deepmapper.report.models import read_models
    from deepmapper.report.points import ranked_points, tested_points
    from deepmapper.report.start import CAPTIONS, start_page
    from deepmapper.report.summary import summary_page
    from deepmapper.report.titles import FIGURES, START_FIGURES
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
    models = read_models(
        features=inputs.features_tables,
        audit=inputs.audit_tables,
        summary=inputs.summaries,
        metrics=inputs.metrics,
        significance=inputs.significance_summaries,
        stability=inputs.stability_summaries,
        convergence=inputs.convergence_summaries,
        panel=inputs.panel_summaries,
        reading_chords=snakemake.params.reading_chords,
    )
    differential, aliases = read_json(inputs.differential_summary), alias_of(read_table(inputs.aliases))
    known = {
        "data": {**unescaped(snakemake.params.data), "sizes": features.class_sizes},
        "models": models,
        "baseline": read_json(inputs.baseline),
        "confounders": read_json(Path(inputs.features, "confounders.json")),
        "screen": read_json(inputs.screen_summary),
        "proof": read_json(inputs.proof_summary),
        "chords": read_table(inputs.chords),
        "differential": differential,
        "recommended": read_table(inputs.recommended),
        "recommendation": read_json(inputs.recommended_summary),
        "aliases": aliases,
        "of_data": [*features.metadata.get("cautions", ()), *of_reads],
        "of_fragments": of_fragments,
    }
    withheld = dict(zip(snakemake.params.models, map(read_table, inputs.get("withheld", [])), strict=False))
    targets = dict(zip(snakemake.params.models, map(read_json, inputs.get("targets", [])), strict=False))
    page = summary_page(
        **known,
        table=read_table(inputs.models),
        evidence_panel=read_json(inputs.evidence_panel_summary),
        markers=read_table(inputs.markers),
        baseline_features=read_table(inputs.baseline_features),
        enrichment=enrichment,
        of_symbols=read_json(inputs.symbols_summary)["statement"],
        perturbed=dict(
            zip(
                snakemake.params.models,
                zip(
                    map(read_table, inputs.get("perturbation_tables", [])),
                    map(read_json, inputs.get("perturbation_summaries", [])),
                    strict=True,
                ),
                strict=False,
            )
        ),
        targets=targets,
        withheld=withheld,
        chart=Path(inputs.models_figure).read_text(),
    )
    with atomic_write(snakemake.output.summary) as path:
        path.write_text(page)

    # of the figures of single models, those of the most accurate one
    best = max(range(len(models)), key=lambda i: models[i].metrics["accuracy"] or 0.0)
    paths = {name: inputs[f"{name}_figure"] for name in START_FIGURES if inputs.get(f"{name}_figure")}
    paths = {name: path if isinstance(path, str) else path[best] for name, path in paths.items()}
    tests = read_table(inputs.differential_table)
    tests = tests[tests["p"].notna() & tests["log2_fold_change"].notna()]
    start = {
        **known,
        "ranked": ranked_points(models, aliases),
        "tested": tested_points(
            ((title, rows, bounded_fold_changes(rows)[0]) for title, rows in comparisons(tests)),
            differential["level"],
            aliases,
        ),
        "enriched": enrichment[1]["statement"] if enrichment else "",
        "targets": targets,
        "withheld": withheld,
        "embeddings": snakemake.params.embeddings,
        "with_perturbed": bool(inputs.get("perturbation_tables")),
    }
    room = MAX_PAGE - len(start_page(**start, figures={}))
    page = start_page(**start, figures=figures_of(paths, Path(snakemake.output.start).parent, FIGURES, CAPTIONS, room))
    with atomic_write(snakemake.output.start) as path:
        path.write_text(page)
