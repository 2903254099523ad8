"""Work directories with small synthetic data, Snakemake as a person runs it, and finished runs that tests share."""

from __future__ import annotations

import copy
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml
from filelock import FileLock

from deepmapper.core.table_schemas import table_at
from deepmapper.core.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("alpha", "beta", "gamma")
# The genes that tell the classes apart, two of each class; all others are noise.
PLANTED = [f"{name}_{i}" for name in CLASSES for i in (1, 2)]
# Tables that programs on reads write, or read in a form of their own.
OF_PROGRAMS = ("ambig_info.tsv", "duplicate_clusters.tsv", "splice_sites.tsv")

SETTINGS = {
    "matrix": {"path": "matrix.h5ad"},
    "labels": {"column": "state"},
    "passes": {"n_passes": 2, "n_permuted": 0, "n_shadow": 0, "top_k": 6},
    "differential": {"enabled": False},  # `finished` has it; elsewhere it would only take time
    "stability": {"n_pairs": 0},
    "training": {"epochs": 6, "min_epochs": 2, "patience": 3, "lr": 0.01, "batch_size": 16, "ig_steps": 8},
    "findings": {"bootstrap": 100},
    "models": {"linear": {}},
    "resources": {"seeds_per_job": 1},  # the jobs do not depend on the number of cores
}


@dataclass(frozen=True)
class Done:
    """A Snakemake call that ended: its exit status and all it said."""

    status: int
    said: str

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs of every rule, from the table that Snakemake prints before it starts."""
        table = re.search(r"^job +count\n[- ]+\n(.*?)^total ", self.said, re.MULTILINE | re.DOTALL)
        if table is None:
            assert "Nothing to be done" in self.said, self.said
            return {}
        counts = {name: int(count) for name, count in re.findall(r"^(\S+) +(\d+)$", table[1], re.MULTILINE)}
        counts.pop("all", None)
        return counts


@dataclass
class WorkDirectory:
    """A folder with its own configuration, in which a pipeline runs."""

    folder: Path
    pipeline: Path
    settings: dict = field(default_factory=lambda: copy.deepcopy(SETTINGS))

    def __post_init__(self) -> None:
        (self.folder / "config").mkdir(parents=True, exist_ok=True)
        self.configure()

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def configure(self, **sections) -> None:
        """Replace whole sections of the configuration and write it."""
        self.settings.update(sections)
        file, text = self.folder / "config/config.yaml", yaml.safe_dump(self.settings, sort_keys=False)
        if not file.exists() or file.read_text() != text:  # another process may be reading that of a shared run
            file.write_text(text)

    def start(self, *arguments: str, cores: int = 2, log: Path | None = None) -> subprocess.Popen:
        """Start Snakemake in a process group of its own, in which Ctrl-C works."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(self.pipeline / "Snakefile")]
        command += ["--workflow-profile", str(self.pipeline / "workflow/profiles/default"), "--cores", str(cores)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")  # nothing may be downloaded
        with (log or self.folder / "said.txt").open("w") as said:
            return subprocess.Popen(
                [*command, *map(str, arguments)],
                cwd=self.folder,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_answer_ctrl_c,
            )

    def run(self, *arguments: str, cores: int = 2, fails: bool = False) -> Done:
        """Run Snakemake to its end, which must be a success, or a failure where one is expected."""
        status = self.start(*arguments, cores=cores).wait(timeout=600)
        done = Done(status, (self.folder / "said.txt").read_text())
        assert (status != 0) == fails, done.said
        return done

    def would_run(self, *arguments: str) -> dict[str, int]:
        """Count the jobs of a dry run, by rule."""
        return self.run("--dry-run", *arguments).jobs

    def branch(self, folder: Path, pipeline: Path | None = None) -> WorkDirectory:
        """Copy this directory with all that Snakemake remembers of it."""
        subprocess.run(["cp", "-a", self.folder, folder], check=True)
        return WorkDirectory(folder, pipeline or self.pipeline, copy.deepcopy(self.settings))

    def table_faults(self) -> list[str]:
        """Where the tables below `results/` differ from their schemas; Salmon's and HISAT2's have none."""
        faults = []
        for path in sorted(self.results.rglob("*.tsv*")):
            name = path.relative_to(self.results).as_posix()
            if name.startswith(("logs/", "benchmarks/")) or path.name in OF_PROGRAMS:
                continue
            table = table_at(name)
            if table is None:
                faults.append(f"{name}: has no schema")
                continue
            columns = list(read_table(path, table).columns)
            faults += [f"{name}: column {column} is not in its schema" for column in table.unknown(columns)]
            faults += [f"{name}: column {column} is missing" for column in table.absent(columns)]
        return faults

    def outputs(self) -> dict[str, bytes]:
        """Every file below `results/` but logs and benchmarks, by its path in there."""
        files = {str(path.relative_to(self.results)): path for path in self.results.rglob("*") if path.is_file()}
        return {
            name: files[name].read_bytes() for name in sorted(files) if not name.startswith(("logs/", "benchmarks/"))
        }


def _answer_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell lets its background jobs ignore it, children included


def planted_counts(n: int = 30, n_noise: int = 34, seed: int = 1) -> np.ndarray:
    """Counts of cells × genes, `n` cells a class in the order of the classes, planted genes first."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.5, (n * len(CLASSES), len(PLANTED) + n_noise))
    for gene in range(len(PLANTED)):
        own = slice(gene // 2 * n, (gene // 2 + 1) * n)
        counts[own, gene] += rng.poisson(6, n) + 2
    return counts


def planted_matrix(counts: np.ndarray | None = None, **columns):
    """AnnData of planted counts with the column `state`, and further columns of obs."""
    import anndata
    import pandas as pd
    from scipy import sparse

    counts = planted_counts() if counts is None else counts
    each = len(counts) // len(CLASSES)
    obs = pd.DataFrame({"state": np.repeat(CLASSES, each), **columns}, index=[f"cell{i}" for i in range(len(counts))])
    genes = [*PLANTED, *(f"noise_{i}" for i in range(counts.shape[1] - len(PLANTED)))]
    return anndata.AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs=obs, var=pd.DataFrame(index=genes))


@pytest.fixture(scope="session")
def counts():
    """Give the function that makes planted counts."""
    return planted_counts


@pytest.fixture(scope="session")
def matrix():
    """Give the function that makes an AnnData of planted counts."""
    return planted_matrix


@pytest.fixture(scope="session")
def planted() -> list[str]:
    """Name the planted genes."""
    return PLANTED


@pytest.fixture(scope="session")
def copy_pipeline():
    """Give a function that copies all that runs, and nothing else of the repository."""

    def copy_to(folder: Path, source: Path = ROOT) -> Path:
        folder.mkdir(parents=True)
        for part in ("Snakefile", "workflow", "scripts", "src", "envs"):
            subprocess.run(["cp", "-a", source / part, folder], check=True)
        for cache in list(folder.rglob("__pycache__")):
            shutil.rmtree(cache)
        return folder

    return copy_to


@pytest.fixture(scope="session")
def pipeline(copy_pipeline, tmp_path_factory) -> Path:
    """Copy the pipeline once: no test can lean on the rest of the repository, none is disturbed by an edit."""
    return copy_pipeline(tmp_path_factory.mktemp("pipeline") / "deepmapper")


@pytest.fixture(scope="session")
def work_directory(pipeline, tmp_path_factory):
    """Give a function that makes a work directory with the planted matrix in it."""

    def make(**sections) -> WorkDirectory:
        folder = tmp_path_factory.mktemp("work")
        planted_matrix().write_h5ad(folder / "matrix.h5ad")
        directory = WorkDirectory(folder, pipeline)
        directory.configure(**sections)
        return directory

    return make


@pytest.fixture(scope="module")
def side_by_side(request):
    """Give a function that begins work on all cases which were asked for, two at a time, and gives their futures."""
    here = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    asked = {item.callspec.params.get("case") for item in here}
    pool = ThreadPoolExecutor(2)
    yield lambda work, cases: {case: pool.submit(work, case) for case in cases if case in asked}
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def run_once(copy_pipeline, tmp_path_factory):
    """Give a function that runs something in a folder with a pipeline of its own, once.

    Processes that share the tests out among them (pytest-xdist) share this run, too.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def run(name: str, start) -> tuple[Path, Path]:
        folder, whole = shared / name, shared / f"{name}.whole"
        with FileLock(shared / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                start(folder / "work", copy_pipeline(folder / "deepmapper"))
                whole.touch()
        return folder / "work", folder / "deepmapper"

    return run


@pytest.fixture(scope="session")
def finished(run_once) -> WorkDirectory:
    """Run everything, once: three models, two passes and one control pass each. Not to be changed: `branch` it."""
    settings = copy.deepcopy(SETTINGS) | {"models": {"cnn_small": {}, "mlp": {}, "linear": {}}}
    settings["passes"]["n_permuted"] = 1
    del settings["differential"]

    def start(folder: Path, pipeline: Path) -> None:
        directory = WorkDirectory(folder, pipeline, settings)
        planted_matrix().write_h5ad(directory.folder / "matrix.h5ad")
        directory.run()

    return WorkDirectory(*run_once("finished", start), settings)


@pytest.fixture(scope="session")
def ranked(work_directory) -> WorkDirectory:
    """Run three passes of one model up to their ranking, once. Not to be changed: `branch` it."""
    directory = work_directory(passes={**SETTINGS["passes"], "n_passes": 3})
    directory.run("results/findings/linear/features.tsv")
    return directory


def reads_settings(study, **sections) -> dict:
    """Return the configuration of a study, without a matrix; `study` is what make_study returns."""
    return {
        "matrix": {},
        "sample_sheet": str(study.sheet),
        "reference": {
            "genome": str(study.genome),
            "transcripts": str(study.transcripts),
            "annotation": str(study.annotation),
        },
        "labels": {"column": "condition"},
        "features": {"normalization": "log1p_tpm"},
        "reads": {"trim": False},
        **sections,
    }


@pytest.fixture(scope="session")
def small_study():
    """Give a function that makes a small study in a folder: 4 samples, 3 novel transcripts, 1 near-copy."""
    from deepmapper.simulate.reads import make_study

    def make(folder: Path, **options):
        few = {"n_genes": 12, "n_novel": 3, "n_differing": 2, "n_near_copies": 1, "samples_per_condition": 2}
        return make_study(folder / "study", **{**few, "fragments_per_sample": 1500, **options})

    return make


@pytest.fixture(scope="session")
def reads_directory(work_directory, small_study):
    """Give a function that makes a work directory with a small study in it."""

    def make(study_options=None, **sections):
        directory = work_directory()
        study = small_study(directory.folder, **(study_options or {}))
        directory.configure(**reads_settings(study, **sections))
        return directory, study

    return make


@pytest.fixture(scope="session")
def small_run(run_once, small_study):
    """The small study up to its table, on one core. Not to be changed: `branch` it."""

    def start(folder: Path, pipeline: Path) -> None:
        study = small_study(folder)
        (folder / "study.pickle").write_bytes(pickle.dumps(study))
        WorkDirectory(folder, pipeline, settings_of(study)).run("expression", cores=1)

    def settings_of(study) -> dict:
        return copy.deepcopy(SETTINGS) | reads_settings(study)

    folder, pipeline = run_once("small_run", start)
    study = pickle.loads((folder / "study.pickle").read_bytes())
    return WorkDirectory(folder, pipeline, settings_of(study)), study
