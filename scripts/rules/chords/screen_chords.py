"""Rule screen_chords: all pairs, and triplets, of the development part; significant ones become chords."""

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
    found = screen_features(
        open_features(snakemake.input.features),
        options,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        device=for_screen(options["device"], resources.get("gpu", 0), resources.passes_per_gpu, print),
        folder=Path(snakemake.output.chords).parent,
        progress=lambda line: print(line, flush=True),
    )
    print(found.summary["statement"])
    write_table(found.tables["pairs"], snakemake.output.pairs)
    write_table(found.tables["triplets"], snakemake.output.triplets)
    write_table(found.tables["features"], snakemake.output.chord_features, CHORD_FEATURES)
    write_table(found.tables["chords"], snakemake.output.chords_table, SCREENED_CHORDS)
    write_chords(found.chords, snakemake.output.chords)
    write_json(found.summary, snakemake.output.screen_summary)
