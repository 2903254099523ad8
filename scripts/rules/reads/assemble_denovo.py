"""Rule assemble_denovo: assemble the pool of captured reads into contigs."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.assembly import assemble

    count = assemble(
        Path(snakemake.input[0]),
        Path(snakemake.output[0]),
        assembler=snakemake.params.assembler,
        min_kmer_coverage=snakemake.params.min_kmer_coverage,
        min_contig_length=snakemake.params.min_contig_length,
        strandedness=snakemake.params.strandedness,
        max_memory_gb=snakemake.params.max_memory_gb,
        hours=snakemake.params.max_hours,
        threads=snakemake.threads,
        log=sys.stdout,
    )
    print(f"{count} contigs")
