# Embeddings of the samples, with which the models are compared.

EMBEDDINGS = [
    name for name, options in SETTINGS["embeddings"].items() if options["n_components"]
]


# Fitted without the test split, on which classifiers on the embedding are evaluated.
rule fit_embedding:
    input:
        features=rules.prepare_features.output[0],
    output:
        embedding=f"{RESULTS}/embeddings/{{embedding}}.npz",
        metrics=f"{RESULTS}/embeddings/{{embedding}}.json",
    log:
        f"{RESULTS}/logs/fit_embedding/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_embedding/{{embedding}}.tsv"
    wildcard_constraints:
        embedding="pca",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(60),
    params:
        n_components=lambda wildcards: SETTINGS["embeddings"][wildcards.embedding][
            "n_components"
        ],
        out_of_bag=SETTINGS["passes"]["test_size"],
        # as for the linear baseline, whatever the number of passes
        draws=[SETTINGS["passes"]["seed"] + i for i in range(30)],
        bins=SETTINGS["findings"]["ece_bins"],
        resamples=SETTINGS["findings"]["bootstrap"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_of("fit_embedding"),
    message:
        "Fitting the embedding {wildcards.embedding}"
    script:
        "../../scripts/rules/findings/fit_embedding.py"
