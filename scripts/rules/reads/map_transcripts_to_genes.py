"""Rule map_transcripts_to_genes: look up the gene of each reference transcript."""

import sys

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.references import write_transcript_to_gene

    count = write_transcript_to_gene(
        snakemake.output[0],
        annotation=snakemake.input.get("annotation", ""),
        transcripts=snakemake.input.get("transcripts", ""),
        transcripts_fasta=snakemake.input.cleaned,
        strip_versions=snakemake.params.strip_versions,
        log=sys.stdout,
    )
    print(f"{count} transcripts with a known gene")
