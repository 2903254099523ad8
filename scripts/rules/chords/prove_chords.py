"""Rule prove_chords: test how well every chord predicts its class on the test split, and compute its values."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.chords.files import read_chords
    from deepmapper.chords.proof import prove_run
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.stage_schemas import CHORD_MEMBERS
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.features.store import open_features

    proven = prove_run(
        open_features(snakemake.input.features),
        read_chords(snakemake.input.chords),
        max_samples=snakemake.params.max_samples,
        draws=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
    print(proven.summary["statement"])
    members = [*CHORD_MEMBERS, "best_member"]
    table = add_aliases(proven.table, alias_of(read_table(snakemake.input.aliases)), members)
    write_table(table, snakemake.output.chords_table)
    write_json(proven.summary, snakemake.output.proof_summary)
    write_table(proven.scores, snakemake.output.scores)
