"""Rule prepare_features: normalise, code labels, set a test split aside where it can be spared, write the store."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.matrix_files import open_expression
    from deepmapper.prepare import prepare_features
    from deepmapper.store import write_features

    options = {name: value for name, value in snakemake.params.items() if name != "source"}
    features = prepare_features(open_expression(snakemake.input[0]), **options)
    print(features.about["why"])
    for code, name in enumerate(features.classes):
        here = features.y == code
        print(f"{name}: {here.sum()} samples, {(here & (features.split == 1)).sum()} of them in the test split")
    print(features.about["confounders"]["statement"], features.about["confounders"].get("null", ""))
    write_features(snakemake.output[0], features)
