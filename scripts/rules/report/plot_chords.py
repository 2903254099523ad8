"""Rule plot_chords: who belongs to the chords, and their scores in every class."""

from deepmapper.jobs import job

with job(snakemake):

    from deepmapper.run_figures import CHORD_TABLES, draw_chords
    from deepmapper.tables import read_json, read_table

    draw_chords(
        {name: read_table(snakemake.input[name]) for name in CHORD_TABLES},
        dict(snakemake.output.items()),
        why=read_json(snakemake.input.screen_summary)["statement"],
    )
