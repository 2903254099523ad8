"""Rule append_chords: append the values of the chords to the features as additional columns."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.chords.files import read_chords
    from deepmapper.chords.values import append_chords
    from deepmapper.features.store import open_features, write_features

    features = append_chords(open_features(snakemake.input.features), read_chords(snakemake.input.chords))
    print(f"appended {len(features.chords)} chords to {features.n_features} features")
    write_features(snakemake.output[0], features)
