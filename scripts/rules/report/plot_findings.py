"""Rule plot_findings: draw every figure of one model."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    import numpy as np

    from deepmapper.core.aliases import alias_of
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.features.class_values import spread_rows, values_of
    from deepmapper.features.store import open_features
    from deepmapper.passes.pictures import pictures_of
    from deepmapper.passes.result import PassFile
    from deepmapper.plots.model_figures import MAPPED, MAX_MAPPED_SAMPLES, MODEL_TABLES, draw_model

    inputs = snakemake.input
    tables = {name: read_table(inputs[f"{name}_table"]) for name in MODEL_TABLES}
    features = open_features(inputs.features)
    passes = tables["passes"]
    accepted = passes[passes["accepted"]].sort_values("accuracy", kind="stable")
    pictures, note = [], ""
    if len(accepted):
        seed = int(accepted["seed"].iloc[-1])
        path = next(path for path in inputs.passes if Path(path).stem == str(seed))
        pictures = pictures_of(PassFile(path), features, alias_of(tables["features"]))
        note = f"pass {seed}, the most accurate one, in its own arrangement; one pixel is one feature"
    rows = spread_rows(np.arange(len(features.labelled)), MAX_MAPPED_SAMPLES)
    first = tables["features"]["feature"].astype(str).head(MAPPED).tolist()
    draw_model(
        snakemake.wildcards.model,
        tables,
        dict(snakemake.output.items()),
        summary=read_json(inputs.summary),
        convergence_summary=read_json(inputs.convergence_summary),
        embedded=np.load(inputs.embedding, allow_pickle=False),
        pictures=pictures,
        picture_note=note,
        values=values_of(features, first, features.labelled[rows]),
        rows=rows,
        top=snakemake.params.top,
    )
