"""Rule prove_chords: how well every chord tells its class in the test split, and its value in every sample."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.chord_findings import prove_run, read_chords
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    found = prove_run(
        open_features(snakemake.input.features),
        read_chords(snakemake.input.chords),
        most_samples=snakemake.params.most_samples,
        draws=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
    print(found.summary["statement"])
    write_table(found.table, snakemake.output.chords_table)
    write_json(found.summary, snakemake.output.proof_summary)
    write_table(found.scores, snakemake.output.scores)
