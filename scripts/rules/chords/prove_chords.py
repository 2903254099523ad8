"""Rule prove_chords: how well every chord tells its class in the test split, and its value in every sample."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.chords.files import read_chords
    from deepmapper.chords.proof import prove_run
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features

    found = prove_run(
        open_features(snakemake.input.features),
        read_chords(snakemake.input.chords),
        max_samples=snakemake.params.max_samples,
        draws=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
    print(found.summary["statement"])
    write_table(found.table, snakemake.output.chords_table)
    write_json(found.summary, snakemake.output.proof_summary)
    write_table(found.scores, snakemake.output.scores)
