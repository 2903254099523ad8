"""Rule screen_chords: all pairs, and triplets, of the development part; significant ones become chords."""

from deepmapper.jobs import job

with job(snakemake):
    from pathlib import Path

    from deepmapper.chord_findings import screen_features, write_chords
    from deepmapper.devices import for_screen
    from deepmapper.stage_schemas import CHORD_FEATURES, SCREENED_CHORDS
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    options, resources = snakemake.params.options, snakemake.resources
    found = screen_features(
        open_features(snakemake.input.features),
        options,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        device=for_screen(options["device"], resources.get("gpu", 0), resources.passes_per_gpu, print),
        folder=Path(snakemake.output.chords).parent,
        tell=lambda line: print(line, flush=True),
    )
    print(found.about["statement"])
    write_table(found.tables["pairs"], snakemake.output.pairs)
    write_table(found.tables["triplets"], snakemake.output.triplets)
    write_table(found.tables["features"], snakemake.output.chord_features, CHORD_FEATURES)
    write_table(found.tables["chords"], snakemake.output.chords_table, SCREENED_CHORDS)
    write_chords(found.chords, snakemake.output.chords)
    write_json(found.about, snakemake.output.screen_summary)
