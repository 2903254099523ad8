# Embeddings of the samples, with which the models are compared.

EMBEDDINGS = [
    name for name, options in SETTINGS["embeddings"].items() if options["n_components"]
]


# Processes of a job that fits an embedding; with GPUs, one for each.
PROCESSES = (
    SETTINGS["resources"]["gpus_per_job"] or SETTINGS["resources"]["embedding_tasks"]
)


# Fitted without the test split, on which classifiers on the embedding are evaluated.
rule fit_embedding:
    input:
        # the counts, if the embedding reads them
        unpack(
            lambda wildcards: (
                {"expression": EXPRESSION} if wildcards.embedding == "scvi" else {}
            )
        ),
        features=rules.prepare_features.output[0],
        kinds=kinds_of,
    output:
        embedding=f"{RESULTS}/embeddings/{{embedding}}.npz",
        metrics=f"{RESULTS}/embeddings/{{embedding}}.json",
    log:
        f"{RESULTS}/logs/fit_embedding/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_embedding/{{embedding}}.tsv"
    wildcard_constraints:
        embedding="pca|ppca|contrastive|geneformer|scvi",
    conda:
        "../../envs/python.yaml"
    threads: PROCESSES
    resources:
        **in_tasks(PROCESSES, SETTINGS["resources"]["embedding_nodes"], mem_mb=2000),
        **(
            # components are computed on the CPU
            {
                "gpu": lambda wildcards: (
                    0 if wildcards.embedding in ("pca", "ppca") else PROCESSES
                ),
                "tasks_per_gpu": 1,
            }
            if SETTINGS["resources"]["gpus_per_job"]
            else {}
        ),
        runtime=grow(60),
        scratch=f"{RESULTS}/scratch/embeddings",
    params:
        options=lambda wildcards: SETTINGS["embeddings"][wildcards.embedding],
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


rule plot_embedding:
    input:
        embedding=rules.fit_embedding.output.embedding,
        features=rules.prepare_features.output[0],
    output:
        report(
            f"{RESULTS}/embeddings/{{embedding}}.svg",
            caption="../report/embedding_layer.rst",
            category="5 Evaluation",
            labels={"model": "{embedding}", "what": "embedding"},
        ),
    log:
        f"{RESULTS}/logs/plot_embedding/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_embedding/{{embedding}}.tsv"
    wildcard_constraints:
        embedding="pca|ppca|contrastive|geneformer|scvi",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000, per_mb=25, max_extra=3000),
        runtime=grow(60),
    params:
        seed=SETTINGS["split"]["seed"],
        source=source_of("plot_embedding"),
    message:
        "Drawing the embedding {wildcards.embedding}"
    script:
        "../../scripts/rules/report/plot_embedding.py"
