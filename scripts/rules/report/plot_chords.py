"""Rule plot_chords: who belongs to the chords, and their scores in every class."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    from deepmapper import plots
    from deepmapper.tables import read_table

    given, drawn = snakemake.input, snakemake.output
    why = json.loads(Path(given.screen).read_text())["statement"]
    chords = read_table(given.chords)
    plots.chord_networks(
        chords, read_table(given.pairs), drawn.chord_networks, triplets=read_table(given.triplets), why=why
    )
    plots.chord_scores(read_table(given.scores), chords, drawn.chord_scores, why=why)
