"""Rule plot_findings: every figure of one model."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    import numpy as np

    from deepmapper import plots
    from deepmapper.tables import read_table

    given, drawn, top = snakemake.input, snakemake.output, snakemake.params.top
    name = snakemake.wildcards.model
    summary = json.loads(Path(given.summary).read_text())
    where = "out of bag" if summary["scheme"] == "repeated" else "on the test split"
    features, predictions = read_table(given.features), read_table(given.predictions)
    place = np.load(given.embedding, allow_pickle=False)
    plots.ranking(features, drawn.ranking, top, summary, f"{name}: ranking")
    plots.importance_significance(
        features,
        drawn.importance_significance,
        level=snakemake.params.level,
        summary=summary,
        title=f"{name}: importance and significance",
    )
    plots.importance_null(read_table(given.null), drawn.importance_null, title=f"{name}: features against shadows")
    plots.evidence(features, drawn.evidence, summary=summary, title=f"{name}: two rankings")
    plots.audit(read_table(given.audit), drawn.audit, title=f"{name}: what filtering would have lost")
    plots.importance_heatmap(
        features, drawn.importance_heatmap, top, summary["classes"], summary, f"{name}: importance in each class"
    )
    plots.confusion(read_table(given.confusion), drawn.confusion, f"{name}: confusion {where}")
    plots.per_class(read_table(given.per_class), drawn.per_class, f"{name}: every class {where}")
    plots.calibration(read_table(given.calibration), drawn.calibration, f"{name}: calibration {where}")
    plots.learning_curves(read_table(given.history), drawn.learning_curves, f"{name}: learning curves")
    plots.accuracy_references(
        read_table(given.passes), drawn.accuracy_references, f"{name}: accuracy of each pass and its references"
    )
    plots.convergence(
        read_table(given.curve),
        drawn.convergence,
        json.loads(Path(given.converged).read_text()),
        f"{name}: how many passes are enough",
    )
    plots.agreement(read_table(given.agreement), drawn.agreement, f"{name}: agreement between passes")
    plots.embedding(
        place["map"],
        predictions["label"],
        drawn.embedding,
        test=predictions["split"] == "test",
        predicted=predictions["prediction"],
        basis=str(place["basis"]),
        title=f"{name}: what the passes see",
    )
