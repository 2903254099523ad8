"""What the page of `snakemake --report` shows of a run, kept from acting in it. Standard library only.

Snakemake (9.27, `report/html_reporter`) writes parameters of rules and paths of files as JSON into scripts of the page
and leaves "<" as it is: a name that holds ``</script>`` ends the script and begins another. Only what is handed over
can be mended: parameters are escaped; paths, which have to stay as they are, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape, unescape

from ..errors import InputError

_ENDS_A_SCRIPT = re.compile(r"<(?:/?script|!--)", re.IGNORECASE)


def escaped(texts: Mapping[str, str]) -> dict[str, str]:
    """Escape texts that become a parameter of a rule whose output is in the report.

    The script of the rule undoes it with `unescaped`. Texts without ``&``, ``<`` and ``>`` stay as they are.
    """
    return {name: escape(text, quote=False) for name, text in texts.items()}


def unescaped(texts: Mapping[str, str]) -> dict[str, str]:
    """Undo `escaped`."""
    return {name: unescape(text) for name, text in texts.items()}


def check_paths(paths: Mapping[str, str]) -> None:
    """Refuse paths that would end a script of the report's page.

    Parameters
    ----------
    paths
        Paths by the key of the configuration that gives them.

    Raises
    ------
    InputError
        A line for every such path.
    """
    found = {key: _ENDS_A_SCRIPT.search(path) for key, path in paths.items()}
    faults = [f"{key}: {paths[key]!r} holds {match[0]!r}" for key, match in found.items() if match]
    if faults:
        raise InputError(
            "the page of `snakemake --report` holds the paths of a run in a script, and these would end it:\n  - "
            + "\n  - ".join(faults)
            + "\nGive them other names, or links to them."
        )
