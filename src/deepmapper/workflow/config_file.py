"""Checks of the configuration file before Snakemake reads it. Needs no other part of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# More than any configuration has; chosen by hand. A few lines of aliases can stand for more than fits into memory.
_MOST_VALUES = 100_000

_COMPARE = "Compare with config/config.yaml of the repository."


def fault_in(path: str | Path) -> str:
    """Say why a configuration cannot be read; empty if it can, or if there is no such file.

    Snakemake waits forever for a named pipe, and names neither the line nor the reason if a file is not YAML.
    """
    import yaml

    file = Path(path)
    if not file.exists():
        return ""
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "neither a file nor a link to one"
        return f"{path} is {kind}, expected a YAML file with the configuration."
    try:
        text = file.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return f"{path} is empty, expected keys such as `matrix` and `labels`. {_COMPARE}"
        if not isinstance(root, yaml.MappingNode):
            return f"{path}, line {root.start_mark.line + 1}: expected a key, such as `matrix:`. {_COMPARE}"
        if fault := _fault_of(root, {})[1]:
            return f"{path}, {fault}"
        yaml.safe_load(text)
    except RecursionError:
        return f"{path}: values are nested too deep. {_COMPARE}"
    except UnicodeDecodeError as error:
        return f"{path} is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8 text."
    except ValueError as error:
        return f"{path}: a value cannot be read ({error}). Put it in quotes if it is text."
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}). Check its permissions (ls -l)."
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        return (
            f"{path}{line}: this is not YAML ({reason}). Compare with config/config.yaml of the repository; indent "
            "with spaces, not tabs, and put text with special characters in quotes."
        )
    return ""


def _fault_of(node: Any, sizes: dict[int, int]) -> tuple[int, str]:
    """Count the values of a node with all that its aliases stand for; say what YAML allows and nobody means.

    Parameters
    ----------
    node
        A node of `yaml.compose`.
    sizes
        Receives the number of values of each node by its id; 0 while they are counted.

    Returns
    -------
    tuple of int and str
        The number, and the fault; empty if there is none.
    """
    where = f"line {node.start_mark.line + 1}"
    if id(node) in sizes:
        return sizes[id(node)], "" if sizes[id(node)] else f"{where}: what is here refers to itself. Write it out."
    sizes[id(node)], parts = 0, []
    if node.id == "mapping":
        keys = set()
        for key, value in node.value:
            if isinstance(key.value, str) and key.value in keys and key.value != "<<":
                line = key.start_mark.line + 1
                return 0, f"line {line}: the key `{key.value}` is given twice, expected once. Remove one of them."
            keys.add(str(key.value))
            parts.append(value)
    elif node.id == "sequence":
        parts = node.value
    n_values = 1
    for part in parts:
        n, fault = _fault_of(part, sizes)
        n_values += n
        if fault:
            return 0, fault
    if n_values > _MOST_VALUES:
        return 0, f"{where}: the aliases stand for more than {_MOST_VALUES} values. Write out what is meant."
    sizes[id(node)] = n_values
    return n_values, ""
