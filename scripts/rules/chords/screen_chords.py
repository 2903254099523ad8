"""Rule screen_chords: screen pairs and triplets of features on the development part, and group them into chords."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    from deepmapper.chords.files import write_chords
    from deepmapper.chords.run import screen_features
    from deepmapper.core.stage_schemas import CHORD_FEATURES, SCREENED_CHORDS
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.workflow.devices import for_screen

    options, resources = snakemake.params.options, snakemake.resources
    screened = screen_features(
        open_features(snakemake.input.features),
        options,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        device=for_screen(options["device"], resources.get("gpu", 0), resources.passes_per_gpu, print),
        folder=Path(snakemake.output.chords).parent,
        progress=lambda line: print(line, flush=True),
    )
    print(screened.summary["statement"])
    write_table(screened.tables["pairs"], snakemake.output.pairs)
    write_table(screened.tables["triplets"], snakemake.output.triplets)
    write_table(screened.tables["features"], snakemake.output.chord_features, CHORD_FEATURES)
    write_table(screened.tables["chords"], snakemake.output.chords_table, SCREENED_CHORDS)
    write_chords(screened.chords, snakemake.output.chords)
    write_json(screened.summary, snakemake.output.screen_summary)
