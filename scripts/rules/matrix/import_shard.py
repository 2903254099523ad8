"""Rule import_shard: read a shard of the matrix and write it as expression.h5ad is written."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.io.expression import READING_OPTIONS, import_matrix

    matrix = snakemake.params.matrix
    import_matrix(
        snakemake.output[0],
        snakemake.params.path,
        **{name: matrix[name] for name in READING_OPTIONS},
        obs_columns=snakemake.params.obs_columns,
        progress=print,
    )
