"""A whole study: its configuration file, then everything that the configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.files import unwritable
from ..workflow.config_file import fault_in
from ..workflow.run_settings import file_faults, network_faults
from ..workflow.schema import load_schema
from ..workflow.sections import has_matrix, named_files, starts_from_reads
from ..workflow.settings import config_warnings, examine_config
from ..workflow.snakemake_report import check_paths
from .embeddings import check_lightning
from .matrix import check_matrix
from .outcome import Outcome
from .plan import Size, describe_plan
from .reads import check_reads, check_reference
from .target import check_prediction


def check_study(
    config: str | Path, schema: str | Path, *, cores: int = 1, own_programs: bool = True
) -> tuple[Outcome, dict[str, Any] | None]:
    """Check a study in the working folder without running anything.

    Parameters
    ----------
    config
        The configuration file.
    schema
        Its schema, `workflow/schemas/config.schema.yaml`.
    cores
        Number of cores for the estimate.
    own_programs
        Whether programs of this machine are used, and looked for.

    Returns
    -------
    Outcome
        Every fault, caution and line of the summary.
    dict or None
        The settings; None if the file cannot be read.
    """
    outcome = Outcome()
    given = _read_config(outcome, Path(config))
    if given is None:
        return outcome, None
    settings, faults = examine_config(given, load_schema(schema), str(config))
    outcome.add_faults(faults)
    if settings is None:
        return outcome, None
    if not faults:
        outcome.add_cautions(config_warnings(settings))
        outcome.add_faults(network_faults(settings))
    missing, wrong = file_faults(settings)
    outcome.add_faults([*(line for line in missing if ": ~" not in line), *wrong])  # the other has a fault of its own
    outcome.attempt(check_paths, {"results": settings["results"], **named_files(settings)})
    if not any(line.startswith("results:") for line in wrong) and (reason := unwritable(settings["results"])):
        outcome.add_faults([f"results: {reason}. Make it writable, or set `results` to a folder that is."])
    if own_programs:
        outcome.attempt(check_lightning, settings)
    _check_inputs(outcome, settings, {*missing, *wrong}, own_programs, cores)
    return outcome, settings


def _read_config(outcome: Outcome, config: Path) -> Any:
    import yaml

    if not config.exists():
        outcome.add_faults(
            [f"{config} does not exist in {Path.cwd()}. Make a study with `deepmapper init`, or give its folder."]
        )
        return None
    if fault := fault_in(config):
        outcome.add_faults([fault])
        return None
    return yaml.safe_load(config.read_text(encoding="utf-8-sig"))


def _check_inputs(outcome: Outcome, settings: dict, faults: set[str], own_programs: bool, cores: int) -> None:
    """Check the matrix or the reads as far as the configuration says which."""
    if settings["task"] == "predict":
        if not any(fault.startswith(("matrix.", "predict.")) for fault in faults):
            check_prediction(outcome, settings)
        return
    size = Size()
    if starts_from_reads(settings) and not has_matrix(settings):
        if any(fault.startswith("sample_sheet:") for fault in faults):
            outcome.unread.append("the samples, since their sheet cannot be used")
            check_reference(outcome, settings)
        else:
            size = Size(samples=check_reads(outcome, settings, own_programs=own_programs))
    elif has_matrix(settings) and not starts_from_reads(settings):
        concerned = ("matrix.", "labels.table")
        if any(fault.startswith(concerned) for fault in faults):
            outcome.unread.append("the matrix, since a file cannot be used")
        else:
            size = check_matrix(outcome, settings)
    describe_plan(outcome, settings, size, cores)
