"""What is to be named, checked as the rules `prepare_target` and `predict_target` check it; domains of all samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.words import count, listed
from ..features.domain_column import encode_domains, read_domain_column
from ..features.domains import describe_domains, domain_cautions, refuse_adversary, why_no_adversary
from ..features.prepare import column_of
from ..io.align import Scale, align, feature_table, scale_of
from ..io.expression import READING_OPTIONS
from ..io.peek import Peek, peek
from ..transfer import model_folder
from ..transfer.answer import usable_classes
from ..transfer.embedded import align_to, describe_missing, missing_cautions, open_run_embeddings
from ..transfer.model import calibrated_over
from ..transfer.statement import check_lost
from ..workflow.sections import described_by, has_target, reads_domains, shard_files
from .design import Labelled
from .outcome import Outcome

# Share of the features of the reference below which it is said how many a new file lacks; chosen by hand.
_MOST_MISSING = 0.5


def check_target(outcome: Outcome, reference: Peek, labelled: Labelled, settings: dict) -> None:
    """Check new files, the domains of all samples that passes may be given, and rates over domains."""
    labels = settings["labels"]
    if settings["transfer"]["calibrate_over"] == "domain" and labels["domain"] == labels["group"]:
        development = None if labelled.is_test is None else ~labelled.is_test
        groups = labelled.groups if labelled.groups is None or development is None else labelled.groups[development]
        outcome.attempt(calibrated_over, "domain", groups)
    if not has_target(settings):
        return
    paths = settings["matrix"]["new_samples"]
    options = {name: settings["matrix"][name] for name in READING_OPTIONS} | {"obs_columns": described_by(settings)}
    new = {path: found for path in paths if (found := outcome.attempt(peek, path, **options)) is not None}
    scale = outcome.attempt(_scale, reference, labelled, settings["features"]["normalization"]) if new else None
    var = reference.data.var if reference.has_all_features else None
    for path, found in new.items():
        missing = check_new_file(outcome, path, found, var, scale)
        if var is not None and missing is not None and len(missing) > _MOST_MISSING * len(var):
            outcome.add_cautions([_few_shared(path, len(var) - len(missing), len(var))])
    outcome.unread += [f"{path}: {found.left}" for path, found in new.items() if found.left]
    tables = {path: found.data.obs for path, found in new.items() if found.data is not None}
    is_known = len(tables) == len(paths) and all(found.has_all_samples for found in new.values())
    if labels["domain"]:
        check_domains(outcome, reference.data.obs, labelled, tables if is_known else None, settings)


def _scale(reference: Peek, labelled: Labelled, method: str) -> Scale | None:
    rows = labelled.kept if reference.rows is None else np.intersect1d(labelled.kept, reference.rows)
    if not reference.has_values or not len(rows) or (method == "log1p_tpm" and "tpm" not in reference.data.layers):
        return None
    return scale_of(reference.data, method, rows)


def check_new_file(
    outcome: Outcome, path: str, found: Peek, var: pd.DataFrame | None, scale: Scale | None, of: str = "the reference"
) -> np.ndarray | None:
    """Check that a file has features of a reference, and values like it; return which features it lacks, if known."""
    if found.data is None:
        return None
    n, p = len(found.data.obs), len(found.data.var)
    size = f"{count(n, 'sample', separator=',')}{'' if found.has_all_samples else ' or more'}"
    if var is None or scale is None or not found.has_all_features or not found.has_values:
        outcome.say("New samples", f"{path}: {size} × {count(p, 'feature', separator=',')}")
        return None
    aligned = outcome.attempt(align, found.data, var, scale, path, found.rows)
    if aligned is None:
        return None
    n_missing = len(aligned.missing)
    has = f"{len(var) - n_missing:,} of the {count(len(var), 'feature', separator=',')} of {of}"
    outcome.say("New samples", f"{path}: {size}, with {has if n_missing else f'all features of {of}'}")
    return aligned.missing


def _few_shared(path: str, n_shared: int, n: int) -> str:
    return (
        f"{path} has only {n_shared:,} of the {n:,} features of the reference. If those that it lacks hold more than "
        "half of the importance of a model, its samples cannot be named. Check that it is the same organism and that "
        "features are named in the same way; if so, leave the others out of the reference before training."
    )


def check_prediction(outcome: Outcome, settings: dict) -> None:
    """Check the model of `task: predict` and the files that it is to name, as `transfer.predict` reads them."""
    if not Path(settings["predict"]["model"]).exists():
        return
    model = outcome.attempt(model_folder.load, settings["predict"]["model"])
    if model is None:
        outcome.unread.append("the matrix, since the model cannot be used")
        return
    n_passes = count(len(model.members), "pass", "passes")
    outcome.say("Model", f"{listed(model.classes, 8)}, by {len(model.features):,} features and {n_passes}")
    outcome.attempt(usable_classes, model, settings["labels"]["ontology"]["allowed"])
    embeddings = outcome.attempt(open_run_embeddings, settings["predict"]["embeddings"]) or {}
    options = {name: settings["matrix"][name] for name in READING_OPTIONS} | {"obs_columns": described_by(settings)}
    var, domain = feature_table(model.features, model.ids), settings["labels"]["domain"]
    paths = [*(shard_files(settings).values() or [settings["matrix"]["path"]]), *settings["matrix"]["new_samples"]]
    for path in filter(None, paths):
        found = outcome.attempt(peek, path, **options)
        if found is None:
            continue
        missing = check_new_file(outcome, path, found, var, model.scale, "the model")
        if found.left:
            outcome.unread.append(f"{path}: {found.left}")
        if missing is not None:
            source = {"source": path, "missing": [model.features[i] for i in missing]}
            outcome.add_cautions(filter(None, [outcome.attempt(check_lost, model, source)]))
            for kind, embedding in embeddings.items():
                if (aligned := outcome.attempt(align_to, embedding, found.data, path, found.rows)) is not None:
                    outcome.add_cautions(missing_cautions({kind: describe_missing(embedding, aligned, path)}))
        if domain and found.data is not None and domain in found.data.obs:
            outcome.attempt(read_domain_column, found.data.obs[domain], domain, settings["labels"]["na_values"])


def check_domains(
    outcome: Outcome, obs: pd.DataFrame, labelled: Labelled, new: Mapping[str, pd.DataFrame] | None, settings: dict
) -> None:
    """Check the domains of all samples that passes may be given, and whether an adversary has any to tell apart.

    Parameters
    ----------
    outcome
        Receives what is found.
    obs
        Table of the samples of the matrix.
    labelled
        Those with a label, and those to be named.
    new
        Tables of the new files by path; None if not all are known.
    settings
        The checked configuration.
    """
    name, na_values = settings["labels"]["domain"], settings["labels"]["na_values"]
    development = labelled.kept if labelled.is_test is None else labelled.kept[~labelled.is_test]
    rows = np.concatenate([development, labelled.to_name])
    y = np.full(len(obs), -1)
    y[labelled.kept] = labelled.y
    parts: list[Any] = []
    if name in obs or not any(name in table for table in (new or {}).values()):
        if name not in obs and new is None:
            return  # one of the files that were not read may have it
        if outcome.attempt(column_of, obs, name, "labels.domain") is None:
            return
        parts.append(outcome.attempt(read_domain_column, obs[name], name, na_values))
    else:
        parts.append(np.full(len(obs), "reference", dtype=object))
    for path, table in (new or {}).items():
        if name in table:
            parts.append(outcome.attempt(read_domain_column, table[name], name, na_values))
        else:
            parts.append(np.full(len(table), path, dtype=object))
    if any(part is None for part in parts):
        return
    parts[0] = parts[0][rows]
    codes, names = encode_domains(np.concatenate(parts))
    n_new = sum(map(len, parts[1:]))
    outcome.say("Domains", describe_domains(codes, names))
    _check_adversaries(outcome, codes, names, np.concatenate([y[rows], np.full(n_new, -1)]), new is not None, settings)


def _check_adversaries(outcome: Outcome, codes, names, y, is_known: bool, settings: dict) -> None:
    """Check what the adversaries of the models, if there are any, have to tell apart."""
    asked = {
        model: options["extra"].get("adapt", "auto")
        for model, options in settings["models"].items()
        if reads_domains(settings, model)
    }
    if not asked:
        return
    outcome.add_cautions(domain_cautions(codes, names, y))
    why = why_no_adversary(codes) if is_known else ""
    for model, adapt in asked.items() if why else ():
        if adapt == "auto":
            outcome.add_cautions([f"models.{model}: adapt: auto leaves the adversary out, since {why}."])
        else:
            outcome.add_faults([f"models.{model}: {refuse_adversary(adapt, why)}"])
