"""The configuration of a run, checked including its files and networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..backbones import registry
from ..config import to_config
from ..core.prefixes import files_of_prefix
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
    """Refuse a configuration that names missing files.

    Raises
    ------
    InputError
        If files are missing; names all of them.
    """
    missing = [
        f"{key}: {path} does not exist (looked for {Path(path).absolute()})"
        for key, path in named_files(checked).items()
        if path and not Path(path).exists() and not (key.startswith("matrix.") and files_of_prefix(path))
    ]
    if missing:
        raise InputError(
            "the configuration names missing files:\n  - "
            + "\n  - ".join(missing)
            + "\nGive absolute paths, or paths relative to the folder in which snakemake runs."
        )


def check_networks(checked: dict) -> None:
    """Refuse networks that cannot be built, before any pass starts.

    Raises
    ------
    InputError
        For the first such network.
    """
    for name in checked["models"]:
        try:
            registry.check(to_config(model_settings(checked, name)).backbone)
        except (InputError, BackboneUnavailable) as error:
            raise InputError(f"models.{name}: {error}") from error
