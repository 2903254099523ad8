"""Rule tabulate_fragments: tabulate where the fragments of every sample went."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.fates import tabulate_fragments
    from deepmapper.reads.fragment_cautions import warn_of_fragments

    folders = {
        name: {Path(folder).name: Path(folder) for folder in snakemake.input[name]}
        for name in ("alignments", "quantifications")
    }
    tabulate_fragments(**folders, out=Path(snakemake.output[0]))
    warn_of_fragments(snakemake.output[0], snakemake.input.alignment)
