"""Rule build_hybrid_reference: reference and novel transcripts in one FASTA."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.quantification import build_hybrid_reference

    decoys = snakemake.input.get("decoys")
    build_hybrid_reference(
        Path(snakemake.input.transcripts),
        Path(snakemake.input.denovo),
        Path(snakemake.output.fasta),
        decoys=Path(decoys) if decoys else None,
        log=sys.stdout,
    )
