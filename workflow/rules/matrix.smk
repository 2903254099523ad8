# Input: an existing matrix of counts or values.

TABLES = []
PROGRAMS = {}
SUMMARY_INPUTS = {}
SUMMARY_PARAMS = {}
DATA = SETTINGS["matrix"]["path"] or ", ".join(
    population["path"] for population in SETTINGS["matrix"]["populations"]
)
# These formats are read in blocks, so memory does not grow with their size; all others are held in memory.
IN_BLOCKS = SETTINGS["matrix"]["format"] in ("h5ad", "zarr") or SETTINGS["matrix"][
    "path"
].removesuffix(".gz").endswith((".h5ad", ".zarr", ".zarr.zip", ".zarr.tar"))


rule import_matrix:
    input:
        matrix=matrix_files(SETTINGS),
        table=[path for path in [SETTINGS["labels"]["table"]] if path],
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
        mem_mb=grow(1000, per_mb=20, max_extra=3000 if IN_BLOCKS else float("inf")),
        runtime=grow(30),
    params:
        matrix=import_options(SETTINGS),
        obs_columns=described_by(SETTINGS),
        source=source_of("import_matrix"),
    message:
        "Importing the matrix"
    script:
        "../../scripts/rules/matrix/import_matrix.py"
