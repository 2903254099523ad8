"""What all pages share: rendering of the templates with escaped values, and numbers as text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..core.words import count

TEMPLATES = Path(__file__).parent / "templates"

_STARTS_WITH_NUMBER = re.compile(r"[-\u2212+<≤]?\d[\d.,]*(e[-+]?\d+)?(\s|$)")


def render(template: str, **values) -> str:
    """Render a page.

    Names of features, samples, classes and files come from the data. All values are escaped, so that no name can add
    elements or scripts to the page.

    Parameters
    ----------
    template
        File name of the template.
    values
        Variables of the template. Only values of type ``markupsafe.Markup`` are not escaped.

    Raises
    ------
    jinja2.UndefinedError
        If a variable of the template is not given.
    ValueError
        If a number that is embedded as JSON is not finite.
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
    environment.filters["class_of_cells"] = _class_of_cells
    # keeps the order of the keys and names in any script; NaN is not valid JSON
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False, "separators": (",", ":"), "allow_nan": False
    }  # fmt: skip
    return environment


def _class_of_cells(cells: Sequence[str]) -> Markup:
    """Class of the cells of a column: of text, unless all are numbers, with or without an interval."""
    numbers = all(_STARTS_WITH_NUMBER.match(str(cell)) for cell in cells if str(cell))
    return Markup("" if numbers else " class='text'")


def number(value, digits: int = 3) -> str:
    """Format a number; empty if it is missing."""
    return "" if value is None or math.isnan(float(value)) else f"{value:.{digits}f}"


def error_rate(q) -> str:
    """Format a p- or q-value; one that is too small for a floating-point number as a bound, and a missing one empty."""
    if q is None or math.isnan(float(q)):
        return ""
    return f"{q:.2g}" if q > 0 else "<1e-300"


def rate_of(name: str, value) -> str:
    """Give a p- or q-value with its name, as in ``q = 0.04``; empty if it is missing."""
    text = error_rate(value)
    return f"{name} < {text[1:]}" if text.startswith("<") else f"{name} = {text}" if text else ""


def with_interval(value, low, high, digits: int = 3) -> str:
    """Format a number with its interval; empty if the number is missing."""
    if value is None or math.isnan(float(value)):
        return ""
    if any(bound is None or math.isnan(float(bound)) for bound in (low, high)):
        return number(value, digits)
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
