"""The workflow's settings: `config.yaml` checked against its schema, with every default filled in.

The schema (`workflow/schemas/config.schema.yaml`, JSON Schema draft 2020-12) is the one place that knows keys, types,
ranges and defaults. This module turns its verdict into lines that a person can act on, adds the checks that span
several keys, and hands each pass exactly the settings that determine it.
"""

from __future__ import annotations

import copy
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .config import ATTENTION_KINDS, ATTENTION_METHODS, GENERAL_METHODS, AugmentConfig, BackboneSpec, DeepMapperConfig
from .errors import InputError
from .words import nearest

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
SHADOWS_SHARED = 3  # passes with shadow features that read the same shadows: seeds 3k, 3k + 1, 3k + 2
BACKBONE_KEYS = ("kind", "img_size", "in_chans", "pretrained", "extra")

KeyPath = tuple[str | int, ...]

# Types of an option that is a whole number or one word, which its pattern gives.
_NUMBER_OR_WORD = {"integer", "string"}


def load_schema(path: str | Path) -> dict:
    """Read a JSON Schema that is written in YAML."""
    import yaml

    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def validate_config(config: Any, schema: dict, source: str = "config/config.yaml") -> dict:
    """Check a configuration and fill in every default.

    An option or a section without a value takes its default. Text that reads as a number (``1e-3`` is text in YAML 1.1)
    is taken as that number where one is expected, and a number as text where a label is expected. Nothing else is
    converted. The result can be validated again and stays the same.

    Parameters
    ----------
    config
        What the YAML file holds; left unchanged.
    schema
        What `load_schema` returns.
    source
        Name of the file, for messages.

    Returns
    -------
    dict
        Plain builtins, keys in the schema's order. Each of ``models`` holds its own options and all of ``training``.

    Raises
    ------
    InputError
        One line for every fault: the key, what was found, what was expected; for an unknown key the nearest known one.
    """
    if config is None or config == {}:
        raise InputError(
            f"{source} is empty: give at least `matrix.path` (the matrix) or `sample_sheet` (reads), and "
            f"`labels.column` (the labels)."
        )
    if not isinstance(config, Mapping):
        raise InputError(
            f"{source}: found {_found(config)}; expected sections such as `matrix:`, `labels:` and `models:`."
        )
    faults: dict[KeyPath, str] = {}
    given = _tidied(config, schema, (), faults)
    _schema_faults(given, schema, faults)
    for path in faults:
        _drop(given, path)
    settings = _filled(given, schema)
    lines = list(faults.values())
    for keys, line in _cross_faults(settings, schema):
        if not any(_touches(path, key) for path in faults for key in keys):
            lines.append(line)
    if lines:
        count = f"{len(lines)} fault" + "s" * (len(lines) > 1)
        raise InputError(f"{source} has {count}; nothing was run:\n" + "\n".join(f"  - {line}" for line in lines))
    return settings


def config_warnings(settings: dict) -> list[str]:
    """Say which settings cannot act or leave a finding without its reference, one sentence each.

    `settings` is what `validate_config` returns.
    """
    said = []
    for name in settings["models"]:
        inert = to_config(model_settings(settings, name)).inert_settings()
        said += [f"model `{name}`: {sentence}" for sentence in inert]
    if settings["passes"]["n_permuted"] == 0:
        said.append(
            "`passes.n_permuted` is 0: without control passes on shuffled labels no report can say whether a model "
            "found more than chance."
        )
    if settings["passes"]["n_shadow"] == 0:
        said.append(
            "`passes.n_shadow` is 0: without passes with shadow features no feature has an error rate (z, p, q), and "
            "there is no panel."
        )
    return said


def model_settings(settings: dict, name: str) -> dict:
    """Return all that determines a pass of one model, its seed and its features apart, and nothing else.

    Plain builtins in a fixed order, so that equal settings are equal Snakemake parameters.

    Raises
    ------
    InputError
        `settings` has no model of this name.
    """
    models = settings["models"]
    if name not in models:
        raise InputError(f"no model is named `{name}`: the configuration has {_listed(models)}.")
    model = copy.deepcopy(models[name])
    model["extra"] = dict(sorted(model["extra"].items()))
    del model["chord_pixels"]  # which features a pass reads, not what it does with them
    return {**model, "test_size": settings["passes"]["test_size"]}


def starts_from_reads(settings: dict) -> bool:
    """Whether the run begins with raw reads, in place of a matrix that exists."""
    return bool(settings["sample_sheet"] or settings["samples"])


def named_files(settings: dict) -> dict[str, str]:
    """Files and folders that the configuration names, those of single samples apart, by their key; "" where empty."""
    files = {
        "sample_sheet": settings["sample_sheet"],
        "reference.genome": settings["reference"]["genome"],
        "reference.transcripts": settings["reference"]["transcripts"],
        "reference.annotation": settings["reference"]["annotation"],
        "assembly.fasta": settings["assembly"]["fasta"],
        "novelty.contaminants": settings["novelty"]["contaminants"],
        "matrix.path": settings["matrix"]["path"],
        "labels.table": settings["labels"]["table"],
    }
    populations = enumerate(settings["matrix"]["populations"], start=1)
    return files | {f"matrix.populations.path (entry {i})": item["path"] for i, item in populations}


def to_config(model_settings: dict, seed: int = 0) -> DeepMapperConfig:
    """Return the package's configuration of one model, for the pass with this seed."""
    options = copy.deepcopy(model_settings)
    backbone = BackboneSpec(**{key: options.pop(key) for key in BACKBONE_KEYS})
    augment = AugmentConfig(**options.pop("augment"))
    return DeepMapperConfig(**options, backbone=backbone, augment=augment, seed=seed)


def expected(schema: Mapping) -> str:
    """Say in words which values a schema allows, for messages and for the table of options."""
    types = _types(schema)
    if choices := _choices(schema):
        return "one of " + ", ".join(choices)
    if types == {"boolean"}:
        return "true or false"
    if types == _NUMBER_OR_WORD:
        return f"a whole number {_bounds(schema)}, or {schema['pattern'].strip('^$')}"
    if types in ({"integer"}, {"number"}):
        return " ".join(["a whole number" if types == {"integer"} else "a number", _bounds(schema)]).strip()
    if types == {"array"}:
        keys = schema["items"].get("properties")
        return (
            f"a list of entries with {' and '.join(f'`{key}`' for key in keys)}" if keys else "a list, such as [a, b]"
        )
    if "properties" in schema:
        return "a section: its options below it, indented, one `option: value` a line"
    if types == {"object"}:
        named = "properties" in schema["additionalProperties"]
        return "one section per name, such as `cnn_small: {}`" if named else "options, such as `{hidden: 256}`"
    if "boolean" in types:
        return "a number, or true or false"
    return "text"


def _choices(schema: Mapping) -> list[str]:
    """The values that a schema lists, those that it describes by a pattern under their title."""
    listed = [str(value) for value in schema.get("enum", ()) if value != ""]
    return listed + [name for one in schema.get("anyOf", ()) for name in _choices(one) or [one["title"]]]


def _types(schema: Mapping) -> set[str]:
    kind = schema.get("type", ())
    return {kind} if isinstance(kind, str) else set(kind)


def _bounds(schema: Mapping) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"from {schema['minimum']} to {schema['maximum']}"
    words = {"exclusiveMinimum": "above", "minimum": "of at least", "exclusiveMaximum": "below", "maximum": "up to"}
    return " and ".join(f"{word} {schema[key]}" for key, word in words.items() if key in schema)


def _found(value: Any) -> str:
    """Show a value and its type, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()} (yes/no)"
    if isinstance(value, Mapping):
        return "a section"
    shown, kind = str(value), type(value).__name__
    if isinstance(value, str):
        shown, kind = f'"{value}"', "text"
    elif isinstance(value, (list, tuple)):
        kind = "a list"
    elif isinstance(value, (int, float)):
        kind = "a whole number" if isinstance(value, int) else "a number"
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'} ({kind})"


def _listed(names) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _dotted(path: KeyPath) -> str:
    """Write a path as `a.b.c`, the place in a list as a counted entry."""
    entries = "".join(f" (entry {part + 1})" for part in path if isinstance(part, int))
    return f"`{'.'.join(part for part in path if isinstance(part, str))}`{entries}"


def _tidied(value: Any, schema: Mapping, path: KeyPath, faults: dict[KeyPath, str]) -> Any:
    """Copy to plain builtins: known keys without a value left out, numbers in the type that the schema wants."""
    if isinstance(value, Mapping):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        copied = {}
        for key, item in value.items():
            if isinstance(key, bool):
                faults[(*path, f"{key}")] = (
                    f"{_dotted((*path, str(key).lower()))}: YAML reads this name as yes/no; put it in quotes"
                )
                continue
            below = known.get(key, other if isinstance(other, Mapping) else {})
            if item is None and "properties" in below and key not in known:
                item = {}
            if item is not None or key not in known:
                copied[str(key)] = _tidied(item, below, (*path, str(key)), faults)
        return copied
    if isinstance(value, (list, tuple)):
        return [_tidied(item, schema.get("items", {}), (*path, i), faults) for i, item in enumerate(value)]
    return _as_number(value, _types(schema))


def _as_number(value: Any, types: set[str]) -> Any:
    if not types & {"integer", "number"} or isinstance(value, bool):
        return value
    if "string" in types and types != _NUMBER_OR_WORD:
        return value
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value) if re.search("[.eE]", value) else int(value)
    if isinstance(value, float) and types in ({"integer"}, _NUMBER_OR_WORD) and value.is_integer():
        return int(value)
    if isinstance(value, int) and "integer" not in types:
        return float(value)
    return value


def _schema_faults(given: dict, schema: dict, faults: dict[KeyPath, str]) -> None:
    """Add one line for every key that breaks the schema."""
    from jsonschema import Draft202012Validator, validators

    def is_finite_number(_, value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

    checker = Draft202012Validator.TYPE_CHECKER.redefine("number", is_finite_number)
    homes = _homes(schema)
    for error in validators.extend(Draft202012Validator, type_checker=checker)(schema).iter_errors(given):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema["properties"]
            for key in (key for key in error.instance if key not in known):
                faults.setdefault((*path, key), _unknown_key(path, key, known, homes))
        elif error.validator == "required":
            for key in (key for key in error.validator_value if key not in error.instance):
                line = f"{_dotted((*path, key))} is missing; expected {expected(error.schema['properties'][key])}"
                faults.setdefault((*path, key), line)
        elif "propertyNames" in error.absolute_schema_path:
            line = f"{_dotted(path)}: a model cannot be named `{error.instance}`; " + (
                "the name is taken, choose another"
                if error.validator == "not"
                else "start with a letter and go on with letters, digits, `_`, `-` or `.`"
            )
            faults.setdefault((*path, error.instance), line)
        elif error.validator == "minProperties":
            faults.setdefault(path, f"{_dotted(path)} names no model; give at least one, such as `cnn_small: {{}}`")
        elif path[:1] == ("models",) and len(path) == 2 and path[1] in homes:
            faults.setdefault(path, _unknown_key(path[:1], str(path[1]), {}, homes))
        else:
            line = f"{_dotted(path)}: found {_found(error.instance)}; expected {expected(error.schema)}"
            faults.setdefault(path, line + _hint(error.instance, error.schema))


def _hint(value: Any, schema: Mapping) -> str:
    """Name the likely slip behind a wrong value; empty when there is none to name."""
    types = _types(schema)
    if (choices := _choices(schema)) and isinstance(value, str):
        near = nearest(value, choices)
        return f"; did you mean `{near[0]}`?" if near else ""
    if isinstance(value, str) and types & {"integer", "number"} and DECIMAL_COMMA.fullmatch(value.strip()):
        return "; write a decimal point"
    if isinstance(value, str) and types == {"boolean"}:
        return ", without quotes"
    if isinstance(value, str) and types == {"array"} and value.endswith((".tsv", ".csv", ".txt")):
        return "; the name of a sample sheet goes under `sample_sheet`"
    if isinstance(value, str) and types == {"array"} and "properties" not in schema["items"]:
        return f"; put it in square brackets: [{value}]"
    if value == "" and "string" in types:
        return " that is not empty"
    if "string" in types and types != _NUMBER_OR_WORD and not isinstance(value, (str, list, dict)):
        return "; put it in quotes"
    return ""


def _homes(schema: dict) -> dict[str, list[str]]:
    """Map every key to the sections that know it; those of `training` count as its own, not as each model's."""
    homes: dict[str, list[str]] = {}

    def visit(properties: Mapping, section: str) -> None:
        for key, below in properties.items():
            homes.setdefault(key, []).append(section)
            visit(below.get("properties", {}), f"{section}.{key}".lstrip("."))

    visit(schema["properties"], "")
    own = _model_schema(schema)["properties"].keys() - schema["properties"]["training"]["properties"].keys()
    for key in own:
        homes.setdefault(key, []).append("models.<name>")
    return homes


def _unknown_key(path: KeyPath, key: str, known: Mapping, homes: dict[str, list[str]]) -> str:
    """Name the nearest known key: the same one in its own section, else a similar one, here before elsewhere."""
    line = f"unknown key {_dotted((*path, key))}; "
    if key in homes:
        places = " or ".join(f"`{section}`" for section in homes[key] if section)
        return line + f"`{key}` belongs " + (f"under {places}" if places else "at the left margin")
    plain = key.lower().replace("-", "_").replace(" ", "_")
    near = nearest(plain, known) or _described(plain, known)
    if near:
        return line + f"did you mean `{near[0]}`?"
    far = nearest(plain, homes, cutoff=0.7)
    if far:
        places = " or ".join(f"`{section}.{far[0]}`" if section else f"`{far[0]}`" for section in homes[far[0]])
        return line + f"did you mean {places}?"
    network = "; options of the network itself go under `extra`" if "extra" in known else ""
    return line + f"known here: {_listed(known)}{network}"


def _described(plain: str, known: Mapping) -> list[str]:
    """Find the options whose description holds the words of a key, so that `learning_rate` finds `lr`."""
    words = plain.replace("_", " ")
    return [key for key, below in known.items() if below["type"] != "object" and words in below["description"].lower()]


def _drop(given: dict, path: KeyPath) -> None:
    """Remove a faulty value, a list as a whole, so that the other keys can still be checked together."""
    names = [*path]
    for i, part in enumerate(path):
        if isinstance(part, int):
            names = names[:i]
            break
    *parents, last = names
    for name in parents:
        given = given.get(name, {})
    given.pop(last, None)


def _touches(path: KeyPath, key: str) -> bool:
    """Whether a fault at `path` concerns the dotted `key`, from above or from within."""
    name = ".".join(part for part in path if isinstance(part, str))
    return f"{key}.".startswith(f"{name}.") or f"{name}.".startswith(f"{key}.")


def _model_schema(schema: dict) -> dict:
    return schema["properties"]["models"]["additionalProperties"]


def _filled(given: dict, schema: dict) -> dict:
    """Return every key of the schema, with what was given or its default."""
    settings = _with_defaults(given, schema)
    settings["results"] = posixpath.normpath(settings["results"])
    if settings["matrix"]["populations"] and not settings["labels"]["column"]:
        settings["labels"]["column"] = "population"
    settings["samples"] = [{key: str(value) for key, value in row.items()} for row in settings["samples"]]
    settings["labels"]["exclude"] = [str(label) for label in settings["labels"]["exclude"]]
    for population in settings["matrix"]["populations"]:
        population["label"] = str(population["label"])
    settings["models"] = {
        name: _resolved(name, model, settings["training"], schema) for name, model in settings["models"].items()
    }
    return settings


def _with_defaults(given: Mapping, schema: Mapping) -> dict:
    filled = {}
    for key, below in schema["properties"].items():
        if "properties" in below:
            filled[key] = _with_defaults(given.get(key, {}), below)
        else:
            filled[key] = copy.deepcopy(given.get(key, below["default"]))
    return filled


def _resolved(name: str, model: dict, training: dict, schema: dict) -> dict:
    """Return one model's options: its own, else those of `training`, else defaults."""
    own = {**training, **model, "augment": {**training["augment"], **model.get("augment", {})}}
    full = _with_defaults(own, _model_schema(schema))
    full["kind"] = full["kind"] or name
    return {key: full[key] for key in (*BACKBONE_KEYS, *training)}


def _cross_faults(settings: dict, schema: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong between keys: the keys concerned and a line."""
    matrix, labels = settings["matrix"], settings["labels"]
    populations = matrix["populations"]
    doors = ("sample_sheet", "samples", "matrix.path", "matrix.populations")
    if matrix["path"] and populations:
        yield doors[2:], "`matrix.path` and `matrix.populations` are both given; keep the one that holds your cells"
    if starts_from_reads(settings):
        if matrix["path"] or populations:
            yield (
                doors,
                (
                    "samples (`sample_sheet`, `samples`) and a `matrix` are both given; keep the reads or the matrix "
                    "to start from, and remove the other"
                ),
            )
        else:
            yield from _reads_faults(settings)
    elif not matrix["path"] and not populations:
        yield (
            doors,
            (
                "there is nothing to analyse; give `sample_sheet` or `samples` to start from reads, `matrix.path` for "
                "a matrix that exists, or several 10x folders as `matrix.populations`"
            ),
        )
    if settings["features"]["level"] == "gene" and not starts_from_reads(settings):
        yield (
            ("features.level",),
            "`features.level`: found gene; a matrix's features are taken as they are, leave it out",
        )
    if populations:
        yield from _population_faults(populations, matrix)
    if matrix["path"] and not labels["table"] and _holds_no_labels(matrix):
        yield (
            ("matrix.path", "matrix.format", "labels.table"),
            f'`labels.table` is empty, but "{matrix["path"]}" holds no labels; give a .csv or .tsv with a row per cell',
        )
    if not labels["column"] and not populations:
        yield (
            ("labels.column", "matrix.populations"),
            "`labels.column` is empty; give the name of the column that holds the label of every cell",
        )
    if populations and labels["column"] not in ("", "population") and not labels["table"]:
        yield (
            ("labels.column", "labels.table", "matrix.populations"),
            f'`labels.column`: found "{labels["column"]}"; with `matrix.populations` leave it out (the labels are the '
            f"populations), or give `labels.table`, the file with this column",
        )
    if labels["group"] and labels["group"] == labels["column"]:
        yield (
            ("labels.group", "labels.column"),
            f'`labels.group` and `labels.column` are both "{labels["group"]}"; a group is what must stay together, '
            f"such as the donor, and each would hold a single label",
        )
    yield from _chord_faults(settings)
    auto = settings["passes"]["auto"]
    if settings["passes"]["n_passes"] == "auto" and auto["start"] > auto["cap"]:
        yield (
            ("passes.auto.start", "passes.auto.cap"),
            f"`passes.auto.start` ({auto['start']}) is above `passes.auto.cap` ({auto['cap']}); raise the cap or start "
            f"lower",
        )
    kinds = _choices(_model_schema(schema)["properties"]["kind"])
    for name, model in settings["models"].items():
        if model["kind"] == name and name not in kinds:
            yield (
                (f"models.{name}.kind",),
                f"`models.{name}.kind` is missing and `{name}` is not a kind; expected one of {', '.join(kinds)}",
            )
        elif model["attribution"] in ATTENTION_METHODS and model["kind"] not in ATTENTION_KINDS:
            yield (
                (f"models.{name}.kind", f"models.{name}.attribution", "training.attribution"),
                f"`models.{name}.attribution` is {model['attribution']}, which reads a network's attention, and "
                f"{model['kind']} shows none; expected one of {', '.join(GENERAL_METHODS)}, or the kind "
                f"{' or '.join(ATTENTION_KINDS)}",
            )
    paths = {"results": settings["results"], **named_files(settings)}
    for key, path in paths.items():
        if path.startswith("~"):
            yield (key.partition(" ")[0],), f'`{key}`: found "{path}"; write the home folder out, `~` is not expanded'


def _chord_faults(settings: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with the screen for chords and with what it adjusts for."""
    chords, confounders, labels = settings["chords"], settings["confounders"], settings["labels"]
    needed = math.ceil(1 / chords["level"] - 1e-9) - 1
    if chords["rate"] == "family" and chords["permutations"] < needed:
        yield (
            ("chords.permutations", "chords.level"),
            f"`chords.permutations`: found {chords['permutations']}; expected at least {needed} to reach "
            f"`chords.level` {chords['level']:g}",
        )
    for name, model in settings["models"].items():
        if model["chord_pixels"] and not chords["enabled"]:
            yield (
                (f"models.{name}.chord_pixels", "training.chord_pixels", "chords.enabled"),
                f"`models.{name}.chord_pixels` is true and `chords.enabled` is false; change one of them",
            )
    if labels["column"] and labels["column"] in confounders["columns"]:
        yield (
            ("confounders.columns", "labels.column"),
            f'`confounders.columns` holds "{labels["column"]}", the label itself; leave it out',
        )


def _holds_no_labels(matrix: dict) -> bool:
    """Whether the format, given or told by the name, has numbers alone; a folder's name tells nothing."""
    name = matrix["path"].lower().removesuffix(".gz")
    return matrix["format"] not in ("auto", "h5ad", "zarr") or (
        matrix["format"] == "auto" and name.endswith((".csv", ".tsv", ".txt", ".h5"))
    )


def _reads_faults(settings: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with a run that starts from reads."""
    reference, labels = settings["reference"], settings["labels"]
    if not reference["genome"] and not reference["hisat2_index"]:
        yield (
            ("reference.genome", "reference.hisat2_index"),
            "`reference.genome` is empty; give the FASTA to align to, or a built index as `reference.hisat2_index`",
        )
    if not reference["transcripts"] and not (reference["genome"] and reference["annotation"]):
        yield (
            ("reference.transcripts", "reference.genome", "reference.annotation"),
            "`reference.transcripts` is empty; give the FASTA of the transcripts, or `reference.genome` and "
            "`reference.annotation` to cut them from",
        )
    if settings["quantification"]["decoys"] and not reference["genome"]:
        yield (
            ("quantification.decoys", "reference.genome"),
            "`quantification.decoys` needs `reference.genome`; give the FASTA of the genome",
        )
    if settings["quantification"]["k"] % 2 == 0:
        found = settings["quantification"]["k"]
        yield ("quantification.k",), f"`quantification.k`: found {found}; expected an odd number, such as {found - 1}"
    if labels["table"]:
        yield (
            ("labels.table",),
            "`labels.table` is for a matrix; the labels of samples are columns of the sample sheet, leave it out",
        )


def _population_faults(populations: list[dict], matrix: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    key = ("matrix.populations",)
    if matrix["format"] != "auto":
        line = f'`matrix.format`: found "{matrix["format"]}"; leave it out with `matrix.populations`, the names tell it'
        yield (*key, "matrix.format"), line
    if matrix["transpose"]:
        line = "`matrix.transpose` is for one csv or tsv; leave it out with `matrix.populations`"
        yield (*key, "matrix.transpose"), line
    for i, population in enumerate(populations, start=1):
        for field in ("path", "label"):
            if not population[field].strip():
                yield key, f"`matrix.populations.{field}` (entry {i}) is empty; give it a {field}"
    paths = [population["path"] for population in populations]
    for path in sorted({path for path in paths if path and paths.count(path) > 1}):
        yield key, f'`matrix.populations`: "{path}" is listed {paths.count(path)} times; list every folder once'
    if len({population["label"] for population in populations}) < 2:
        yield key, "`matrix.populations` has a single label; two or more are needed to tell apart"
