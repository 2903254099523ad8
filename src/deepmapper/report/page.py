"""What all pages share: styles for screen and paper, checked links, numbers in words."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..core.words import count

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values) -> str:
    """Write a page.

    Names of features, samples, classes and files come from the data: every value is escaped, and can neither act in the
    page nor change what it is made of.

    Parameters
    ----------
    template
        File name of the template.
    values
        What the template names. Only a value of type ``markupsafe.Markup`` is put in as it is.

    Raises
    ------
    jinja2.UndefinedError
        If the template names what is not given.
    ValueError
        If a number that is put in as JSON is not finite.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(count=count, zip=zip)
    # columns in the order of the table, and names as they are
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False, "separators": (",", ":"), "allow_nan": False
    }  # fmt: skip
    return environment


def number(value, digits: int = 3) -> str:
    """Write a number; nothing where there is none."""
    return "" if value is None or math.isnan(float(value)) else f"{value:.{digits}f}"


def between(value, low, high, digits: int = 3) -> str:
    """Write a number with its interval; nothing where there is none."""
    if value is None or math.isnan(float(value)):
        return ""
    if any(end is None or math.isnan(float(end)) for end in (low, high)):
        return number(value, digits)
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
