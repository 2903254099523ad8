"""Rule prepare_genome: check the genome's names and unpack it."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.references import prepare_genome

    count = prepare_genome(snakemake.output[0], genome=snakemake.input[0])
    print(f"{count} sequences")
