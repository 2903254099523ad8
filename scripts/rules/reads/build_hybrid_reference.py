"""Rule build_hybrid_reference: join reference and novel transcripts in one FASTA file."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.hybrid_reference import build_hybrid_reference

    transcripts, decoys = snakemake.input.get("transcripts"), snakemake.input.get("decoys")
    build_hybrid_reference(
        Path(transcripts) if transcripts else None,
        Path(snakemake.input.denovo),
        Path(snakemake.output.fasta),
        decoys=Path(decoys) if decoys else None,
        log=sys.stdout,
    )
