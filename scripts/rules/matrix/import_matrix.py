"""Rule import_matrix: read the configured matrix and write expression.h5ad."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.io.expression import import_matrix

    matrix = snakemake.params.matrix
    import_matrix(
        snakemake.output[0],
        matrix["path"] or None,
        format=matrix["format"],
        layer=matrix["layer"],
        labels_table=next(iter(snakemake.input.table), None),
        populations=[(population["path"], population["label"]) for population in matrix["populations"]],
        duplicate_names=matrix["duplicate_names"],
        transpose=matrix["transpose"],
        strandedness=matrix["strandedness"],
        empty_cells=matrix["empty_cells"],
        obs_columns=snakemake.params.obs_columns,
        progress=print,
    )
