"""Rule hide_transcripts: write the annotation without part of its genes and transcripts."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.novelty.controls import write_hidden

    hidden = write_hidden(Path(snakemake.input[0]), Path(snakemake.output.annotation), Path(snakemake.output.hidden))
    print(f"{len(set(hidden.genes.values()))} genes and {len(hidden.isoforms)} single transcripts are hidden")
