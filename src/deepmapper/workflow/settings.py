"""The configuration checked: `config.yaml` with every default filled in.

The schema (`workflow/schemas/config.schema.yaml`, JSON Schema draft 2020-12) is the one place that knows keys, types,
ranges and defaults. `schema` turns its errors into messages, `cross_checks` adds the checks that involve several keys.
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Mapping
from typing import Any

from ..config import BACKBONE_KEYS, to_config
from ..core.prefixes import is_pattern
from ..errors import InputError
from .cross_checks import cross_faults
from .schema import KeyPath, drop, found, model_schema, schema_faults, tidied, touches
from .sections import has_target, lacks_target, model_settings


def validate_config(config: Any, schema: dict, source: str = "config/config.yaml") -> dict:
    """Check a configuration and fill in every default.

    An option or section without a value takes its default. Where a number is expected, text that reads as one is
    converted (``1e-3`` is text in YAML 1.1); where a label is expected, a number becomes text. Nothing else is
    converted. Validating the result again returns the same.

    Parameters
    ----------
    config
        Content of the YAML file; not modified.
    schema
        Result of `schema.load_schema`.
    source
        Name of the file, for error messages.

    Returns
    -------
    dict
        Plain builtins, keys in the order of the schema. Each model has its own options and all of ``training``.

    Raises
    ------
    InputError
        One line per fault: the key, what was found and what was expected; for an unknown key, the nearest known one.
    """
    settings, faults = examine_config(config, schema, source)
    if settings is None:
        raise InputError(faults[0])
    if faults:
        count = f"{len(faults)} fault" + "s" * (len(faults) > 1)
        raise InputError(f"{source} has {count}; nothing was run:\n" + "\n".join(f"  - {line}" for line in faults))
    return settings


def examine_config(config: Any, schema: dict, source: str = "config/config.yaml") -> tuple[dict | None, list[str]]:
    """Check a configuration as `validate_config` does, and return what can be used of it with all faults.

    Returns
    -------
    settings : dict or None
        The settings, with the default in place of every faulty one; None if there are none at all.
    faults : list of str
        One line per fault.
    """
    if config is None or config == {}:
        return None, [
            f"{source} is empty: give at least `matrix.path` (the matrix) or `sample_sheet` (reads), and "
            f"`labels.column` (the labels)."
        ]
    if not isinstance(config, Mapping):
        return None, [f"{source}: found {found(config)}; expected sections such as `matrix:`, `labels:` and `models:`."]
    faults: dict[KeyPath, str] = {}
    given = tidied(_spelled_out(config), schema, (), faults)
    schema_faults(given, schema, faults)
    for path in faults:
        drop(given, path)
    settings = _filled(given, schema)
    lines = list(faults.values())
    for keys, line in cross_faults(settings, schema):
        if not any(touches(path, key) for path in faults for key in keys):
            lines.append(line)
    return settings, lines


def config_warnings(settings: dict) -> list[str]:
    """List settings that have no effect, or that leave a result without its reference: one sentence each.

    `settings` is the result of `validate_config`.
    """
    warnings = []
    for name in settings["models"]:
        inert = to_config(model_settings(settings, name)).inert_settings()
        warnings += [f"model `{name}`: {sentence}" for sentence in inert]
        if lacks_target(settings, name):
            warnings.append(
                f"model `{name}`: the kind scnym learns from cells without a label, and there are none. It will learn "
                "from the labelled cells alone. Name such cells in `labels.unlabelled` or `matrix.new_samples`, or set "
                "`extra: {adapt: none}`."
            )
    labels = settings["labels"]
    if labels["domain"] not in ("", labels["group"]) and settings["task"] != "predict" and not has_target(settings):
        warnings.append(
            "`labels.domain` has no effect: no cells are to be named (`labels.unlabelled`, `matrix.new_samples`)."
        )
    if settings["reference"]["none"]:
        idle = [key for key in ("keep_half_mapped", "keep_alignments") if settings["reads"][key]]
        warnings += [f"`reads.{key}` has no effect: with `reference: none` nothing is aligned." for key in idle]
    if settings["passes"]["n_permuted"] == 0:
        warnings.append(
            "`passes.n_permuted` is 0: without control passes on permuted labels no report can say whether a model is "
            "better than chance."
        )
    if settings["passes"]["n_shadow"] == 0:
        warnings.append(
            "`passes.n_shadow` is 0: without passes with shadow features no feature gets an error rate (z, p, q), and "
            "there is no panel."
        )
    return warnings


def _spelled_out(config: Mapping) -> Mapping:
    """Replace `reference: none`, a list of matrices and a pattern by the options that they are short for."""
    word, matrix = config.get("reference"), config.get("matrix")
    if isinstance(word, str) and word.lower() == "none":
        config = {**config, "reference": {"none": True}}
    if not isinstance(matrix, Mapping):
        return config
    paths = matrix.get("path")
    if isinstance(paths, list | tuple) and all(isinstance(path, str) for path in paths):
        path, *further = paths or [""]
        further += matrix.get("new_samples") or []
        matrix = {**matrix, "path": path, "new_samples": further}
    path = matrix.get("path")
    if isinstance(path, str) and is_pattern(path) and not matrix.get("shards"):
        matrix = {**matrix, "path": "", "shards": [path]}
    return {**config, "matrix": matrix}


def _filled(given: dict, schema: dict) -> dict:
    """Every key of the schema, with the given value or its default."""
    settings = _with_defaults(given, schema)
    settings["results"] = posixpath.normpath(settings["results"])
    if settings["matrix"]["populations"] and not settings["labels"]["column"]:
        settings["labels"]["column"] = "population"
    settings["samples"] = [{key: str(value) for key, value in row.items()} for row in settings["samples"]]
    for key in ("exclude", "na_values", "unlabelled"):
        settings["labels"][key] = [str(label) for label in settings["labels"][key]]
    for population in settings["matrix"]["populations"]:
        population["label"] = str(population["label"])
    settings["models"] = {
        name: _resolved(name, model, settings["training"], schema) for name, model in settings["models"].items()
    }
    return settings


def _with_defaults(given: Mapping, schema: Mapping) -> dict:
    """Fill in the default of every option of the schema that is not given."""
    filled = {}
    for key, below in schema["properties"].items():
        if "properties" in below:
            filled[key] = _with_defaults(given.get(key, {}), below)
        else:
            filled[key] = copy.deepcopy(given.get(key, below["default"]))
    return filled


def _resolved(name: str, model: dict, training: dict, schema: dict) -> dict:
    """Options of one model: its own, else those of `training`, else defaults."""
    own = {**training, **model, "augment": {**training["augment"], **model.get("augment", {})}}
    full = _with_defaults(own, model_schema(schema))
    full["kind"] = full["kind"] or name
    return {key: full[key] for key in (*BACKBONE_KEYS, "input", *training)}
