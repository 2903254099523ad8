"""Rule import_shard: read a shard of the matrix and write it as expression.h5ad is written."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.io.expression import import_matrix

    matrix = snakemake.params.matrix
    import_matrix(
        snakemake.output[0],
        snakemake.params.path,
        format=matrix["format"],
        layer=matrix["layer"],
        duplicate_names=matrix["duplicate_names"],
        transpose=matrix["transpose"],
        strandedness=matrix["strandedness"],
        empty_cells=matrix["empty_cells"],
        obs_columns=snakemake.params.obs_columns,
        progress=print,
    )
