"""Rule prove_chords: how well every chord tells its class in the test split, and its value in every sample."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.chord_findings import prove, read_chords, score_table
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    features, chords = open_features(snakemake.input.features), read_chords(snakemake.input.chords)
    table, about = prove(
        features,
        chords,
        most_samples=snakemake.params.most_samples,
        draws=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
    print(about["statement"])
    write_table(table, snakemake.output.chords_table)
    write_json(about, snakemake.output.proof_summary)
    write_table(score_table(features, chords), snakemake.output.scores)
