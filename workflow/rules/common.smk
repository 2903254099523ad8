# Settings, the package, and what several stages share.

import os
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from snakemake.exceptions import WorkflowError


def repository(rules):
    """Folder of the workflow's repository, with the package in it; `rules` is where Snakemake finds this file.

    Snakemake reads a workflow that another one takes from github(...), gitlab(...) or git+file: file by file out of
    git, so the package would not be there. Then the commit is laid out whole in `.snakemake/deepmapper`, where the jobs of
    every machine find it.
    """
    if hasattr(rules, "hosted_repo"):
        git = rules.hosted_repo.repo_clone
    elif hasattr(rules, "repo_path"):
        git = rules.repo_path
    else:
        return Path(rules.get_path_or_uri(secret_free=True)).parents[1]

    def ask(*arguments):
        return subprocess.check_output(["git", "-C", str(git), *arguments])

    commit = ask("rev-parse", "--verify", f"{rules.ref}^{{commit}}").decode().strip()
    folder = Path(".snakemake/deepmapper", commit).absolute()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        packed = ask("archive", "--format=tar", commit, "src", "workflow", "envs")
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            whole = Path(work, "whole")
            whole.mkdir()
            subprocess.run(["tar", "-x", "-C", whole], input=packed, check=True)
            with suppress(OSError):  # another job was faster
                whole.rename(folder)
    return folder


# The package is used where it lies, here and in every job, installed or not.
ROOT = repository(workflow.current_basedir)
SOURCE = ROOT / "src"
sys.path.insert(0, str(SOURCE))
os.environ.update(
    PYTHONPATH=os.pathsep.join(
        filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")])
    )
)

from deepmapper import backbones
from deepmapper import settings as deepmapper_settings
from deepmapper.errors import InputError
from deepmapper.files import TOO_LITTLE, full_message, room
from deepmapper.locks import clear_stale_locks
from deepmapper.provenance import source_hash
from deepmapper.snakemake_report import check_paths, escaped


def read_settings():
    """The configuration, checked, with every default filled in; says which settings cannot act."""
    schema = deepmapper_settings.load_schema(
        ROOT / "workflow" / "schemas" / "config.schema.yaml"
    )
    try:
        checked = deepmapper_settings.validate_config(config, schema)
        named = deepmapper_settings.named_files(checked)
        check_paths({"results": checked["results"], **named})
        check_files(checked)
        check_networks(checked)
    except InputError as error:
        raise WorkflowError(str(error))
    if is_main_process():
        for sentence in deepmapper_settings.config_warnings(checked):
            logger.warning(f"Note: {sentence}")
    return checked


def is_main_process():
    """Whether this is the process that a person started, not that of a single job."""
    return workflow.exec_mode.name == "DEFAULT"


def check_files(checked):
    """Refuse files that the configuration names and that do not exist."""
    missing = [
        f"{key}: {path} does not exist (looked for {Path(path).absolute()})"
        for key, path in deepmapper_settings.named_files(checked).items()
        if path and not Path(path).exists()
    ]
    if missing:
        raise InputError(
            "the configuration names what is not there:\n  - "
            + "\n  - ".join(missing)
            + "\nGive paths from the folder in which snakemake runs, or absolute ones."
        )


def check_networks(checked):
    """Refuse networks that cannot be built, before the first of many passes tries."""
    for name in checked["models"]:
        options = deepmapper_settings.model_settings(checked, name)
        try:
            backbones.check(deepmapper_settings.to_config(options).backbone)
        except (InputError, backbones.BackboneUnavailable) as error:
            raise InputError(f"models.{name}: {error}") from error


# Snakemake keeps its own books in this folder, and answers a full disk with a long traceback.
if is_main_process() and not workflow.dryrun and room(".")[0] < TOO_LITTLE:
    sys.exit(f"Nothing was started: {full_message('starting', ['.'])}")

if is_main_process() and clear_stale_locks(".snakemake"):
    logger.warning(
        "Note: an earlier run was killed; its lock is removed, its finished files are kept."
    )


# Snakemake's own writing (locks, books, benchmarks) fails with a traceback where a job's says what to do.
onerror:
    if any("[Errno 28]" in Path(file).read_text(errors="replace") for file in log):
        logger.error(f"Note: {full_message('keeping the books of the run', ['.'])}")


SETTINGS = read_settings()
RESULTS = SETTINGS["results"]
STARTS_FROM_READS = deepmapper_settings.starts_from_reads(SETTINGS)
MODELS = list(SETTINGS["models"])
READING_CHORDS = [name for name in MODELS if SETTINGS["models"][name]["chord_pixels"]]
_PASSES = SETTINGS["passes"]
# None where the number of passes grows by itself; then `seeds_of` has them for each model.
SEEDS = (
    None
    if _PASSES["n_passes"] == "auto"
    else list(range(_PASSES["seed"], _PASSES["seed"] + _PASSES["n_passes"]))
)
CONTROL_SEEDS = list(range(_PASSES["seed"], _PASSES["seed"] + _PASSES["n_permuted"]))
# passes that share a draw of shadows have consecutive seeds, the first a multiple of their number
SHADOW_SEEDS = [
    deepmapper_settings.SHADOWS_SHARED * _PASSES["seed"] + i
    for i in range(_PASSES["n_shadow"])
]
# pairs of complementary halves: 2k and 2k + 1
HALF_SEEDS = [
    2 * _PASSES["seed"] + i for i in range(2 * SETTINGS["stability"]["n_pairs"])
]


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    seed=r"\d+",
    n_passes=r"\d+",


def grow(amount, per_mb=0, most=float("inf")):
    """A resource that grows with every attempt, and by so much for every MB of input, but by no more than `most`."""
    if not per_mb:
        return lambda wildcards, attempt: amount * attempt
    return lambda wildcards, input, attempt: (
        int(amount + min(per_mb * megabytes(input), most)) * attempt
    )


def megabytes(paths):
    """Size of files and of folders with all that is in them; Snakemake's own `size_mb` takes a folder for empty."""
    size = 0
    for path in map(Path, paths):
        files = path.rglob("*") if path.is_dir() else [path]
        size += sum(file.stat().st_size for file in files)
    return size / 1e6
