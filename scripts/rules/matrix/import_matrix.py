"""Rule import_matrix: read the configured matrix and write expression.h5ad."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.io.expression import READING_OPTIONS, import_matrix

    matrix = snakemake.params.matrix
    import_matrix(
        snakemake.output[0],
        matrix["path"] or None,
        labels_table=next(iter(snakemake.input.table), None),
        populations=[(population["path"], population["label"]) for population in matrix["populations"]],
        **{name: matrix[name] for name in READING_OPTIONS},
        obs_columns=snakemake.params.obs_columns,
        progress=print,
    )
