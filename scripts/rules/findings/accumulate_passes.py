"""Rule accumulate_passes: from the passes of a model to its ranking and its list of passes."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    from deepmapper import audit, findings, runner, verdict
    from deepmapper.passes import PassFile
    from deepmapper.splits import few_samples
    from deepmapper.stage_schemas import CHORD_FEATURES
    from deepmapper.store import open_features
    from deepmapper.tables import read_table, write_json, write_table

    top_k, min_accuracy = snakemake.params.top_k, snakemake.params.min_accuracy
    features = open_features(snakemake.input.features)
    passes, controls = (
        [PassFile(path) for path in paths] for paths in (snakemake.input.passes, snakemake.input.controls)
    )
    found = runner.accumulate_passes(passes, top_k, min_accuracy, features.names)
    found.notes = runner.inert_notes(passes[0].config, features.n_features, top_k) + found.notes
    agreement = findings.agreement_table([p for p, good in zip(passes, found.accepted, strict=True) if good], top_k)
    y = features.y[features.development]
    groups, strata = (
        None if codes is None else codes[features.development] for codes in (features.groups, features.strata)
    )
    if few_samples(y):
        told = verdict.of_few(found, passes, controls, y, groups, strata)
    else:
        told = verdict.of_many(found, controls)
    summary = findings.summarise(snakemake.wildcards.model, found, told, len(controls), agreement, top_k)
    summary |= {name: features.about[name] for name in ("scheme", "why")}
    summary["convergence"] = json.loads(Path(snakemake.input.convergence).read_text())["statement"]
    for name in ("significance", "stability"):
        summary[name] = json.loads(Path(snakemake.input[name]).read_text())["statement"]
    summary["evidence"] = json.loads(Path(snakemake.input.weighed).read_text())["statement"]
    said = [
        summary["statement"],
        summary["convergence"],
        summary["significance"],
        summary["stability"],
        summary["evidence"],
    ]
    for line in (features.about["why"], *found.notes, *said):
        print(line)
    table = findings.add_chords(
        findings.feature_table(found),
        read_table(snakemake.input.chord_features, CHORD_FEATURES),
        read_table(snakemake.input.chords),
    )
    for added in (snakemake.input.significant, snakemake.input.stable, snakemake.input.evidence):
        table = findings.add_significance(table, read_table(added))
    table = audit.add_audit(table, read_table(snakemake.input.audit))
    write_table(table, snakemake.output.features)
    write_table(findings.pass_table(passes, controls, min_accuracy), snakemake.output.passes)
    write_table(findings.history_table([*passes, *controls]), snakemake.output.history)
    write_table(agreement, snakemake.output.agreement)
    write_json(summary, snakemake.output.summary)
