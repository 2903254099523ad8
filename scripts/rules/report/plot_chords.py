"""Rule plot_chords: draw the members of the chords, their values, and the scores of the chords in every class."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import alias_of
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.features.class_values import spread_rows, values_of
    from deepmapper.features.store import open_features
    from deepmapper.plots.chords import CHORD_TABLES, draw_chords
    from deepmapper.plots.member_values import MAX_DRAWN_SAMPLES, chord_members, first_members

    inputs, paths = snakemake.input, dict(snakemake.output.items())
    tables = {name: read_table(inputs[name]) for name in CHORD_TABLES}
    aliases, why = alias_of(read_table(inputs.aliases)), read_json(inputs.screen_summary)["statement"]
    draw_chords(tables, paths, aliases=aliases, why=why)

    features = open_features(inputs.features)
    rows = spread_rows(features.labelled, MAX_DRAWN_SAMPLES)
    names = sorted({name for pair in first_members(tables["chords"]) for name in pair})
    values = dict(zip(names, values_of(features, names, rows).T, strict=True)) if names else {}
    labels = [features.classes[code] for code in features.y[rows]]
    chord_members(tables["chords"], values, labels, paths["chord_members"], aliases=aliases, why=why)
