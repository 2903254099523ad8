"""Rule collect_reads: take all reads of a sample as those to assemble."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.collection import collect_reads
    from deepmapper.reads.samples import Sample
    from deepmapper.reads.trimming import trimmed_units

    sample = Sample.from_params(snakemake.params.sample)
    count = collect_reads(
        trimmed_units(Path(snakemake.input.reads)) if snakemake.params.trimmed else sample.units,
        Path(snakemake.output[0]),
        sample=sample.name,
    )
    print(f"{count} fragments")
