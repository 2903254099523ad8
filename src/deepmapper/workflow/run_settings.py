"""The configuration of a run, checked including its files and networks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..backbones import registry
from ..config import to_config
from ..core.files import special_kind
from ..core.prefixes import files_of_prefix, is_pattern
from ..errors import BackboneUnavailable, InputError
from .schema import load_schema
from .sections import model_settings, named_files
from .settings import validate_config
from .snakemake_report import check_paths


def read_settings(config: Any, schema: str | Path) -> dict:
    """Check a configuration and fill in every default.

    Parameters
    ----------
    config
        Content of config.yaml.
    schema
        Path of its schema.

    Raises
    ------
    InputError
        If an option is wrong, a path would break the report page, a file does not exist, or a network cannot be built.
    """
    checked = validate_config(config, load_schema(schema))
    check_paths({"results": checked["results"], **named_files(checked)})
    check_files(checked)
    check_networks(checked)
    return checked


def check_files(checked: dict) -> None:
    """Refuse a configuration that names missing files, or what is no file.

    Raises
    ------
    InputError
        Names all files that are missing, else all that are not what they should be.
    """
    missing, faults = file_faults(checked)
    if missing:
        raise InputError(
            "the configuration names missing files:\n  - "
            + "\n  - ".join(missing)
            + "\nGive absolute paths, or paths relative to the folder in which snakemake runs."
        )
    if faults:
        raise InputError(
            "the configuration names what cannot be used:\n  - "
            + "\n  - ".join(faults)
            + "\nGive files, and folders where they are expected; nothing was run."
        )


def file_faults(checked: dict) -> tuple[list[str], list[str]]:
    """List the files that a configuration names: those that are missing, and those that are not what is expected."""
    named = {key: path for key, path in named_files(checked).items() if path}
    missing = [
        f"{key}: {path} {'matches nothing' if is_pattern(path) else 'does not exist'} "
        f"(looked for {Path(path).absolute()})"
        for key, path in named.items()
        if not Path(path).exists() and not (key.startswith("matrix.") and files_of_prefix(path))
    ]
    faults = [f"{key}: {path} is {kind}" for key, path in named.items() if (kind := _wrong_kind(key, Path(path)))]
    places = Path(checked["results"]), *Path(checked["results"]).parents
    results = next(place for place in places if place.exists() or place.is_symlink())
    if not results.exists():
        target = results.readlink()
        faults.append(f"results: {results} is a link to {target}, which does not exist; make that folder first")
    elif not results.is_dir():
        faults.append(f"results: {results} is a file, expected a folder or the name of a new one")
    return missing, faults


def _wrong_kind(key: str, path: Path) -> str:
    """What a path is that is not what its key expects; empty if it is right."""
    if kind := special_kind(path):
        return f"{kind}, expected a file; write what it gives to a file first"
    if path.is_dir() and not key.startswith(("matrix.", "predict.")):  # 10x, zarr and models are
        return "a folder, expected a file"
    if path.exists() and not os.access(path, os.R_OK):  # the start of the names of files does not exist
        return "not readable for this user; check its permissions (ls -l)"
    return ""


def check_networks(checked: dict) -> None:
    """Refuse networks that cannot be built, before any pass starts.

    Raises
    ------
    InputError
        For the first such network.
    """
    for fault in network_faults(checked):
        raise InputError(fault)


def network_faults(checked: dict) -> Iterator[str]:
    """Yield why networks cannot be built, one sentence for each."""
    for name in checked["models"]:
        try:
            registry.check(to_config(model_settings(checked, name)).backbone)
        except (InputError, BackboneUnavailable) as error:
            yield f"models.{name}: {error}"
