# Input: an existing matrix of counts or values.

TABLES = []
PROGRAMS = {}
SUMMARY_INPUTS = {}
SUMMARY_PARAMS = {}
SHARDS = shard_files(SETTINGS)
DATA = (
    SETTINGS["matrix"]["path"]
    or ", ".join(SETTINGS["matrix"]["shards"])
    or ", ".join(population["path"] for population in SETTINGS["matrix"]["populations"])
)
LABELS_TABLE = [path for path in [SETTINGS["labels"]["table"]] if path]


def in_blocks(path):
    """Whether a file is read in blocks, so that memory does not grow with its size; others are held in memory."""
    return SETTINGS["matrix"]["format"] in ("h5ad", "zarr") or path.removesuffix(
        ".gz"
    ).endswith((".h5ad", ".zarr", ".zarr.zip", ".zarr.tar"))


if SHARDS:

    wildcard_constraints:
        shard="|".join(map(re.escape, SHARDS)),

    # Shards stay, so that another one is imported alone.
    rule import_shard:
        input:
            lambda wildcards: files_of_prefix(SHARDS[wildcards.shard])
            or SHARDS[wildcards.shard],
        output:
            f"{RESULTS}/shards/{{shard}}.h5ad",
        log:
            f"{RESULTS}/logs/import_shard/{{shard}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/import_shard/{{shard}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(
                1000,
                per_mb=20,
                max_extra=(
                    1000 if all(map(in_blocks, SHARDS.values())) else float("inf")
                ),
            ),
            runtime=grow(30),
        params:
            path=lambda wildcards: SHARDS[wildcards.shard],
            matrix=import_options(SETTINGS),
            obs_columns=described_by(SETTINGS),
            source=source_of("import_shard"),
        message:
            "Importing the shard {wildcards.shard}"
        script:
            "../../scripts/rules/matrix/import_shard.py"

    rule merge_shards:
        input:
            shards=expand(rules.import_shard.output[0], shard=SHARDS),
            table=LABELS_TABLE,
        output:
            expression=f"{RESULTS}/expression.h5ad",
            shard_rows=f"{RESULTS}/shards/rows.json",
        log:
            f"{RESULTS}/logs/merge_shards.log",
        benchmark:
            f"{RESULTS}/benchmarks/merge_shards.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000),
            runtime=grow(60),
        params:
            names=list(SHARDS),
            duplicate_names=SETTINGS["matrix"]["duplicate_names"],
            described=described_by(SETTINGS),
            source=source_of("merge_shards"),
        message:
            f"Joining {len(SHARDS)} shards"
        script:
            "../../scripts/rules/matrix/merge_shards.py"

else:

    rule import_matrix:
        input:
            matrix=matrix_files(SETTINGS),
            table=LABELS_TABLE,
        output:
            f"{RESULTS}/expression.h5ad",
        log:
            f"{RESULTS}/logs/import_matrix.log",
        benchmark:
            f"{RESULTS}/benchmarks/import_matrix.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(
                1000,
                per_mb=20,
                max_extra=(
                    3000 if in_blocks(SETTINGS["matrix"]["path"]) else float("inf")
                ),
            ),
            runtime=grow(30),
        params:
            matrix=import_options(SETTINGS),
            obs_columns=described_by(SETTINGS),
            source=source_of("import_matrix"),
        message:
            "Importing the matrix"
        script:
            "../../scripts/rules/matrix/import_matrix.py"
