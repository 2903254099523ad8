# Settings, the package, and names that several stages share.

import atexit
import os
import re
import runpy
import sys
from pathlib import Path

from snakemake import __version__ as SNAKEMAKE_VERSION


def run_module(name):
    """Run a module that needs no other part of the package, before the package can be imported; return its names."""
    return runpy.run_path(
        workflow.source_path(f"../../src/deepmapper/workflow/{name}.py")
    )


# The repository: this folder, or a checkout if another workflow uses this one from git.
PATH, GIT, COMMIT = run_module("snakemake_internals")["origin"](
    workflow.current_basedir
)
ROOT = (
    PATH.parents[1]
    if PATH
    else run_module("repository")["check_out"](GIT, COMMIT, ".snakemake/deepmapper")
)

# The package is imported from the repository, here and in every job, whether it is installed or not.
SOURCE = ROOT / "src"
sys.path.insert(0, str(SOURCE))
os.environ.update(
    PYTHONPATH=os.pathsep.join(
        filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")])
    )
)

from deepmapper.config import SHADOWS_SHARED
from deepmapper.core.nothing import shows_nothing
from deepmapper.core.prefixes import files_of_prefix
from deepmapper.core.files import (
    MIN_FREE_BYTES,
    disk_full_message,
    free_space,
    unwritable,
)
from deepmapper.errors import InputError
from deepmapper.workflow import snakemake_internals
from deepmapper.workflow.failures import FailedJobs
from deepmapper.workflow.job_resources import grow, in_tasks
from deepmapper.workflow.locks import clear_stale_locks, stand_in
from deepmapper.workflow.provenance import source_of
from deepmapper.workflow.run_settings import read_settings
from deepmapper.workflow.sections import (
    chooses_adaptation,
    described_by,
    has_name_rule,
    has_target,
    import_options,
    keeps_shadow_weights,
    matrix_files,
    model_settings,
    named_files,
    names_own_cells,
    new_sample_files,
    novelty_sources,
    reads_domains,
    reads_target,
    searched_databases,
    shard_files,
    shares_folds,
    starts_from_reads,
    symbol_table,
)
from deepmapper.workflow.settings import config_warnings
from deepmapper.workflow.snakemake_report import escaped

MAIN_PROCESS = snakemake_internals.is_main_process(workflow)


def refuse(message):
    """End the run with a message as the last line; Snakemake would print the lines of the rules below an exception."""
    sys.exit(f"\n{message}")


try:
    UNTESTED = snakemake_internals.untested(SNAKEMAKE_VERSION)
except RuntimeError as error:
    refuse(error)

# Snakemake writes its metadata to this folder, and a full disk would end in a long traceback.
if MAIN_PROCESS and free_space(".")[0] < MIN_FREE_BYTES:
    sys.exit(f"Nothing was started: {disk_full_message('starting', ['.'])}")

# What a failed job says is printed when Snakemake has said all: the last line on the screen is the one to act on.
if not snakemake_internals.is_remote(workflow):
    snakemake_internals.hide_exit_status()
if MAIN_PROCESS:
    FAILED = FailedJobs()
    snakemake_internals.watch_jobs(FAILED)
    atexit.register(FAILED.print_all)

# A dry run needs no permission to write.
if MAIN_PROCESS and (PLANNED_IN := stand_in(".snakemake")):
    snakemake_internals.keep_own_files_in(PLANNED_IN)

if MAIN_PROCESS and clear_stale_locks(".snakemake"):
    logger.warning(
        "Note: an earlier run was killed; its lock was removed, its finished files were kept."
    )


# Snakemake's own files (locks, metadata, benchmarks) fail with a traceback, where jobs have a message of their own.
onerror:
    if any("[Errno 28]" in Path(file).read_text(errors="replace") for file in log):
        logger.error(
            f"Note: {disk_full_message('writing the metadata of the run', ['.'])}"
        )


try:
    SETTINGS = read_settings(config, ROOT / "workflow/schemas/config.schema.yaml")
except InputError as error:
    refuse(error)

if MAIN_PROCESS:
    for sentence in [UNTESTED, *config_warnings(SETTINGS)]:
        if sentence:
            logger.warning(f"Note: {sentence}")

RESULTS = SETTINGS["results"]

# What is seen first in the page of `snakemake --report`, and what is left out of it.
if MAIN_PROCESS:
    snakemake_internals.shape_report(f"{RESULTS}/index.html", shows_nothing)

STARTS_FROM_READS = starts_from_reads(SETTINGS)
MODELS = list(SETTINGS["models"])
ENRICHED = bool(SETTINGS["enrichment"]["gene_sets"])
HAS_TARGET = has_target(SETTINGS)
READING_CHORDS = [name for name in MODELS if SETTINGS["models"][name]["chord_pixels"]]
_PASSES = SETTINGS["passes"]
# None if the number of passes grows by itself; then `seeds_of` gives them for each model.
SEEDS = (
    None
    if _PASSES["n_passes"] == "auto"
    else list(range(_PASSES["seed"], _PASSES["seed"] + _PASSES["n_passes"]))
)
CONTROL_SEEDS = list(range(_PASSES["seed"], _PASSES["seed"] + _PASSES["n_permuted"]))
# passes that share a draw of shadows have consecutive seeds, starting at a multiple of SHADOWS_SHARED
SHADOW_SEEDS = [
    SHADOWS_SHARED * _PASSES["seed"] + i for i in range(_PASSES["n_shadow"])
]
# pairs of complementary halves: 2k and 2k + 1
HALF_SEEDS = [
    2 * _PASSES["seed"] + i for i in range(2 * SETTINGS["stability"]["n_pairs"])
]


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    seed=r"\d+",
    n_passes=r"\d+",


def check_folders():
    """Refuse to start where nothing can be written."""
    if reason := unwritable(".snakemake"):
        refuse(
            f"Nothing was started: {reason}. Run Snakemake in a folder that can be written to."
        )
    for folder in snakemake_internals.planned_folders(workflow):
        if reason := unwritable(folder):
            refuse(
                f"Nothing was started: {reason}. Make it writable, or set `results` to a folder that is."
            )
    try:  # some file systems, such as /proc, say that they can be written to
        Path(RESULTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse(
            f"Nothing was started: the folder {RESULTS} cannot be made ({error.strerror}). Set `results` to another one."
        )


def kinds_of(wildcards):
    """Which classes are kinds of others, by the ontology."""
    if SETTINGS["labels"]["ontology"]["path"]:
        return rules.match_terms.output.kinds
    return []
