"""Rule screen_novelty: decide which contigs are novel, with a class and a reason for each."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.novelty.classes import NoveltyOptions
    from deepmapper.novelty.screen import screen_novelty

    genome, pool = snakemake.input.get("genome"), snakemake.input.get("pool")
    screen_novelty(
        Path(snakemake.input.contigs),
        transcripts=Path(snakemake.input.transcripts),
        genome=Path(genome) if genome else None,
        annotation=snakemake.input.get("annotation", ""),
        chromosome_names=snakemake.params.chromosome_names,
        pool=Path(pool) if pool else None,
        contaminants=snakemake.input.get("contaminants", ""),
        stranded=snakemake.params.stranded,
        options=NoveltyOptions(**snakemake.params.options),
        folder=Path(snakemake.output.denovo).parent,
        threads=snakemake.threads,
        log=sys.stdout,
    )
