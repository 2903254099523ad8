"""Rule rank_chords: rank the chords by their importance in the passes that read them as pixels."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.stage_schemas import MODEL_CHORDS
    from deepmapper.core.tables import write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.chord_ranking import rank_chords
    from deepmapper.passes.result import PassResult

    table = rank_chords(
        [PassResult.load(path, weights=False) for path in snakemake.input.passes],
        open_features(snakemake.input.features).chords,
        snakemake.params.top_k,
        snakemake.params.min_accuracy,
    )
    print(table.to_string(index=False))
    write_table(table, snakemake.output[0], MODEL_CHORDS)
