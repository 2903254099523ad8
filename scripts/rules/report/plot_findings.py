"""Rule plot_findings: draw every figure of one model."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.core.tables import read_json, read_table
    from deepmapper.plots.model_figures import MODEL_TABLES, draw_model

    inputs = snakemake.input
    draw_model(
        snakemake.wildcards.model,
        {name: read_table(inputs[f"{name}_table"]) for name in MODEL_TABLES},
        dict(snakemake.output.items()),
        summary=read_json(inputs.summary),
        convergence_summary=read_json(inputs.convergence_summary),
        embedded=np.load(inputs.embedding, allow_pickle=False),
        top=snakemake.params.top,
        level=snakemake.params.level,
    )
