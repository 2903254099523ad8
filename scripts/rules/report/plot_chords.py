"""Rule plot_chords: draw the members of the chords, and their scores in every class."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import alias_of
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.plots.chords import CHORD_TABLES, draw_chords

    draw_chords(
        {name: read_table(snakemake.input[name]) for name in CHORD_TABLES},
        dict(snakemake.output.items()),
        aliases=alias_of(read_table(snakemake.input.aliases)),
        why=read_json(snakemake.input.screen_summary)["statement"],
    )
