"""Rule prepare_transcripts: write reference transcripts with clean names, from a FASTA or extracted from the genome."""

import sys

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.references import prepare_transcripts

    count = prepare_transcripts(
        snakemake.output[0],
        transcripts=snakemake.input.get("transcripts", ""),
        genome=snakemake.input.get("genome", ""),
        annotation=snakemake.input.get("annotation", ""),
        chromosome_names=snakemake.params.chromosome_names,
        strip_versions=snakemake.params.strip_versions,
        log=sys.stdout,
    )
    print(f"{count} reference transcripts")
