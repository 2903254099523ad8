"""Rule build_expression: write the counts, samples × transcripts, as AnnData and as text tables."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.files import atomic_write
    from deepmapper.reads.expression import build_expression, write_tables

    genes, alignment = snakemake.input.get("genes"), snakemake.input.get("alignment")
    adata = build_expression(
        {Path(folder).name: Path(folder) for folder in snakemake.input.quantifications},
        samples=snakemake.params.samples,
        denovo_table=Path(snakemake.input.contigs),
        transcript_to_gene=Path(genes) if genes else None,
        alignment=Path(alignment) if alignment else None,
    )
    print(f"{adata.n_obs} samples × {adata.n_vars} transcripts, {int(adata.var['is_denovo'].sum())} of them novel")
    write_tables(adata, Path(snakemake.output.counts), Path(snakemake.output.tpm))
    with atomic_write(snakemake.output.matrix) as path:
        adata.write_h5ad(path, compression="gzip")
