"""Rule prepare_genome: decompress the genome and clean its names."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.references import prepare_genome

    count = prepare_genome(snakemake.output[0], genome=snakemake.input[0])
    print(f"{count} sequences")
