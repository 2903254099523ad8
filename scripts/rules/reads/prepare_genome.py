"""Rule prepare_genome: check the genome's names and unpack it."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.references import prepare_genome

    count = prepare_genome(snakemake.output[0], genome=snakemake.input[0])
    print(f"{count} sequences")
