# Embeddings of the samples, with which the models are compared: each is fitted to a folder, by which all samples are
# then embedded.

EMBEDDINGS = [
    name for name, options in SETTINGS["embeddings"].items() if options["n_components"]
]


# Processes of a job that fits an embedding; with GPUs, one for each.
PROCESSES = (
    SETTINGS["resources"]["gpus_per_job"] or SETTINGS["resources"]["embedding_tasks"]
)


# Seeds of the splits if there is no test split: as for the linear baseline, whatever the number of passes.
EMBEDDING_DRAWS = [SETTINGS["passes"]["seed"] + i for i in range(30)]

# The cells of a shard are embedded by a job of their own.
EMBEDDED_PARTS, SHARD_ROWS = ["all"], {}
if not STARTS_FROM_READS and SHARDS:
    EMBEDDED_PARTS = list(SHARDS)
    SHARD_ROWS = {"shard_rows": rules.merge_shards.output.shard_rows}

# The target cells in an embedding; the rule is in target.smk.
EMBEDDED_TARGET = f"{RESULTS}/target/embeddings/{{embedding}}.npz"


wildcard_constraints:
    embedding="pca|ppca|contrastive|geneformer|scvi",


# Fitted without the test split, on which classifiers on the embedding are evaluated.
rule fit_embedding:
    input:
        # how values were normalised, by which later cells are embedded alike, and the counts
        expression=EXPRESSION,
        features=rules.prepare_features.output[0],
    output:
        directory(f"{RESULTS}/embeddings/{{embedding}}"),
    log:
        f"{RESULTS}/logs/fit_embedding/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_embedding/{{embedding}}.tsv"
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
        draws=EMBEDDING_DRAWS,
        split_seed=SETTINGS["split"]["seed"],
        source=source_of("fit_embedding"),
    message:
        "Fitting the embedding {wildcards.embedding}"
    script:
        "../../scripts/rules/findings/fit_embedding.py"


# Projects the cells of one shard, or of the whole matrix, which takes no GPU.
rule embed_cells:
    input:
        # the counts, and of a shard which of them are its own
        unpack(
            lambda wildcards: (
                {"expression": EXPRESSION}
                if SHARD_ROWS or wildcards.embedding == "scvi"
                else {}
            )
        ),
        **SHARD_ROWS,
        features=rules.prepare_features.output[0],
        embedding=rules.fit_embedding.output[0],
    output:
        temp(f"{RESULTS}/embeddings/{{embedding}}.{{part}}.npy"),
    log:
        f"{RESULTS}/logs/embed_cells/{{embedding}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed_cells/{{embedding}}/{{part}}.tsv"
    wildcard_constraints:
        part="|".join(map(re.escape, EMBEDDED_PARTS)),
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(60),
    params:
        source=source_of("embed_cells"),
    message:
        (
            "Embedding all cells with {wildcards.embedding}"
            if not SHARD_ROWS
            else "Embedding the cells of {wildcards.part} with {wildcards.embedding}"
        )
    script:
        "../../scripts/rules/findings/embed_cells.py"


# Joins the embedded cells in their order, and fits classifiers on them.
rule evaluate_embedding:
    input:
        features=rules.prepare_features.output[0],
        kinds=kinds_of,
        embedding=rules.fit_embedding.output[0],
        parts=expand(
            rules.embed_cells.output[0], part=EMBEDDED_PARTS, allow_missing=True
        ),
    output:
        embedding=f"{RESULTS}/embeddings/{{embedding}}.npz",
        metrics=f"{RESULTS}/embeddings/{{embedding}}.json",
    log:
        f"{RESULTS}/logs/evaluate_embedding/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_embedding/{{embedding}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(60),
    params:
        out_of_bag=SETTINGS["passes"]["test_size"],
        draws=EMBEDDING_DRAWS,
        bins=SETTINGS["findings"]["ece_bins"],
        resamples=SETTINGS["findings"]["bootstrap"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_of("evaluate_embedding"),
    message:
        "Evaluating classifiers on the embedding {wildcards.embedding}"
    script:
        "../../scripts/rules/findings/evaluate_embedding.py"


rule plot_embedding:
    input:
        **({"target": EMBEDDED_TARGET} if HAS_TARGET else {}),
        embedding=rules.evaluate_embedding.output.embedding,
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
