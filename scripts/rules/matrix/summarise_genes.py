"""Rule summarise_genes: sum transcript counts by gene; novel isoforms count for their gene."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import anndata

    from deepmapper.core.files import atomic_write
    from deepmapper.reads.expression import write_tables
    from deepmapper.reads.gene_expression import summarise_genes

    adata = summarise_genes(
        {Path(folder).name: Path(folder) for folder in snakemake.input.quantifications},
        expression=anndata.read_h5ad(snakemake.input.expression),
        transcript_to_gene=Path(snakemake.input.genes),
        counts=snakemake.params.counts,
    )
    print(f"{adata.n_obs} samples × {adata.n_vars} genes")
    write_tables(adata, Path(snakemake.output.counts), Path(snakemake.output.tpm))
    with atomic_write(snakemake.output.matrix) as path:
        adata.write_h5ad(path, compression="gzip")
