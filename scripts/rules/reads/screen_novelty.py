"""Rule screen_novelty: which contigs are novel, each with its class and the reason."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.novelty import screen_novelty
    from deepmapper.reads.novelty_classes import NoveltyOptions

    given = {name: Path(path) for name in ("genome", "pool") if (path := snakemake.input.get(name))}
    screen_novelty(
        Path(snakemake.input.contigs),
        transcripts=Path(snakemake.input.transcripts),
        genome=given.get("genome"),
        annotation=snakemake.input.get("annotation", ""),
        pool=given.get("pool"),
        contaminants=snakemake.input.get("contaminants", ""),
        stranded=snakemake.params.stranded,
        options=NoveltyOptions(**snakemake.params.options),
        folder=Path(snakemake.output.denovo).parent,
        threads=snakemake.threads,
        log=sys.stdout,
    )
