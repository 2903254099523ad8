"""Rule extract_splice_sites: extract known splice sites for HISAT2; none without an annotation."""

import sys

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.references import write_splice_sites

    count = write_splice_sites(
        snakemake.output.splice_sites,
        annotation=snakemake.input.get("annotation", ""),
        genome=snakemake.input.get("genome", ""),
        chromosome_names=snakemake.params.chromosome_names,
        chromosomes=snakemake.output.chromosomes,
        gtf=snakemake.output.annotation,
        log=sys.stdout,
    )
    print(f"{count} splice sites")
