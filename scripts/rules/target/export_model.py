"""Rule export_model: write the passes of a model with all that naming new cells needs."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import json
    from pathlib import Path

    import torch

    from deepmapper.chords.files import read_chords
    from deepmapper.features.store import open_features
    from deepmapper.features.target import rows_named
    from deepmapper.io.align import scale_of
    from deepmapper.io.expression import open_expression
    from deepmapper.io.shared_features import other_names
    from deepmapper.passes.result import PassFile
    from deepmapper.transfer import model_folder
    from deepmapper.transfer.model import fit_model
    from deepmapper.transfer.terms import read_terms

    torch.set_num_threads(snakemake.threads)
    params, features = snakemake.params, open_features(snakemake.input.features)
    expression = open_expression(snakemake.input.expression)
    scale = scale_of(expression, features.metadata["normalization"], rows_named(expression, features))
    model = fit_model(
        features,
        [PassFile(path) for path in snakemake.input.passes],
        scale,
        min_accuracy=params.min_accuracy,
        calibrate_over=params.calibrate_over,
        domain_is_group=params.domain_is_group,
        ids=other_names(expression.var),
        signal=json.loads(Path(snakemake.input.summary).read_text())["signal"],
        chords=[chord for path in snakemake.input.chords for chord in read_chords(path)],
        terms=next(map(read_terms, snakemake.input.terms), None),
        about={"model": snakemake.wildcards.model, "label_column": params.label_column},
    )
    model_folder.save(model, snakemake.output[0])
    print(f"{len(model.members)} passes, temperature {model.temperature:.3f}, rates over {model.over}")
