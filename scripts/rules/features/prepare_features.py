"""Rule prepare_features: normalise, code labels, set a test split aside where it can be spared, write the store."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.matrix_files import open_expression
    from deepmapper.prepare import describe_features, prepare_features
    from deepmapper.store import write_features

    options = {name: value for name, value in snakemake.params.items() if name != "source"}
    features = prepare_features(open_expression(snakemake.input[0]), **options)
    print(*describe_features(features), sep="\n")
    write_features(snakemake.output[0], features)
