"""Record of a run: versions, settings, seeds, input files, state of the code. Standard library only."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from ..core.programs import version as version_of
from .provenance import ROOT, package_source

LIBRARIES = (
    "torch",
    "captum",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "anndata",
    "scanpy",
    "h5py",
    "umap-learn",
    "matplotlib",
    "biopython",
    "pytximport",
)

# Parameters of the rule that are not settings.
_NOT_SETTINGS = ("seeds", "files", "programs", "deployment", "source")


def record_run(
    params: Mapping, n_passes: Sequence[int], *, version: str, resources: Mapping, results: str | Path
) -> dict:
    """Gather the record of a run from the parameters of the rule that writes it (`record_of`).

    Parameters
    ----------
    params
        The configuration by section, with every default filled in, without `resources` and `results`; and the `seeds`
        of control, shadow and half passes, `files`, `programs`, `deployment`.
    n_passes
        Number of passes of each model, in the order of `params["models"]`.
    version
        Version of this package.
    resources, results
        These two settings. They change no result, so they are not parameters of the rule: another value must not re-run
        it.
    """
    settings = {name: value for name, value in params.items() if name not in _NOT_SETTINGS}
    first = settings["passes"]["seed"]
    passes = {model: list(range(first, first + n)) for model, n in zip(settings["models"], n_passes, strict=True)}
    return record_of(
        version=version,
        settings=settings | {"resources": resources, "results": str(results)},
        seeds={"passes": passes, **params["seeds"]},
        files=params["files"],
        programs=params["programs"],
        root=ROOT,
        deployment=params["deployment"],
    )


def record_of(
    *,
    version: str,
    settings: Mapping,
    seeds: Mapping,
    files: Mapping[str, str],
    programs: Iterable[str],
    root: str | Path,
    deployment: Iterable[str],
) -> dict:
    """Gather the record of a run, as it is written to run.json.

    Parameters
    ----------
    version
        Version of this package.
    settings
        The configuration with every default filled in.
    seeds
        Seeds of the passes, by kind or model.
    files
        Files that the configuration names, by key.
    programs
        Names of the programs that the run used besides Python.
    root
        Folder of the workflow.
    deployment
        How Snakemake provided the software ("conda", "apptainer"); empty if it was installed already.
    """
    root = Path(root)
    return {
        "deepmapper": {"version": version, "source": package_source(), "git": git_state(root)},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "snakemake": _installed("snakemake"),
        "libraries": {name: _installed(name) for name in LIBRARIES},
        "programs": {name: version_of(name) if shutil.which(name) else None for name in programs},
        "deployment": sorted(deployment),
        "environments": {path.stem: _pins(path) for path in sorted((root / "envs").glob("*.yaml"))},
        "files": {key: _file_record(Path(path)) for key, path in files.items() if path},
        "seeds": dict(seeds),
        "settings": dict(settings),
    }


def git_state(root: str | Path) -> dict | None:
    """Commit of the workflow, and the files that differ from it; None if the folder is not a git checkout.

    `changed` is None if git cannot list them.
    """
    root = Path(root)
    if shutil.which("git") is None or not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None

    commit, changed = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    if commit is None:
        return None
    return {
        "commit": commit.strip(),
        "dirty": None if changed is None else bool(changed.strip()),
        "changed": None if changed is None else [line[3:] for line in changed.splitlines()],
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _pins(path: Path) -> list[str]:
    """Lines of an environment file that pin a package to a version."""
    return re.findall(r"^ *- ([\w.-]+ ?=.+)$", path.read_text(), re.MULTILINE)


def _file_record(path: Path) -> dict:
    """Path, size and SHA-256 of a file; only the path of a folder."""
    if not path.is_file():
        return {"path": str(path)}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest}
