"""Rule import_matrix: read the configured matrix and write expression.h5ad."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper import io
    from deepmapper.store import whole_file

    matrix = snakemake.params.matrix
    adata = io.read_matrix(
        matrix["path"] or None,
        format=matrix["format"],
        layer=matrix["layer"],
        labels_table=next(iter(snakemake.input.table), None),
        populations=[(population["path"], population["label"]) for population in matrix["populations"]],
        duplicate_names=matrix["duplicate_names"],
        transpose=matrix["transpose"],
    )
    print(f"{adata.n_obs} samples × {adata.n_vars} features, {adata.X.nnz} values that are not zero")
    with whole_file(snakemake.output[0]) as path:
        adata.write_h5ad(path, compression="gzip")
