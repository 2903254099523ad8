"""Rule predict_target: name the samples of files with the model of an earlier run."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    import torch

    from deepmapper.transfer.embedded import missing_lines
    from deepmapper.transfer.predict import predict_file

    torch.set_num_threads(snakemake.threads)
    params, columns = snakemake.params, [snakemake.params.label_column, snakemake.params.domain_column]
    matrix = {name: value for name, value in params.matrix.items() if name not in ("path", "populations")}
    found = predict_file(
        snakemake.input.model,
        params.paths,
        Path(snakemake.output.target_table).parent,
        embeddings=snakemake.input.embeddings,
        **matrix,
        obs_columns=[name for name in columns if name],
        label_column=params.label_column,
        domain_column=params.domain_column,
        level=params.level,
        new_identities=params.new_identities,
        align=params.align,
        allowed_terms=params.allowed_terms,
        seed=params.seed,
    )
    for kind, about in found.summary.get("embeddings", {}).items():
        print(*missing_lines(kind, about), sep="\n")
    print(found.summary["statement"], found.summary["rate"], *found.summary["cautions"], sep="\n")
