"""Rule plot_study: draw the figures that belong to no single model."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import alias_of
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.features.class_values import values_of
    from deepmapper.features.distances import MAX_SAMPLES, distances
    from deepmapper.features.store import open_features
    from deepmapper.plots.study_figures import LISTED, SampleValues, draw_study

    inputs = snakemake.input
    features, recommended = open_features(inputs.features), read_table(inputs.recommended)
    test, statistics = read_json(inputs.differential_summary), read_table(inputs.differential_features)
    n_reported = int(recommended["reported"].sum())
    listed = recommended["feature"].astype(str).head(min(LISTED, n_reported) or LISTED).tolist()
    rows, of_samples = features.labelled, None
    if len(rows) <= MAX_SAMPLES:
        names = features.names_of(rows) or [str(row) for row in rows]
        labels = [features.classes[code] for code in features.y[rows]]
        of_samples = SampleValues(values_of(features, listed, rows), names, labels)
    found = {}
    if statistics["differential_q"].notna().any():
        different = statistics["differential_q"] <= test["level"]
        found["test of single features"] = statistics.loc[different, "feature"].astype(str).tolist()
    for model, path in zip(snakemake.params.models, inputs.features_tables, strict=True):
        table = read_table(path)
        if "significant" in table:
            found[model] = table.loc[table["significant"], "feature"].astype(str).tolist()
    draw_study(
        dict(snakemake.output.items()),
        listed=listed,
        reported=n_reported,
        statistics=statistics,
        markers=read_table(inputs.markers),
        differential=read_table(inputs.differential_table),
        test=test,
        found=found,
        distances=distances(features),
        of_samples=of_samples,
        aliases=alias_of(read_table(inputs.aliases)),
    )
