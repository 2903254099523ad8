"""The configuration of a run, checked against what is there: its files and its networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..backbones import registry
from ..config import to_config
from ..errors import BackboneUnavailable, InputError
from .schema import load_schema
from .sections import model_settings, named_files
from .settings import validate_config
from .snakemake_report import check_paths


def read_settings(config: Any, schema: str | Path) -> dict:
    """The configuration, checked, with every default filled in.

    Parameters
    ----------
    config
        What config.yaml holds.
    schema
        The file of its schema.

    Raises
    ------
    InputError
        If an option is wrong, a path could act in a page, a file does not exist, or a network cannot be built.
    """
    checked = validate_config(config, load_schema(schema))
    check_paths({"results": checked["results"], **named_files(checked)})
    check_files(checked)
    check_networks(checked)
    return checked


def check_files(checked: dict) -> None:
    """Refuse files that the configuration names and that do not exist.

    Raises
    ------
    InputError
        If there are any; all are named.
    """
    missing = [
        f"{key}: {path} does not exist (looked for {Path(path).absolute()})"
        for key, path in named_files(checked).items()
        if path and not Path(path).exists()
    ]
    if missing:
        raise InputError(
            "the configuration names what is not there:\n  - "
            + "\n  - ".join(missing)
            + "\nGive paths from the folder in which snakemake runs, or absolute ones."
        )


def check_networks(checked: dict) -> None:
    """Refuse networks that cannot be built, before the first of many passes tries.

    Raises
    ------
    InputError
        For the first of them.
    """
    for name in checked["models"]:
        try:
            registry.check(to_config(model_settings(checked, name)).backbone)
        except (InputError, BackboneUnavailable) as error:
            raise InputError(f"models.{name}: {error}") from error
