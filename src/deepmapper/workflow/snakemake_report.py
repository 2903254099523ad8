"""Protects the page of `snakemake --report` from names that would run as code in it. Standard library only.

Snakemake (9.27, `report/html_reporter`) writes parameters of rules and paths of files as JSON into scripts of the page
without escaping "<": a name that contains ``</script>`` ends the script and can start another. So parameters are
escaped here, and paths, which cannot be changed, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape, unescape

from ..errors import InputError

_ENDS_A_SCRIPT = re.compile(r"<(?:/?script|!--)", re.IGNORECASE)


def escaped(texts: Mapping[str, str]) -> dict[str, str]:
    """Escape texts that are a parameter of a rule whose output is in the report.

    The script of the rule reverts this with `unescaped`. Texts without ``&``, ``<`` and ``>`` do not change.
    """
    return {name: escape(text, quote=False) for name, text in texts.items()}


def unescaped(texts: Mapping[str, str]) -> dict[str, str]:
    """Revert `escaped`."""
    return {name: unescape(text) for name, text in texts.items()}


def check_paths(paths: Mapping[str, str]) -> None:
    """Refuse paths that would end a script of the report page.

    Parameters
    ----------
    paths
        Key of the configuration -> path.

    Raises
    ------
    InputError
        Names every such path.
    """
    found = {key: _ENDS_A_SCRIPT.search(path) for key, path in paths.items()}
    faults = [f"{key}: {paths[key]!r} contains {match[0]!r}" for key, match in found.items() if match]
    if faults:
        raise InputError(
            "the page of `snakemake --report` contains the paths of a run in a script, and these would end the script:"
            "\n  - " + "\n  - ".join(faults) + "\nRename these files, or give links to them."
        )
