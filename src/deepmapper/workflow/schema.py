"""Checks of the configuration against its JSON Schema: messages that name the key, the value and what is expected."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..core.words import nearest

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")

KeyPath = tuple[str | int, ...]

# Types of an option that is an integer or one word; the word is its pattern.
_NUMBER_OR_WORD = {"integer", "string"}

# An option of a network, which may be a word of a list.
_OPTION_OR_WORD = {"integer", "number", "boolean", "string"}


def load_schema(path: str | Path) -> dict:
    """Read a JSON Schema that is written in YAML."""
    import yaml

    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def expected(schema: Mapping) -> str:
    """Which values a schema allows, in words, for messages and for the table of options."""
    types = _types(schema)
    if choices := allowed_values(schema):
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
        return "a section: its options below it, indented, one `option: value` per line"
    if types == {"object"}:
        named = "properties" in schema["additionalProperties"]
        return "one section per name, such as `cnn_small: {}`" if named else "options, such as `{hidden: 256}`"
    if "boolean" in types:
        words = schema.get("pattern", "").strip("^()$").replace("|", ", ")
        return "a number, or true or false" + (f", or one of {words}" if words else "")
    return "text"


def allowed_values(schema: Mapping) -> list[str]:
    """Values that a schema lists; those described by a pattern appear as the title of the pattern."""
    values = [str(value) for value in schema.get("enum", ()) if value != ""]
    for alternative in schema.get("anyOf", ()):
        values += allowed_values(alternative) or [alternative["title"]]
    return values


def _types(schema: Mapping) -> set[str]:
    kind = schema.get("type", ())
    return {kind} if isinstance(kind, str) else set(kind)


def _bounds(schema: Mapping) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"from {schema['minimum']} to {schema['maximum']}"
    words = {"exclusiveMinimum": "above", "minimum": "of at least", "exclusiveMaximum": "below", "maximum": "up to"}
    return " and ".join(f"{word} {schema[key]}" for key, word in words.items() if key in schema)


def found(value: Any) -> str:
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


def list_words(names: Iterable[str]) -> str:
    """Names in backticks, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def _dotted(path: KeyPath) -> str:
    """A path as `a.b.c`, with the position in a list as "(entry 1)"."""
    entries = "".join(f" (entry {part + 1})" for part in path if isinstance(part, int))
    return f"`{'.'.join(part for part in path if isinstance(part, str))}`{entries}"


def tidied(value: Any, schema: Mapping, path: KeyPath, faults: dict[KeyPath, str]) -> Any:
    """Copy to plain builtins: known keys without a value are left out, numbers get the type of the schema."""
    if isinstance(value, Mapping):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        copied = {}
        for key, item in value.items():
            if isinstance(key, bool):
                faults[(*path, f"{key}")] = (
                    f"{_dotted((*path, str(key).lower()))}: YAML reads this name as true or false; put it in quotes"
                )
                continue
            below = known.get(key, other if isinstance(other, Mapping) else {})
            if item is None and "properties" in below and key not in known:
                item = {}
            if item is not None or key not in known:
                copied[str(key)] = tidied(item, below, (*path, str(key)), faults)
        return copied
    if isinstance(value, (list, tuple)):
        return [tidied(item, schema.get("items", {}), (*path, i), faults) for i, item in enumerate(value)]
    if isinstance(value, float) and _types(schema) == {"string", "number"}:
        faults[path] = f"{_dotted(path)}: found {value}, a number to YAML, which reads 1.10 as 1.1; put it in quotes"
    return _as_number(value, _types(schema))


def _as_number(value: Any, types: set[str]) -> Any:
    if not types & {"integer", "number"} or isinstance(value, bool):
        return value
    if "string" in types and types not in (_NUMBER_OR_WORD, _OPTION_OR_WORD):
        return value
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value) if re.search("[.eE]", value) else int(value)
    if isinstance(value, float) and types in ({"integer"}, _NUMBER_OR_WORD) and value.is_integer():
        return int(value)
    if isinstance(value, int) and "integer" not in types:
        return float(value)
    return value


def schema_faults(given: dict, schema: dict, faults: dict[KeyPath, str]) -> None:
    """Add a line to `faults` for every key that violates the schema."""
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
                "the name is reserved, choose another"
                if error.validator == "not"
                else "a name is a letter followed by letters, digits, `_`, `-` or `.`"
            )
            faults.setdefault((*path, error.instance), line)
        elif error.validator == "minProperties":
            faults.setdefault(path, f"{_dotted(path)} is empty; give at least one model, such as `cnn_small: {{}}`")
        elif path[:1] == ("models",) and len(path) == 2 and path[1] in homes:
            faults.setdefault(path, _unknown_key(path[:1], str(path[1]), {}, homes))
        else:
            line = f"{_dotted(path)}: found {found(error.instance)}; expected {expected(error.schema)}"
            faults.setdefault(path, line + _hint(error.instance, error.schema))


def _hint(value: Any, schema: Mapping) -> str:
    """How to correct a wrong value, if the likely mistake is known; else empty."""
    types = _types(schema)
    if (choices := allowed_values(schema)) and isinstance(value, str):
        near = nearest(value, choices)
        return f"; did you mean `{near[0]}`?" if near else ""
    if isinstance(value, str) and types & {"integer", "number"} and DECIMAL_COMMA.fullmatch(value.strip()):
        return "; write a decimal point"
    if isinstance(value, str) and types == {"boolean"}:
        return ", without quotes"
    if isinstance(value, str) and types == {"array"} and value.endswith((".tsv", ".csv", ".txt")):
        return "; the path of a sample sheet goes in `sample_sheet`"
    if isinstance(value, str) and types == {"array"} and "properties" not in schema["items"]:
        return f"; put it in square brackets: [{value}]"
    if value == "" and "string" in types:
        return " that is not empty"
    if "string" in types and types != _NUMBER_OR_WORD and not isinstance(value, (str, list, dict)):
        return "; put it in quotes"
    return ""


def _homes(schema: dict) -> dict[str, list[str]]:
    """Sections of every key; the options of `training` count as those of `training`, not of each model."""
    homes: dict[str, list[str]] = {}

    def visit(properties: Mapping, section: str) -> None:
        for key, below in properties.items():
            homes.setdefault(key, []).append(section)
            visit(below.get("properties", {}), f"{section}.{key}".lstrip("."))

    visit(schema["properties"], "")
    own = model_schema(schema)["properties"].keys() - schema["properties"]["training"]["properties"].keys()
    for key in own:
        homes.setdefault(key, []).append("models.<name>")
    return homes


def _unknown_key(path: KeyPath, key: str, known: Mapping, homes: dict[str, list[str]]) -> str:
    """Name the nearest known key: the same key in another section, else a similar one here, else one elsewhere."""
    line = f"unknown key {_dotted((*path, key))}; "
    if f"{key}s" in known:  # `model` for `models`, though `predict.model` exists
        return line + f"did you mean `{key}s`?"
    if key in homes:
        places = " or ".join(f"`{section}`" for section in homes[key] if section)
        return line + f"`{key}` belongs " + (f"under {places}" if places else "at the top level")
    plain = key.lower().replace("-", "_").replace(" ", "_")
    near = nearest(plain, known) or _described(plain, known)
    if near:
        return line + f"did you mean `{near[0]}`?"
    far = nearest(plain, homes, cutoff=0.7)
    if far:
        places = " or ".join(f"`{section}.{far[0]}`" if section else f"`{far[0]}`" for section in homes[far[0]])
        return line + f"did you mean {places}?"
    network = "; options of the network itself go in `extra`" if "extra" in known else ""
    return line + f"known here: {list_words(known)}{network}"


def _described(plain: str, known: Mapping) -> list[str]:
    """Options whose description contains the words of a key, so that `learning_rate` finds `lr`."""
    words = plain.replace("_", " ")
    return [key for key, below in known.items() if below["type"] != "object" and words in below["description"].lower()]


def drop(given: dict, path: KeyPath) -> None:
    """Remove a faulty value (a list as a whole), so that the checks between other keys can still run."""
    names = [*path]
    for i, part in enumerate(path):
        if isinstance(part, int):
            names = names[:i]
            break
    *parents, last = names
    for name in parents:
        given = given.get(name, {})
    given.pop(last, None)


def touches(path: KeyPath, key: str) -> bool:
    """Whether a fault at `path` concerns the dotted `key`: at the key, above it or below it."""
    name = ".".join(part for part in path if isinstance(part, str))
    return f"{key}.".startswith(f"{name}.") or f"{name}.".startswith(f"{key}.")


def model_schema(schema: dict) -> dict:
    """Schema of one model."""
    return schema["properties"]["models"]["additionalProperties"]
