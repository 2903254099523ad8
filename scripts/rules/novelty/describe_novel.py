"""Rule describe_novel: say of every novel transcript what and where it is, and what it resembles."""

import json
import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.novelty.describe import Screened, describe_novel

    given, made = snakemake.input, snakemake.output
    describe_novel(
        Screened(Path(given.contigs), Path(given.denovo), Path(given.places)),
        table=Path(made.table),
        gtf=Path(made.gtf),
        bed=Path(made.bed),
        neighbours=Path(made.neighbours),
        counts=Path(given.counts),
        transcript_to_gene=Path(given.genes) if given.genes else None,
        annotation=given.get("annotation", ""),
        genome=Path(given.genome) if given.get("genome") else None,
        chromosome_names=snakemake.params.chromosome_names,
        homology={kind: json.loads(Path(given[kind]).read_text()) for kind in snakemake.params.databases},
        log=sys.stdout,
    )
