"""Checks of the configuration file before Snakemake reads it. Needs no other part of the package."""

from __future__ import annotations

from pathlib import Path


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
        yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        return f"{path} is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8 text."
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
