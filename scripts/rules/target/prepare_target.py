"""Rule prepare_target: bring the samples without a label onto the features of the run."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.core.tables import write_table
    from deepmapper.core.target_schemas import TARGET_CELLS
    from deepmapper.features.domain_column import encode_domains
    from deepmapper.features.domains import describe_domains, write_domains
    from deepmapper.features.store import open_features, write_features
    from deepmapper.features.target import prepare_target
    from deepmapper.io.expression import open_expression

    options = {name: value for name, value in snakemake.params.items() if name not in ("source", "paths")}
    files = dict(zip(snakemake.params.paths, map(open_expression, snakemake.input.new), strict=True))
    expression, features = open_expression(snakemake.input.expression), open_features(snakemake.input.features)
    target = prepare_target(expression, features, files, **options)
    for source in target.features.metadata["sources"]:
        print(f"{source['source']}: {source['n_cells']} cells, {len(source['missing'])} features missing")
    write_features(snakemake.output.features, target.features)
    write_table(target.cells, snakemake.output.cells, TARGET_CELLS)
    if target.domains is not None:
        codes, names = encode_domains(target.domains)
        in_passes = np.setdiff1d(np.arange(len(codes)), features.test)
        print(f"Domains: {describe_domains(codes[in_passes], names)}")
        write_domains(codes, snakemake.output.domains)
