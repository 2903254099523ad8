"""Rule screen_novelty: decide which contigs are novel, with a class and a reason for each."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.novelty.classes import NoveltyOptions
    from deepmapper.novelty.screen import screen_novelty

    names = ("contigs", "transcripts", "genome", "pool", "models", "controls", "hidden")
    contigs, transcripts, genome, pool, models, controls, hidden = (
        Path(path) if (path := snakemake.input.get(name)) else None for name in names
    )
    screen_novelty(
        contigs,
        transcripts=transcripts,
        genome=genome,
        annotation=snakemake.input.get("annotation", ""),
        chromosome_names=snakemake.params.chromosome_names,
        pool=pool,
        models=models,
        controls=controls,
        hidden=hidden,
        contaminants=snakemake.input.get("contaminants", ""),
        rrna=Path(path) if (path := snakemake.input.get("rrna")) else None,
        stranded=snakemake.params.stranded,
        options=NoveltyOptions(**snakemake.params.options),
        folder=Path(snakemake.output.denovo).parent,
        threads=snakemake.threads,
        log=sys.stdout,
    )
