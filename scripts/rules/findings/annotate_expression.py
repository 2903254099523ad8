"""Rule annotate_expression: annotate the expression matrix with all findings about its features and samples."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    import numpy as np

    from deepmapper import __version__
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.annotate import write_annotated
    from deepmapper.io.expression import open_expression

    given = snakemake.input
    embeddings = {
        Path(path).stem: [np.load(part, allow_pickle=False)["scores"] for part in (path, *of_target)]
        for path, *of_target in zip(given.embeddings, *filter(None, [given.get("embedded_target")]), strict=True)
    }
    write_annotated(
        snakemake.output[0],
        open_expression(given.expression),
        open_features(given.features),
        read_table(given.features_table),
        read_table(given.predictions),
        np.load(given.embedding, allow_pickle=False),
        version=__version__,
        settings=snakemake.params.settings,
        summary=read_json(given.summary),
        metrics=read_json(given.metrics),
        target=read_table(given.target) if given.get("target") else None,
        embeddings=embeddings,
        progress=print,
    )
